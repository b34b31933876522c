"""The kernel of a partition and the book above it, turned as often as it takes.

Empty buckets cost no tick, but a bar each: one tick behind an hour of silence may be 3.6 million of
them. So that no transaction has many more than MOST_FILLS, the kernel closes a broker only as far
as the book's bars fit in; what is beyond waits for the next transaction. Meanwhile no tick is
taken (``held``), for each would be decided by a close that recovery does not find in the state.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from barengine.kernel import Book, BookBlock, Kernel, Kind, Leaf, Reject, SeriesBlock
from barengine.model import NEVER

MOST_FILLS: Final = 40_000
"""Flat bars of one transaction, about: 8 MB. The last span of each broker may go beyond."""


class Taken(NamedTuple):
    """All that left kernel and book, for one transaction."""

    leaves: list[Leaf]
    corrected: list[Reject]
    """Late ticks that went into corrections."""
    refused: list[Reject]
    """Late ticks that no bar was kept for any more."""
    series: SeriesBlock
    pages: BookBlock | None
    """None without a book."""


class Turns:
    """Closes what is due, and makes of it what leaves."""

    def __init__(self, kernel: Kernel, book: Book | None) -> None:
        self._kernel = kernel
        self._book = book
        self._leaves: list[Leaf] = []
        self._late: list[Reject] = []
        self._corrected: list[Reject] = []
        self._refused: list[Reject] = []

    @property
    def held(self) -> bool:
        """Whether a broker has to wait for a transaction before it can close further."""
        return bool(self._kernel.held())

    @property
    def bars(self) -> int:
        """How many wait to leave, but for those that need no base bar."""
        return self._kernel.pending + sum(len(leaf.block) for leaf in self._leaves)

    @property
    def due(self) -> bool:
        """Whether a transaction would carry bars."""
        kernel, book = self._kernel, self._book
        if kernel.pending or self._leaves or self.held:
            return True
        return book is not None and kernel.lifted and book.waits(kernel.brokers())

    def correct(self, late: Reject) -> None:
        """Let a late tick correct the bars that it missed."""
        self._late.append(late)

    def drain(self) -> None:
        """Close what is due, as far as one transaction can hold what becomes of it."""
        kernel, book = self._kernel, self._book
        while book is not None and (held := kernel.held()):
            self._turn(kernel.take_series())  # the book must know every series that has closed
            room = MOST_FILLS - sum(leaf.filled for leaf in self._leaves)
            if room <= 0:
                break
            for broker, through in held:
                share = max(1, room // len(held))
                kernel.allow(broker, book.due(broker, through, share, kernel.open_windows))
        kernel.drain()

    def take(self) -> Taken:
        """Everything; call drain first."""
        series = self._kernel.take_series()
        self._turn(series)
        taken = Taken(
            self._leaves,
            self._corrected,
            self._refused,
            series,
            self._book.take_pages() if self._book is not None else None,
        )
        self._leaves, self._corrected, self._refused = [], [], []
        for state in self._kernel.brokers() if self._book is not None else ():
            self._kernel.allow(state.broker, NEVER)
        return taken

    def _turn(self, series: SeriesBlock) -> None:
        self._kernel.drain()
        block = self._kernel.take_bars()
        if self._book is None:
            self._leaves += [Leaf(0, Kind.FINAL, block)] if len(block) else []
            return
        late, self._late = self._late, []
        page = self._book.turn(block, late, self._kernel.brokers(), series)
        self._leaves += page.leaves
        self._refused += page.refused
        refused = {one.offset for one in page.refused}
        self._corrected += [one for one in late if one.offset not in refused]
