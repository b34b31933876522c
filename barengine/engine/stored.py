"""Open windows as state records, so that [L, C) never gets much longer than RESTORE_MAX.

All of them are stored at once, as of C: then L is C, and the next time comes RESTORE_MAX records
later. docs/recovery.md has the argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from barengine.engine.state import StateRecord, StoredBlock, windows_record
from barengine.errors import UnreadableStateError
from barengine.kernel import Kernel

BLOCK_BYTES: Final = 65_536
"""Of a state record: some 800 windows, so that 100 000 of them are no crowd of records."""


class StoredWindows:
    """The blocks that the state holds of one kernel's windows.

    Args:
        kernel: empty, its clocks loaded: closed windows are known by them.
        blocks: the stored ones by number.
        low_water: L as stored.
        restore_max: how long [L, C) may be, in records.

    Raises:
        UnreadableStateError: the blocks are not of one instant, or not what a kernel packed.
    """

    def __init__(
        self, kernel: Kernel, blocks: Mapping[int, StoredBlock], low_water: int, restore_max: int
    ) -> None:
        self._kernel = kernel
        self._restore_max = restore_max
        self._count = len(blocks)
        if blocks:
            self._load(blocks, low_water)

    def _load(self, blocks: Mapping[int, StoredBlock], low_water: int) -> None:
        numbers, as_of = sorted(blocks), {block.as_of for block in blocks.values()}
        if numbers != list(range(len(blocks))) or len(as_of) > 1 or max(as_of) > low_water:
            raise UnreadableStateError(
                f"the stored windows, blocks {numbers} as of {sorted(as_of)}, are not those that "
                f"L {low_water} was written with"
            )
        try:
            self._kernel.load_windows(max(as_of), [blocks[n].windows for n in numbers])
        except ValueError as error:
            raise UnreadableStateError(
                f"a state record 'windows|0' to 'windows|{numbers[-1]}' is damaged: {error}"
            ) from error

    def take_records(self, commit_offset: int, low_water: int) -> list[StateRecord]:
        """State records for a commit at C whose windows reach back to L.

        Where they reach too far, all windows are stored and L is C from here on.
        """
        if commit_offset - low_water > self._restore_max:
            return self._replace(self._store(commit_offset))
        if self._count and not self._kernel.stored_open:
            return self._replace([])
        return []

    def _store(self, as_of: int) -> list[StoredBlock]:
        blocks = self._kernel.store_windows(as_of, BLOCK_BYTES)
        return [StoredBlock(as_of, block.count, block.content) for block in blocks]

    def _replace(self, blocks: list[StoredBlock]) -> list[StateRecord]:
        """Write the blocks over those of last time; tombstones for the rest of them."""
        records = [windows_record(number, block) for number, block in enumerate(blocks)]
        left_over = range(len(blocks), self._count)
        self._count = len(blocks)
        return records + [windows_record(number, None) for number in left_over]
