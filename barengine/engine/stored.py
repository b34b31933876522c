"""Open windows as state records, so that [L, C) never gets much longer than RESTORE_MAX.

All of them are stored at once, as of C: then L is C, and the next time comes RESTORE_MAX records
later. docs/recovery.md has the argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from barengine.engine.state import StateRecord, StoredBlock, windows_record
from barengine.errors import UnreadableStateError
from barengine.kernel import Kernel, OpenWindows

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

    def take(self, commit_offset: int, low_water: int, may_store: bool) -> WindowRecords:
        """What a commit at C whose windows reach back to L must write of them.

        Where they reach too far, and they may be, all windows are stored and L is C from here on.
        The records have to be made before the next commit takes its own.
        """
        if may_store and commit_offset - low_water > self._restore_max:
            windows = self._kernel.store_windows(commit_offset)
            return WindowRecords(self, self._count, windows, commit_offset)
        if self._count and not self._kernel.stored_open:
            return WindowRecords(self, self._count)
        return WindowRecords(self, 0)

    def wrote(self, blocks: int) -> None:
        """So many blocks are in the state now."""
        self._count = blocks


class WindowRecords:
    """State records of one commit, not made yet: hundreds of thousands of windows take their time.

    Args:
        before: blocks that the state holds, which are written over.
        windows: to be stored; None: none.
        as_of: C of that commit.
    """

    def __init__(
        self,
        owner: StoredWindows,
        before: int,
        windows: OpenWindows | None = None,
        as_of: int = 0,
    ) -> None:
        self._owner = owner
        self._before = before
        self._windows = windows
        self._as_of = as_of

    def __len__(self) -> int:
        """How many windows are stored."""
        return 0 if self._windows is None else len(self._windows)

    def records(self) -> list[StateRecord]:
        """Make them, in any thread: the new blocks, and tombstones for the rest of the old ones."""
        if self._windows is None and not self._before:
            return []
        found = [] if self._windows is None else self._windows.pack(BLOCK_BYTES)
        blocks = [StoredBlock(self._as_of, one.count, one.content) for one in found]
        self._owner.wrote(len(blocks))
        return self._records(blocks)

    def _records(self, blocks: Sequence[StoredBlock]) -> list[StateRecord]:
        records = [windows_record(number, block) for number, block in enumerate(blocks)]
        left_over = range(len(blocks), self._before)
        return records + [windows_record(number, None) for number in left_over]
