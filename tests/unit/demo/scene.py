"""A partition processed by the pure kernel: what went in and what came out, as records."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import fastavro

from barengine.codec.bar import bar_schema
from barengine.codec.compile import compile_plan
from barengine.codec.fields import TICK_SCHEMA, Fields
from barengine.codec.records import encode_record, iter_records
from barengine.demo.check import check_bars
from barengine.demo.records import InputRecord, OutputRecord
from barengine.demo.report import Report
from barengine.kernel import KernelConfig, PureKernel, RecordBatch, Reject
from barengine.model import Order, Period, Watermark
from tests.encoded import encoded

PERIOD: Final = Period.parse("5s")
GRACE_NS: Final = 10**9
SCALE: Final = 9
T0: Final = 1_790_000_000_000
"""Start of a bucket, in ms."""
WALL_NS: Final = (T0 + 60_000) * 10**6
MAX_FUTURE_NS: Final = 300 * 10**9
SILENCE_NS: Final = 3600 * 10**9

_TICK: Final = fastavro.parse_schema(TICK_SCHEMA)
_BAR: Final = fastavro.parse_schema(bar_schema(SCALE))


def tick(broker: str, symbol: str, at_ms: int, price: float) -> bytes:
    """A tick ``at_ms`` after T0, encoded by fastavro."""
    out = io.BytesIO(b"\0\0\0\0\1")
    out.seek(0, io.SEEK_END)
    value = {"broker": broker, "symbol": symbol, "timestamp": T0 + at_ms, "bid": price}
    fastavro.schemaless_writer(out, _TICK, value)
    return out.getvalue()


@dataclass(frozen=True)
class Scene:
    """Everything that the check is given."""

    ticks: list[InputRecord]
    bars: list[OutputRecord]
    late: list[OutputRecord]
    dead: list[OutputRecord]
    order: Order = Order.EVENT_TIME
    watermark: Watermark = Watermark.BROKER

    def check(self) -> Report:
        """What the check says of it."""
        return check_bars(
            self.ticks,
            self.bars,
            self.late,
            self.dead,
            period=PERIOD,
            grace_ns=GRACE_NS,
            order=self.order,
            price_scale=SCALE,
            watermark=self.watermark,
        )

    def with_bar(self, index: int, **changes: Any) -> Scene:
        """One bar's fields changed, as a faulty engine would have written them."""
        record = self.bars[index]
        bar = fastavro.schemaless_reader(io.BytesIO(record.value or b""), _BAR, None)
        assert isinstance(bar, dict)
        edited = {
            name: change(bar[name]) if callable(change) else change
            for name, change in changes.items()
        }
        out = io.BytesIO()
        fastavro.schemaless_writer(out, _BAR, bar | edited)
        return self.with_record("bars", index, value=out.getvalue())

    def with_record(self, topic: str, index: int, **changes: Any) -> Scene:
        """One record of a topic changed."""
        records = list(getattr(self, topic))
        records[index] = records[index]._replace(**changes)
        return self._with(topic, records)

    def with_header(self, topic: str, index: int, name: str, value: bytes | None) -> Scene:
        """One header of a letter changed, or taken away."""
        headers = dict(getattr(self, topic)[index].headers)
        headers.pop(name)
        if value is not None:
            headers[name] = value
        return self.with_record(topic, index, headers=tuple(headers.items()))

    def without(self, topic: str, index: int) -> Scene:
        """One record of a topic lost."""
        records = list(getattr(self, topic))
        del records[index]
        return self._with(topic, records)

    def twice(self, topic: str, index: int) -> Scene:
        """One record of a topic written again."""
        records = getattr(self, topic)
        return self._with(topic, [*records, records[index]])

    def _with(self, topic: str, records: list[OutputRecord]) -> Scene:
        changes: dict[str, Any] = {topic: records}
        return replace(self, **changes)


def scene(
    values: Sequence[bytes | None],
    *,
    order: Order = Order.EVENT_TIME,
    watermark: Watermark = Watermark.BROKER,
    partition: int = 2,
    between: Callable[[int, PureKernel], None] = lambda _, __: None,
) -> Scene:
    """Run the kernel over the values, one batch each, and close everything by silence.

    Args:
        between: told the kernel before each value, with its offset: to let time pass.
    """
    config = KernelConfig(
        PERIOD, GRACE_NS, watermark, 10**9, MAX_FUTURE_NS, order, SCALE, began_whole=True
    )
    kernel = PureKernel(config)
    kernel.add_schema(0, compile_plan(TICK_SCHEMA, Fields()))
    rejects: list[Reject] = []
    ticks = []
    for offset, value in enumerate(values):
        between(offset, kernel)
        key = b"key %d" % offset
        ticks.append(InputRecord(partition, offset, key, value, T0 + offset))
        batch = RecordBatch(encode_record(0, 0, key, value), 1, offset, T0 + offset)
        rejects += kernel.process(batch, offset, offset + 1, WALL_NS).rejects
        kernel.drain()
    kernel.advance(SILENCE_NS)
    bars = [
        OutputRecord(
            partition,
            raw.offset_delta,
            raw.key,
            raw.value,
            one.base_time_ms + raw.timestamp_delta,
        )
        for one in encoded(kernel.take_bars())
        for raw in iter_records(one.payload, one.count)
    ]
    return Scene(
        ticks,
        bars,
        [letter(one, partition) for one in rejects if one.reason.late],
        [letter(one, partition) for one in rejects if not one.reason.late],
        order,
        watermark,
    )


def letter(reject: Reject, partition: int, period: Period = PERIOD) -> OutputRecord:
    """The letter that the service writes of a rejected record."""
    headers = {
        "reason": reject.reason.label.encode(),
        "source_topic": b"ticks",
        "source_partition": b"%d" % partition,
        "source_offset": b"%d" % reject.offset,
    }
    if reject.reason.late:
        start_ms = reject.bucket_start_ns // 10**6
        headers["bucket_start"] = b"%d" % start_ms
        headers["bucket_end"] = b"%d" % (start_ms + period.length_ns // 10**6)
        headers["lateness_ms"] = b"%d" % (reject.lateness_ns // 10**6)
    return OutputRecord(
        partition, 0, reject.key, reject.value, reject.time_ms, tuple(headers.items())
    )
