"""What Kafka keeps: committed transactions, the state topic, and who may write."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import fastavro

from barengine.codec.bar import bar_schema
from barengine.codec.records import iter_records
from barengine.engine.snapshot import Snapshot
from barengine.engine.state import StateImage, StateRecord
from barengine.kernel import BarBlock, Kind, Reject
from barengine.naming import split
from tests.encoded import encoded

_SCHEMA = fastavro.parse_schema(bar_schema(9))
_SMALL_BATCH = 500
"""Output batches of a few bars each, so that splitting them is part of every run."""

Series = tuple[str, str]


@dataclass(frozen=True, slots=True)
class BarRecord:
    """A bar as a reader of the bar topic gets it; ``row`` is decoded by fastavro."""

    key: bytes
    value: bytes
    timestamp_ms: int
    row: dict[str, Any]

    @property
    def series(self) -> Series:
        broker, symbol, _ = split(self.key.decode())
        return broker, symbol

    @property
    def bucket_ms(self) -> int:
        return int(split(self.key.decode())[2])


@dataclass(frozen=True, slots=True)
class Commit:
    """One committed transaction."""

    commit_offset: int
    low_water: int
    seq: int
    bars: list[BarRecord]
    """Final ones of the base window."""
    others: list[tuple[int, int, BarRecord]]
    """All others, by rung and kind."""
    late: list[Reject]
    dead: list[Reject]
    dropped: list[Reject]
    state: list[StateRecord]


def read_bars(block: BarBlock) -> Iterator[BarRecord]:
    """Encode a block and read the bars back, as a consumer would."""
    for one in encoded(block, _SMALL_BATCH):
        for record in iter_records(one.payload, one.count):
            assert record.key is not None
            assert record.value is not None
            stream = io.BytesIO(record.value)
            row: Any = fastavro.schemaless_reader(stream, _SCHEMA, None)
            assert not stream.read(), "bytes behind the bar"
            time_ms = one.base_time_ms + record.timestamp_delta
            yield BarRecord(record.key, record.value, time_ms, row)


def received(snapshot: Snapshot) -> Commit:
    """A snapshot as readers of the output topics get it."""
    return Commit(
        snapshot.commit_offset,
        snapshot.low_water,
        snapshot.seq,
        [
            bar
            for leaf in snapshot.leaves
            if (leaf.rung, leaf.kind) == (0, Kind.FINAL)
            for bar in read_bars(leaf.block)
        ],
        [
            (leaf.rung, leaf.kind, bar)
            for leaf in snapshot.leaves
            if (leaf.rung, leaf.kind) != (0, Kind.FINAL)
            for bar in read_bars(leaf.block)
        ],
        snapshot.late,
        snapshot.dead,
        snapshot.dropped,
        snapshot.all_state(),
    )


@dataclass(slots=True)
class Store:
    """Committed transactions only. Whoever fenced last may commit."""

    commits: list[Commit] = field(default_factory=list)
    epoch: int = 0
    _state: list[StateRecord] = field(default_factory=list)

    def fence(self) -> int:
        """Become the owner; commits of every older epoch fail from now on."""
        self.epoch += 1
        return self.epoch

    def commit(self, epoch: int, snapshot: Snapshot) -> bool:
        """Keep a transaction; False, and nothing is kept, for an owner that was fenced."""
        if epoch != self.epoch:
            return False
        self.commits.append(received(snapshot))
        self._state += snapshot.all_state()
        return True

    def compact(self) -> None:
        """Keep the newest record of each key, as the broker's log cleaner does in the end."""
        newest = {record.key: at for at, record in enumerate(self._state)}
        self._state = [
            record
            for at, record in enumerate(self._state)
            if newest[record.key] == at and record.value is not None
        ]

    @property
    def records(self) -> Sequence[StateRecord]:
        """The state topic as recovery reads it."""
        return self._state

    def image(self) -> StateImage:
        """What the state topic tells."""
        return StateImage.read(self._state)
