"""The kernel of a partition and the book above it, turned as often as it takes.

Empty buckets cost no tick, but a bar each: one tick behind an hour of silence may be 3.6 million of
them. So that no transaction has many more than MOST_FILLS, the kernel closes a broker only as far
as the book's bars fit in; what is beyond waits for the next transaction. Meanwhile no tick is
taken (``held``), for each would be decided by a close that recovery does not find in the state.

A late tick may make as many: with it the flat bars behind it leave again. So the kernel takes only
so many late ticks at once (``late_room``), their corrections are made, and as soon as they are
too many for one transaction no tick is taken before the next one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from barengine.kernel import (
    Book,
    BookBlock,
    Kernel,
    Kind,
    Leaf,
    Reject,
    SeriesBlock,
)
from barengine.model import INT64_MAX, NEVER

MOST_FILLS: Final = 40_000
"""Flat bars of one transaction, about: 8 MB. The last span of each broker may go beyond. A
correction counts as two: a kept bar of its size is written with it."""


class Taken(NamedTuple):
    """All that left kernel and book, for one transaction."""

    leaves: list[Leaf]
    corrected: list[Reject]
    """Late ticks that went into corrections."""
    refused: list[Reject]
    """Late ticks that no bar was kept for any more."""
    dead: list[Reject]
    """Late ticks that no bar could hold."""
    series: list[SeriesBlock]
    """As they were taken; of one series the last state counts."""
    pages: BookBlock | None
    """None without a book."""


class Turns:
    """Closes what is due, and makes of it what leaves."""

    def __init__(self, kernel: Kernel, book: Book | None) -> None:
        self._kernel = kernel
        self._book = book
        self._leaves: list[Leaf] = []
        self._late: list[Reject] = []
        self._series: list[SeriesBlock] = []
        self._corrected: list[Reject] = []
        self._refused: list[Reject] = []

    @property
    def held(self) -> bool:
        """Whether a broker has to wait for a transaction before it can close further, or there are
        as many corrections as one can carry."""
        if self._book is None:  # asked behind every batch
            return False
        if self._kernel.held():
            return True
        corrected = self._leaves and any(leaf.kind is Kind.CORRECTION for leaf in self._leaves)
        return bool(corrected) and self._room <= 0

    @property
    def bars(self) -> int:
        """How many wait to leave, but for those that need no base bar; corrections count twice."""
        if not self._leaves:  # asked behind every batch
            return self._kernel.pending
        leaves = sum(len(leaf.block) * (1 + leaf.kind) for leaf in self._leaves)
        return self._kernel.pending + leaves

    @property
    def late_room(self) -> int:
        """How many late ticks may come until corrections have to be made of them."""
        if self._book is None or not self._book.late_bars:
            return INT64_MAX
        return max(1, MOST_FILLS // (2 * self._book.late_bars)) - len(self._late)

    @property
    def _room(self) -> int:
        """For how many more flat bars the transaction has room."""
        return MOST_FILLS - sum(
            2 * len(leaf.block) if leaf.kind is Kind.CORRECTION else leaf.filled
            for leaf in self._leaves
        )

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
            self._turn()  # the book must know every series that has closed
            room = self._room
            if room <= 0:
                break
            for broker, through in held:
                share = max(1, room // len(held))
                kernel.allow(broker, book.due(broker, through, share, kernel.open_windows))
        kernel.drain()
        if self._late and self.late_room <= 0:
            self._turn()

    def take(self) -> Taken:
        """Everything; call drain first."""
        self._turn()
        taken = Taken(
            self._leaves,
            self._corrected,
            [one for one in self._refused if one.reason.late],
            [one for one in self._refused if not one.reason.late],
            self._series,
            self._book.take_pages() if self._book is not None else None,
        )
        self._leaves, self._corrected, self._refused, self._series = [], [], [], []
        for state in self._kernel.brokers() if self._book is not None else ():
            self._kernel.allow(state.broker, NEVER)
        return taken

    def _turn(self) -> None:
        self._kernel.drain()
        series = self._kernel.take_series()
        if len(series):
            self._series.append(series)
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
