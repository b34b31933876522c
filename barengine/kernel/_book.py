"""What a book is: from the final base bars of one partition to every other bar that leaves.

The kernel closes base bars; the book makes of them what people ask for beyond that: roll-ups,
flat bars for empty buckets, and corrections by late ticks. It works once a commit, on bars, never
once a tick. ``_pure_book.PureBook`` is the readable specification, ``_book_c.CompiledBook`` the
fast one; both give the same bytes.

Words: a *rung* is one period of the ladder 1s, 1m, 5m, 1h, 1d; rung 0 is the base window. A
*domain* is what closes together: all series of a broker, or under WATERMARK=series one series. A
*span* is one bucket of a rung: [start, end), with a trading date where a session cuts it.

Rules:

1. A domain goes from one bucket end to the next, in ascending order, up to its closed_through;
   where commits fall in between makes no difference to any bar.
2. At an end E, first the base bars that end there leave and are merged into the open bar of each
   higher rung; then, rung by rung, the bars that end there leave.
3. A bar of a higher rung is the merge of its base bars: nothing else knows its ticks. It is
   partial if one of them is, or if its bucket starts at or before the broker's begin, or before
   the book began with that rung (:class:`BookStart`).
4. On a continuous rung every series that has had a real bar gets a flat bar for each span without
   one, if some of that span is trading time and it ends at most continuous_max behind the end of
   the series' last real base bar. Its price is the close of that base bar, whatever the rung: a
   roll-up's own close may be an older one (ticks outside its hours, ORDER=offset, ticks that may
   not touch the price). Its cause is ``halted`` where the whole span
   lies in a trading halt; else ``feed_down`` where the broker's newest event time, or sign of life
   (:data:`Feed`) before its end, is more than feed_timeout before that, or where since the newest
   event time the feed is said to be down; else ``quiet``.
5. A late tick is taken when its domain has gone up to ``Reject.closed_ns``, the close that made it
   late. Its base bucket must end behind closed_ns - horizon, and behind the time up to which bars
   were not kept, else it is refused; where its base bar would reach MAX_SUM, as a dead letter
   SIZE_RANGE. It is
   merged into the bar of its bucket on every rung: an open one just takes it; a closed one leaves
   again, revision + 1; where there was none, or a flat one, a bar of revision 1 (or the flat
   one's + 1) leaves, unless the bucket began before the book did with that rung.
6. If that gave a base bucket a new close, the flat bars behind it, up to the next real base bar or
   to what is closed, leave again with it on every rung, revision + 1; where rule 4 would now have
   made one that was not made, with revision 1.
7. No key leaves twice but as a correction, though hours may change. What sessions cut never begins
   before the newest end of a bar of that series and rung that has left (its *cut*): what is left
   of such a span begins there, and is partial. Where the newest bar is kept, is real, and is in a
   span that now goes on beyond what is closed, it is opened again, and leaves again at the new
   end, revision + 1, with the base bars that were closed meanwhile, as far as they are kept; else
   it is partial. A late tick goes into the bar that holds its time, not into the one that would
   hold it now; where a bar or a cut says that its bucket did not leave as it is cut now, into none.

A flat bar of revision 0 is remembered nowhere: rule 4 tells where it was. What a series must
remember is in :class:`SeriesPage`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple, Protocol

from barengine.kernel._protocol import (
    BarBlock,
    BlockForm,
    BrokerState,
    Payloads,
    Reject,
    SeriesBlock,
    SeriesState,
)
from barengine.model import DAY_NS, HOUR_NS, NEVER, NS_PER_S, Bar, Order, Period


@dataclass(frozen=True, slots=True)
class Hours:
    """Trading hours of one market as flat arrays, complete for [from_ns, to_ns). Times in ns.

    The range begins and ends at midnight UTC, so that no plain bucket reaches over its edges.
    Sessions [opens, closes) ascend and do not overlap; one that reaches over an edge of the range
    is listed whole. Breaks lie inside sessions, halts anywhere; both ascend and do not overlap.
    """

    from_ns: int
    to_ns: int
    opens: array[int]
    closes: array[int]
    dates: array[int]
    """Trading date of each session, days since 1970-01-01."""
    break_starts: array[int] = field(default_factory=lambda: array("q"))
    break_ends: array[int] = field(default_factory=lambda: array("q"))
    halt_starts: array[int] = field(default_factory=lambda: array("q"))
    halt_ends: array[int] = field(default_factory=lambda: array("q"))


AHEAD: Final = 16
"""Base buckets that :meth:`Book.due` may go beyond what it must, where there is room, so that it
need not be asked at every bucket's end."""

Calendar = Callable[[str, int], Hours | None]
"""Hours of a broker's market around a time (ns); None where it trades around the clock. What it
gives for one broker must not change but by :meth:`Book.reschedule`."""


Feed = Callable[[str, int], tuple[int, int]]
"""What else than ticks says of a broker's feed before a time (ns): its newest sign of life, and
since when it is said to be down and nothing has said since that it is up; NEVER for none. It may
say more the next time it is asked."""


def around_the_clock(broker: str, time_ns: int) -> Hours | None:
    """The calendar of brokers without a market."""
    return None


@dataclass(frozen=True, slots=True)
class Rung:
    """One period and what is asked of it.

    Of a broker with a market, rungs of an hour and more are cut by its sessions: hours count from
    the open, the last one ends at the close, a day is a session.
    """

    period: Period
    continuous: bool = False

    @property
    def by_session(self) -> bool:
        """Whether sessions cut its buckets, where the broker has a market. Never those of rung 0,
        which the kernel cuts."""
        return self.period.length_ns >= HOUR_NS


class Kind(IntEnum):
    """Where bars of a rung go."""

    FINAL = 0
    CORRECTION = 1


@dataclass(frozen=True, slots=True)
class BookConfig:
    """Everything a book must know beforehand. Durations in ns."""

    rungs: tuple[Rung, ...]
    """Ascending, each a multiple of the first one."""
    by_series: bool = False
    """WATERMARK=series: every series is a domain of its own."""
    order: Order = Order.EVENT_TIME
    horizon_ns: int | None = None
    """How far back late ticks correct bars; None: they do not."""
    continuous_max_ns: int = 7 * DAY_NS
    feed_timeout_ns: int = 30 * NS_PER_S
    feed: Feed | None = None
    """What else than ticks is a sign of life of a feed; None: nothing. Not asked under by_series,
    where no bar says feed_down."""
    sized: bool = False
    """Ticks have sizes: a flat bar's volume is 0, not unknown."""
    forms: Mapping[tuple[int, Kind], BlockForm] = field(default_factory=dict)
    """How the bars of each leaf, named by rung and kind, are written."""

    @property
    def late_bars(self) -> int:
        """How many bars one late tick makes leave at most: of each rung its own, and the flat ones
        behind it; 0 without corrections."""
        if self.horizon_ns is None:
            return 0
        far = min(self.horizon_ns, self.continuous_max_ns)
        return sum(1 + rung.continuous * (far // rung.period.length_ns) for rung in self.rungs)


class BookStart(NamedTuple):
    """Since when the book has seen all of a broker; stored, because settings may change."""

    broker: str
    horizon_ns: int
    """How far back it keeps bars; -1: it keeps none."""
    since_ns: int
    """Bars of buckets that end by then were not kept: late ticks cannot correct them. NEVER where
    the book was there from the broker's first bar on."""
    begins: dict[str, int]
    """By period: bars that start before it lack earlier base bars, and are partial."""


class Leaf(NamedTuple):
    """Bars of one rung on their way to one topic, in order of leaving."""

    rung: int
    kind: Kind
    block: BarBlock
    filled: int = 0
    """How many of them are flat."""


class Page(NamedTuple):
    """All that one turn gives, for one transaction."""

    leaves: list[Leaf]
    """Without empty ones. The base bars that came in are in the leaf (0, FINAL)."""
    refused: list[Reject]
    """In offset order: late ticks beyond the horizon, and such that no base bar can hold as dead
    letters."""


@dataclass(slots=True)
class SeriesPage:
    """What a book remembers of one series."""

    broker: str
    symbol: str
    real_end_ns: int = NEVER
    """End of its last real base bar; NEVER without one."""
    close: int = 0
    """Close of that bar."""
    event_ns: int = NEVER
    """Newest event time in a closed base bar of it."""
    open: dict[int, Bar] = field(default_factory=dict)
    """Its open bar on each higher rung that has one."""
    kept: dict[int, dict[int, Bar]] = field(default_factory=dict)
    """By rung and bucket start, with corrections only: real bars, and flat ones with revision > 0,
    that end behind the newest closed_through - horizon. Each is a state record of its own, lest
    every bar writes all others of its series again."""
    cuts: dict[int, int] = field(default_factory=dict)
    """By rung, of those that sessions cut: the newest end of a bar that has left."""


class BookBlock(Protocol):
    """Pages of series and kept bars on their way to the state topic; of one key the last counts."""

    def __len__(self) -> int: ...

    def encode(self, to: Payloads, time_ms: int) -> None:
        """Append state records and tombstones; :mod:`barengine.codec.page` has the format."""
        ...


class Book(Protocol):
    """The bars of one partition above its kernel. Not thread-safe; one owner."""

    def __init__(self, config: BookConfig, calendar: Calendar) -> None: ...

    @property
    def late_bars(self) -> int:
        """:attr:`BookConfig.late_bars`."""
        ...

    def load(
        self,
        brokers: Sequence[BrokerState],
        series: Sequence[SeriesState],
        starts: Sequence[BookStart],
    ) -> None:
        """Put back the closed_through of the domains and since when the book has seen them
        (recovery, before the first turn)."""
        ...

    def load_pages(self, pages: Iterable[tuple[bytes, bytes]]) -> None:
        """Put back key and value of state records of pages and kept bars, the newest of each key
        (recovery, after load; in any number of calls).

        Raises:
            ValueError: a page is damaged.
        """
        ...

    def turn(
        self,
        block: BarBlock,
        late: Sequence[Reject],
        brokers: Sequence[BrokerState],
        series: SeriesBlock,
    ) -> Page:
        """Take everything that happened since the last turn.

        ``block`` is what the same twin's kernel gave by take_bars just now, ``late`` the late
        ticks since then in offset order (none without corrections), ``brokers`` what brokers()
        gives and ``series`` what take_series gave.
        """
        ...

    def waits(self, brokers: Sequence[BrokerState]) -> bool:
        """Whether a turn would give bars even without a base bar or late tick: roll-ups whose end
        has come, empty buckets to fill. ``brokers`` as in :meth:`turn`. Always True under
        WATERMARK=series: ask where a closed_through was lifted."""
        ...

    def due(self, broker: str, through_ns: int, limit: int, more: int) -> int:
        """How far the broker may be closed from where it is, so that at most some ``limit`` flat
        bars leave, one span at least: to the end of a span before ``through_ns``, or a little
        further than that. ``more`` series may come that are not known yet. WATERMARK=broker only.
        """
        ...

    def take_starts(self) -> list[BookStart]:
        """Those that are new or changed since the last call."""
        ...

    def take_pages(self) -> BookBlock:
        """Kept bars that changed since the last call, in the order in which they did; behind them
        pages that did, in order of first appearance."""
        ...

    def evict(self, ttl_ns: int) -> list[bytes]:
        """Forget series without an open bar whose newest tick in a bar is more than ``ttl_ns`` of
        event time behind what is closed; returns the keys of their state records. Kept are those
        with something for take_pages."""
        ...

    def reschedule(self) -> None:
        """The calendar may have changed: ask it again (and once after the last load_pages).

        An open bar keeps its start, so that it holds all the ticks between start and end and no
        other; it ends when the span ends that now holds the newest closed time. Where there is
        none it ends when it would have, or where the next span begins, if that is earlier. What
        has closed stays as it left, but for bars that are opened again (rule 7).
        """
        ...
