"""A market that closes every few seconds, for histories that last a minute."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from barengine.kernel import Hours
from barengine.model import DAY_NS, NS_PER_S

STRETCH_NS = 3 * NS_PER_S


@dataclass(slots=True)
class Market:
    """Of so many stretches one is closed, the first. Sessions in turn have a break and a halt.

    Every day is a table of its own, so that some histories go over the edge of one.
    """

    closed_every: int
    _tables: dict[int, Hours] = field(default_factory=dict)

    def __call__(self, broker: str, time_ns: int) -> Hours:
        """As a calendar."""
        day = time_ns // DAY_NS
        if day not in self._tables:
            self._tables[day] = self._table(day)
        return self._tables[day]

    def _table(self, day: int) -> Hours:
        length = STRETCH_NS * self.closed_every
        numbers = range(day * DAY_NS // length, (day + 1) * DAY_NS // length + 1)
        opens = [number * length + STRETCH_NS for number in numbers]
        pauses = [at + NS_PER_S for at in opens[::2]]
        halts = [at + NS_PER_S for at in opens[1::2]]
        return Hours(
            day * DAY_NS,
            (day + 1) * DAY_NS,
            array("q", opens),
            array("q", [(number + 1) * length for number in numbers]),
            array("q", [number % 30_000 for number in numbers]),
            array("q", pauses),
            array("q", [at + NS_PER_S for at in pauses]),
            array("q", halts),
            array("q", [at + 2 * NS_PER_S for at in halts]),
        )


MARKETS = {every: Market(every) for every in (2, 3, 5)}


@dataclass(slots=True)
class Trading:
    """The calendar of a book, which may become another one."""

    market: int
    """Which of MARKETS; 0: there is none."""

    def __call__(self, broker: str, time_ns: int) -> Hours | None:
        return MARKETS[self.market](broker, time_ns) if self.market else None
