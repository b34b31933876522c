"""All that one transaction carries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from barengine.codec.records import iter_records
from barengine.engine.state import StateRecord
from barengine.engine.stored import WindowRecords
from barengine.kernel import BookBlock, Leaf, Payloads, Reject, SeriesBlock

_ALL: Final = 2**31 - 1
"""Bytes of one payload: more than there ever are."""


@dataclass(slots=True)
class Snapshot:
    """Everything one transaction must carry, taken at one instant."""

    commit_offset: int
    low_water: int
    seq: int
    leaves: list[Leaf]
    """Bars, by the topic they go to."""
    late: list[Reject]
    dead: list[Reject]
    dropped: list[Reject]
    """Late ticks under LATE_POLICY=drop: they leave as counts alone."""
    corrected: list[Reject]
    """Late ticks that went into corrections: they leave as counts alone."""
    tombstones: list[StateRecord]
    """Of series, to be written before these: a forgotten one may have come back since."""
    series: Sequence[SeriesBlock]
    """Of one series the last state counts."""
    pages: BookBlock | None
    """None without a book."""
    windows: WindowRecords
    """Those that are stored in full, if any."""
    state: list[StateRecord]
    """The rest of the state, the partition's own record last."""

    @property
    def records(self) -> int:
        """About how many records it makes; a window that is stored counts as one, too."""
        rejects = len(self.late) + len(self.dead)
        bars = sum(len(leaf.block) for leaf in self.leaves)
        pages = len(self.pages) if self.pages is not None else 0
        state = sum(map(len, self.series)) + pages + len(self.windows) + len(self.tombstones)
        return bars + state + rejects

    def encode_state(self, to: Payloads, time_ms: int) -> None:
        """Append every state record, under the record timestamp ``time_ms``."""

        def add(records: Iterable[StateRecord]) -> None:
            for key, value in records:
                to.add(key, value, (), time_ms)

        add(self.tombstones)
        for block in self.series:
            block.encode(to, time_ms)
        if self.pages is not None:
            self.pages.encode(to, time_ms)
        add(self.windows.records())
        add(self.state)

    def all_state(self) -> list[StateRecord]:
        """The same as objects: for tests and tools."""
        payloads = Payloads(_ALL)
        self.encode_state(payloads, 0)
        return [
            StateRecord(record.key or b"", record.value)
            for one in payloads.encoded()
            for record in iter_records(one.payload, one.count)
        ]
