"""The schedule as the engine asks for it: trading hours of a broker around a time."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from typing import Final

from barengine.kernel import Hours
from barengine.model import DAY_NS, INT64_MAX, INT64_MIN
from barengine.schedule import Market, Schedule

_STRETCH_NS: Final = 128 * DAY_NS
"""So much of a market is handed over at once: a few hundred sessions."""


class TradingCalendar:
    """Hours by broker and time, the same objects for every partition.

    Args:
        schedule: the one in force, None for none; :meth:`replace` puts another in its place.
    """

    def __init__(self, schedule: Schedule | None = None) -> None:
        self._schedule = schedule or Schedule()
        self._known: dict[tuple[str, int], Hours] = {}

    def __call__(self, broker: str, time_ns: int) -> Hours | None:
        """As :data:`barengine.kernel.Calendar` says."""
        market = self._schedule.market_of(broker)
        if market is None:
            return None
        name = market.name, time_ns // _STRETCH_NS
        if name not in self._known:
            self._known[name] = _hours(market, name[1] * _STRETCH_NS)
        return self._known[name]

    def trading(self, broker: str, time_ns: int) -> tuple[int, int, bool]:
        """As :data:`barengine.kernel.Trading` says."""
        market = self._schedule.market_of(broker)
        if market is None:
            return INT64_MIN, INT64_MAX, True
        session = market.session_at(time_ns)
        if session is None:
            return _closed(market, time_ns)
        edges = [session.open_ns, *itertools.chain(*session.breaks), session.close_ns]
        place = bisect_right(edges, time_ns)
        return edges[place - 1], edges[place], place % 2 == 1

    def replace(self, schedule: Schedule) -> None:
        """Another schedule holds from now on; books must be told to ask again."""
        self._schedule = schedule
        self._known.clear()


def _closed(market: Market, time_ns: int) -> tuple[int, int, bool]:
    """The time between two sessions; no more than a day of it, which is soon asked for again."""
    later = market.next_session(time_ns)
    until = time_ns + DAY_NS if later is None else later.open_ns
    return time_ns, until, False


def _hours(market: Market, from_ns: int) -> Hours:
    found = market.arrays(from_ns, from_ns + _STRETCH_NS)
    return Hours(
        found.from_ns,
        found.to_ns,
        found.opens,
        found.closes,
        found.trading_days,
        found.break_starts,
        found.break_ends,
        found.halt_starts,
        found.halt_ends,
    )
