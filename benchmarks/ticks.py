"""The ticks of a load: seeded, in numpy, chunk by chunk so that any number fits in memory.

Event times of a partition rise evenly over the load's minutes, each tick up to ``disorder_ms``
ahead of the slowest one near it: nothing is late, and yet first and last by arrival are not first
and last by event time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from barengine.codec.fields import TICK_SCHEMA

Ints = NDArray[np.int64]

MINUTE_MS: Final = 60_000
START_MS: Final = 1_760_000_040_000 // MINUTE_MS * MINUTE_MS
"""Event time of the first tick: past on every clock, so that none is quarantined."""

BROKER: Final = "BRK"
DECIMALS: Final = 5
UNITS: Final = 10**DECIMALS
"""Prices are made as whole numbers of 0.00001, so that every right answer is exact."""

_FORMAT: Final = 1
"""To be raised when the same load comes to hold other bytes: topics are kept between runs."""

_RECORD_BYTES: Final = 53
_BATCH_BYTES: Final = 106_000
_CHUNK_BATCHES: Final = 100

_NOISE_UNITS: Final = 5_000
_LEVELS: Final = 1_000


@dataclass(frozen=True)
class Load:
    """Ticks to measure with; everything that makes them is here, and so in the topic's name.

    Args:
        ticks: how many, over all partitions.
        series: symbols of the one broker, spread evenly over the partitions.
        codec: one of :data:`barengine.kafka.compression.CODECS`.
        price: the Avro type of the price: ``double``, or bytes ``decimal(18,5)``.
        nullable: every field is a union with null.
        padding: length of one more text field in every value, in bytes; 0: there is none.
        minutes: event time from the first tick to the last.
        disorder_ms: how far ticks stray from their order.
    """

    ticks: int
    series: int = 1000
    partitions: int = 4
    codec: str = "lz4"
    price: Literal["double", "decimal"] = "double"
    nullable: bool = False
    padding: int = 0
    minutes: int = 60
    disorder_ms: int = 1000
    seed: int = 7

    @property
    def name(self) -> str:
        """The topic that holds it."""
        kind = f"{self.price}{'-nullable' if self.nullable else ''}-pad{self.padding}"
        return (
            f"load{_FORMAT}-{self.ticks}-s{self.series}-p{self.partitions}-{self.codec}-{kind}"
            f"-m{self.minutes}-d{self.disorder_ms}-r{self.seed}"
        )

    @property
    def plain(self) -> bool:
        """Whether values are of the schema that barengine has built in."""
        return self.schema == TICK_SCHEMA

    @property
    def schema(self) -> dict[str, Any]:
        """The Avro schema of the values."""
        if self.price == "double" and not self.nullable and not self.padding:
            return TICK_SCHEMA
        fields = {field["name"]: field["type"] for field in TICK_SCHEMA["fields"]}
        if self.price == "decimal":
            fields["bid"] = {
                "type": "bytes",
                "logicalType": "decimal",
                "precision": 18,
                "scale": DECIMALS,
            }
        if self.padding:  # before the others, so that every reader has to pass over it
            fields = {"note": "string"} | fields
        made = [
            {"name": name, "type": ["null", kind] if self.nullable else kind}
            for name, kind in fields.items()
        ]
        return {**TICK_SCHEMA, "fields": made}

    @property
    def batch_records(self) -> int:
        """Records of one batch: 100 KB or so, as a producer under load sends them."""
        return _BATCH_BYTES // (_RECORD_BYTES + self.padding)

    def partition_ticks(self, partition: int) -> int:
        """How many of the ticks are in a partition; its closing tick comes on top."""
        return len(range(partition, self.ticks, self.partitions))


class Chunk(NamedTuple):
    """Ticks of one partition, back to back, one array a field."""

    offset: int
    """Of the first one."""
    symbol: bytes
    """What a symbol begins with; the series number follows in five digits."""
    series: Ints
    time_ms: Ints
    price: Ints
    """In units of 0.00001."""


def chunks(load: Load, partition: int) -> Iterator[Chunk]:
    """The ticks of a partition, without the closing one."""
    count = load.partition_ticks(partition)
    step = load.batch_records * _CHUNK_BATCHES
    for offset in range(0, count, step):
        yield _chunk(load, partition, offset, min(step, count - offset))


def closing(load: Load, partition: int) -> Chunk:
    """One tick that is so much later that every window of the load closes."""
    time_ms = START_MS + (load.minutes + 2) * MINUTE_MS
    return Chunk(load.partition_ticks(partition), b"END", *map(_one, (partition, time_ms, UNITS)))


def _chunk(load: Load, partition: int, offset: int, size: int) -> Chunk:
    rng = np.random.default_rng((load.seed, partition, offset))
    own = len(range(partition, load.series, load.partitions))
    series = partition + load.partitions * rng.integers(0, own, size)
    span_ms = load.minutes * MINUTE_MS - load.disorder_ms
    even_ms = np.arange(offset, offset + size) * span_ms // load.partition_ticks(partition)
    time_ms = START_MS + even_ms + rng.integers(0, load.disorder_ms, size)
    level = UNITS * 10 + series % _LEVELS * (UNITS // 10)
    price = level + rng.integers(-_NOISE_UNITS, _NOISE_UNITS + 1, size)
    return Chunk(offset, b"SYM", series, time_ms, price)


def _one(value: int) -> Ints:
    return np.array([value], dtype=np.int64)
