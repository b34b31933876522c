"""The recorded day: its input, its settings, and its bars as lines of text.

``ticks.csv.gz`` is what arrived, in order: partition, broker, symbol, time in ms, price, size. A
row without a broker is a record without a value. ``bars.txt`` is what must leave: every record of
every output topic as a line, sorted by topic, key and revision, letters by partition and offset.
"""

from __future__ import annotations

import csv
import gzip
import io
import struct
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import fastavro

from barengine.codec.bar import bar_schema
from barengine.demo.records import OutputRecord
from tests.broker.ticks import frame, text, varint

FOLDER: Final = Path(__file__).parent
TICKS: Final = FOLDER / "ticks.csv.gz"
BARS: Final = FOLDER / "bars.txt"
PARTITIONS: Final = 2

SETTINGS: Final = {
    "INPUT_SCHEMA": str(FOLDER / "tick.avsc"),
    "FIELD_PRICE": "price",
    "FIELD_SIZE": "size",
    "WINDOW": "1m",
    "GRACE": "2s",
    "IDLE_TIMEOUT": "off",
    "ROLLUPS": "5m,1h,1d",
    "CONTINUOUS": "1m,1d",
    "FEED_TIMEOUT": "10m",
    "LATE_POLICY": "correct",
    "CORRECTION_HORIZON": "30m",
    "SCHEDULE": str(FOLDER / "markets.yaml"),
}
"""Silence closes nothing: how long it lasts differs from run to run."""

_SCHEMA: Final = fastavro.parse_schema(bar_schema(9))
_PRICE: Final = struct.Struct("<d")


class Row(NamedTuple):
    """One input record, as it was recorded."""

    partition: int
    broker: str
    symbol: str
    time_ms: int
    price: str
    size: str

    def value(self) -> bytes | None:
        """The record's value."""
        if not self.broker:
            return None
        names = frame() + text(self.broker) + text(self.symbol)
        size = b"\x02" + _PRICE.pack(float(self.size)) if self.size else b"\x00"
        return names + varint(self.time_ms) + _PRICE.pack(float(self.price)) + size


def rows() -> list[Row]:
    """All input records in order of arrival; offsets count up in each partition."""
    with gzip.open(TICKS, "rt", encoding="utf-8", newline="") as stream:
        return [
            Row(int(partition), broker, symbol, int(time), price, size)
            for partition, broker, symbol, time, price, size in csv.reader(stream)
        ]


def lines(topics: Mapping[str, Iterable[OutputRecord]]) -> list[str]:
    """What left, as text. Topics by their names without a context."""
    found: list[str] = []
    for topic, records in sorted(topics.items()):
        read = _letters if "tick" in topic else _bars
        found += [line for _, line in sorted(read(topic, records))]
    return found


def _bars(topic: str, records: Iterable[OutputRecord]) -> Iterator[tuple[tuple[Any, ...], str]]:
    for record in records:
        stream = io.BytesIO(record.value or b"")
        bar: Any = fastavro.schemaless_reader(stream, _SCHEMA, None)
        assert not stream.read(), "bytes behind the bar"
        key = (record.key or b"").decode()
        assert record.time_ms == bar["bucket_start"].timestamp() * 1000
        yield (key, bar["revision"]), bar_line(topic, record.partition, key, bar)


def _letters(topic: str, records: Iterable[OutputRecord]) -> Iterator[tuple[tuple[Any, ...], str]]:
    for record in records:
        told = {name: value.decode() for name, value in record.headers}
        assert int(told["source_partition"]) == record.partition
        offset = int(told["source_offset"])
        missed = (told.get("bucket_start", ""), told.get("lateness_ms", ""))
        yield (
            (record.partition, offset),
            letter_line(topic, record.partition, offset, told["reason"], *missed),
        )


def letter_line(
    topic: str, partition: int, offset: int, reason: str, bucket: str, lateness: str
) -> str:
    """A rejected record."""
    return f"{topic} {partition} {offset} {reason} {bucket} {lateness}".rstrip()


def bar_line(topic: str, partition: int, key: str, bar: Mapping[str, Any]) -> str:
    """A bar by field name: prices as Decimal, times as datetime."""
    numbers = (_number(bar[name]) for name in ("open", "high", "low", "close"))
    sums = (_number(bar[name]) for name in ("volume", "turnover", "vwap"))
    first, last = _time(bar["first_event_time"]), _time(bar["last_event_time"])
    marks = (name for name in ("final", "partial") if bar[name])
    return " ".join(
        (
            f"{topic} {partition} {key} r{bar['revision']} {bar['period']}",
            f"{_time(bar['bucket_start'])}..{_time(bar['bucket_end'])}",
            *("ohlc", *numbers, "vtw", *sums, f"n {bar['tick_count']}"),
            f"{first}..{last} {bar['first_offset']}..{bar['last_offset']}",
            *(bar["origin"], bar["cause"] or "-", str(bar["trading_date"] or "-"), *marks),
        )
    )


def _number(value: Any) -> str:
    return "-" if value is None else f"{value.normalize():f}"


def _time(moment: datetime) -> str:
    shown = moment.astimezone(UTC)
    text = f"{shown:%d %H:%M}".replace(" ", "T")
    rest = shown.second + shown.microsecond / 1_000_000
    return f"{text}:{rest:06.3f}" if rest else text
