"""Offsets rejected for a reason that may not hold again: recovery must skip the same ones."""

from __future__ import annotations

from typing import Final

from barengine.engine.state import StateRecord, ranges_record

_BLOCK: Final = 65_536
"""Offsets per state record: bounds a record even if every second offset was rejected."""


class RejectedOffsets:
    """Half-open ranges of offsets, kept in blocks; offsets are added in growing order."""

    def __init__(self, stored: dict[int, list[tuple[int, int]]] | None = None) -> None:
        self._blocks = {block: list(ranges) for block, ranges in (stored or {}).items()}
        self._stored = set(self._blocks)
        self._dirty: set[int] = set()

    def add(self, offset: int) -> None:
        """Remember one more offset, larger than all before."""
        block = offset // _BLOCK
        ranges = self._blocks.setdefault(block, [])
        if ranges and ranges[-1][1] == offset:
            ranges[-1] = (ranges[-1][0], offset + 1)
        else:
            ranges.append((offset, offset + 1))
        self._dirty.add(block)

    def add_range(self, start: int, stop: int) -> None:
        """Remember [start, stop); all of it is larger than what was added before."""
        for block in range(start // _BLOCK, (stop - 1) // _BLOCK + 1):
            first, last = max(start, block * _BLOCK), min(stop, (block + 1) * _BLOCK)
            ranges = self._blocks.setdefault(block, [])
            if ranges and ranges[-1][1] == first:
                first = ranges.pop()[0]
            ranges.append((first, last))
            self._dirty.add(block)

    def within(self, start: int, stop: int) -> list[int]:
        """The rejected offsets in [start, stop), ascending."""
        return [
            offset
            for block in range(start // _BLOCK, (stop - 1) // _BLOCK + 1)
            for first, last in self._blocks.get(block, ())
            for offset in range(max(first, start), min(last, stop))
        ]

    def take_records(self, low_water: int) -> list[StateRecord]:
        """State records of the blocks that changed; blocks below L are forgotten."""
        for block in [block for block in self._blocks if (block + 1) * _BLOCK <= low_water]:
            del self._blocks[block]
            self._dirty.add(block)
        records = []
        for block in sorted(self._dirty):
            if block in self._blocks:
                self._stored.add(block)
            elif block not in self._stored:
                continue  # came and went between two commits
            else:
                self._stored.discard(block)
            records.append(ranges_record(block, self._blocks.get(block, [])))
        self._dirty.clear()
        return records
