"""A simulated input partition: records at offsets, cut into batches wherever a test likes."""

from __future__ import annotations

from dataclasses import dataclass, field

from barengine.kernel import RecordBatch
from barengine.model import NS_PER_MS
from tests.unit.kernel.build import batch, tick_value

KNOWN_ID = 1
LEARNED_ID = 2
"""A schema id that the registry comes to know only when a test says so."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What a record says; prices are multiples of 1/8, so that a double holds them exactly."""

    broker: str
    symbol: str
    time_ms: int
    price: float
    schema_id: int = KNOWN_ID
    rest: bytes = b""
    """Size and what it may touch, where the schema has them."""

    def value(self) -> bytes:
        price = tick_value(self.broker, self.symbol, self.time_ms, self.price, self.schema_id)
        return price + self.rest

    @property
    def time_ns(self) -> int:
        return self.time_ms * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the partition; ``tick`` is None where the value is not one."""

    key: bytes
    value: bytes | None
    time_ms: int
    tick: Tick | None


@dataclass(slots=True)
class Log:
    """Records by offset. Offsets may be missing, as after compaction or a control batch."""

    start: int = 0
    end: int = field(init=False)
    entries: dict[int, Entry] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.end = self.start

    def append(self, tick: Tick) -> int:
        """Append a tick; returns its offset."""
        return self._put(tick.value(), tick)

    def append_raw(self, value: bytes | None) -> int:
        """Append a record that cannot become a tick; returns its offset."""
        return self._put(value, None)

    def leave_gap(self, offsets: int) -> None:
        """Let ``offsets`` offsets hold nothing."""
        self.end += offsets

    def _put(self, value: bytes | None, tick: Tick | None) -> int:
        offset, self.end = self.end, self.end + 1
        self.entries[offset] = Entry(b"key-%d" % offset, value, 1_000 + offset, tick)
        return offset

    def batch(self, start: int, stop: int) -> RecordBatch | None:
        """The records in [start, stop) as one batch; None where there are none."""
        offsets = [offset for offset in range(start, stop) if offset in self.entries]
        if not offsets:
            return None
        entries = [self.entries[offset] for offset in offsets]
        return batch(
            [(entry.key, entry.value) for entry in entries],
            offsets[0],
            base_time_ms=entries[0].time_ms,
            offset_deltas=[offset - offsets[0] for offset in offsets],
            time_deltas=[entry.time_ms - entries[0].time_ms for entry in entries],
        )
