"""Test data: ticks of the built-in schema as Avro bytes, and record batches that hold them.

Written from the format documents, not with the code under test; only the record layout is
shared with ``codec.records``, which has tests of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from barengine.codec.plan import FieldPlan, Kind, Op, Slot
from barengine.codec.records import encode_record
from barengine.kernel import Kernel, Outcome, RecordBatch
from barengine.model import Bar

MINUTE_MS: Final = 60_000
NOON_MS: Final = 1_750_000_020_000 - 1_750_000_020_000 % MINUTE_MS
"""Start of an arbitrary one-minute bucket, in epoch ms."""
NOON_NS: Final = NOON_MS * 1_000_000


def tick_plan(
    *, unit_ns: int = 1_000_000, price: tuple[int, int, int] = (Kind.DOUBLE, 0, 0)
) -> FieldPlan:
    """broker string, symbol string, a timestamp of that unit, a price of that kind and operands."""
    return FieldPlan(
        (
            *(Op.STORE, Slot.BROKER, Kind.NAME, 0, 0),
            *(Op.STORE, Slot.SYMBOL, Kind.NAME, 0, 0),
            *(Op.STORE, Slot.TIME, Kind.TIME, unit_ns, 0),
            *(Op.STORE, Slot.PRICE, *price),
            Op.END,
        )
    )


TICK_PLAN: Final = tick_plan()
"""The built-in Tick schema: timestamp long in ms, bid double."""

Pair = tuple[bytes | None, bytes | None]


def varint(number: int) -> bytes:
    """Zigzag varint, as Avro and Kafka write int and long."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def text(name: str | bytes) -> bytes:
    """An Avro string or bytes value."""
    raw = name.encode() if isinstance(name, str) else name
    return varint(len(raw)) + raw


def tick_value(broker: str, symbol: str, time: int, price: float, schema_id: int = 1) -> bytes:
    """A value of the built-in Tick schema (time in ms) behind the Confluent frame of the id."""
    head = b"\x00" + schema_id.to_bytes(4, "big")
    return head + text(broker) + text(symbol) + varint(time) + struct.pack("<d", price)


def batch(
    values: Iterable[bytes | Pair | None],
    base_offset: int = 0,
    *,
    base_time_ms: int = NOON_MS,
    append_time_ms: int | None = None,
    offset_deltas: Sequence[int] | None = None,
    time_deltas: Sequence[int] | None = None,
    headers: Sequence[tuple[str, bytes | None]] = (),
) -> RecordBatch:
    """A batch of values, or of (key, value) pairs; offsets and times count up from the base."""
    pairs = [value if isinstance(value, tuple) else (None, value) for value in values]
    offsets = offset_deltas or range(len(pairs))
    times = time_deltas or range(len(pairs))
    payload = b"".join(
        encode_record(offset, time, key, value, list(headers))
        for offset, time, (key, value) in zip(offsets, times, pairs, strict=True)
    )
    return RecordBatch(payload, len(pairs), base_offset, base_time_ms, append_time_ms)


def feed(
    kernel: Kernel, *values: bytes | None, base_offset: int = 0, wall_ns: int = 2**61
) -> Outcome:
    """Process the values as one batch, at a wall time that nothing is ahead of."""
    content = batch(values, base_offset)
    return kernel.process(content, 0, base_offset + len(values), wall_ns)


def take(kernel: Kernel) -> list[Bar]:
    """Close what is due and take it out."""
    kernel.drain()
    return kernel.take_bars().bars()


def tick(seconds: float, price: float = 1.0, symbol: str = "X", broker: str = "A") -> bytes:
    """A tick so many seconds after NOON."""
    return tick_value(broker, symbol, NOON_MS + round(seconds * 1000), price)
