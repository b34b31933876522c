"""Which bucket of a rung holds a time, and where the next one to fill is: sessions or plain."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import NamedTuple

from barengine.kernel._book import Calendar, Hours, Rung
from barengine.model import DAY_NS, MAX_EVENT_NS


class Span(NamedTuple):
    """One bucket [start, end) of a rung, in ns."""

    start: int
    end: int
    date: int | None
    """Trading date, days since 1970-01-01: of days and of what sessions cut; else None."""


class Spans:
    """The buckets of every rung of one broker."""

    def __init__(self, rungs: tuple[Rung, ...], calendar: Calendar, broker: str) -> None:
        self._rungs = rungs
        self._calendar = calendar
        self._broker = broker
        self._hours: Hours | None = None
        self._asked = False

    def forget(self) -> None:
        """Ask the calendar again."""
        self._hours, self._asked = None, False

    def at(self, rung: int, time_ns: int) -> Span | None:
        """The bucket that holds a time; None outside sessions, where these cut it."""
        hours = self._hours_at(time_ns)
        if hours is None or rung == 0 or not self._rungs[rung].by_session:
            return self._plain(rung, time_ns)
        place = bisect_right(hours.closes, time_ns)
        if place == len(hours.closes) or hours.opens[place] > time_ns:
            return None
        return self._piece(rung, hours, place, time_ns)

    def fillable(self, rung: int, after_ns: int) -> Span | None:
        """The first bucket with some trading time that ends behind ``after_ns``; None: never."""
        time_ns = after_ns
        while time_ns <= MAX_EVENT_NS:
            hours = self._hours_at(time_ns)
            span = self.at(rung, time_ns)
            if hours is None:
                return span
            if span is not None:
                if _next_trading(hours, span.start) < span.end:
                    return span
                time_ns = span.end
            if time_ns < hours.to_ns:
                time_ns = _next_trading(hours, time_ns)
        return None

    def halted(self, span: Span) -> bool:
        """Whether all of it lies in one trading halt."""
        hours = self._hours_at(span.start)
        if hours is None:
            return False
        place = bisect_right(hours.halt_ends, span.start)
        return place < len(hours.halt_ends) and (
            hours.halt_starts[place] <= span.start and span.end <= hours.halt_ends[place]
        )

    def _hours_at(self, time_ns: int) -> Hours | None:
        hours = self._hours
        if not self._asked or (hours and not hours.from_ns <= time_ns < hours.to_ns):
            self._hours = hours = self._calendar(self._broker, time_ns)
            self._asked = True
        return hours

    def _plain(self, rung: int, time_ns: int) -> Span:
        period = self._rungs[rung].period
        start = period.floor(time_ns)
        date = start // DAY_NS if period.length_ns == DAY_NS else None
        return Span(start, start + period.length_ns, date)

    def _piece(self, rung: int, hours: Hours, place: int, time_ns: int) -> Span:
        """The part of a session that holds a time."""
        opens, closes = hours.opens[place], hours.closes[place]
        length = self._rungs[rung].period.length_ns
        if length == DAY_NS:
            return Span(opens, closes, hours.dates[place])
        start = opens + (time_ns - opens) // length * length
        return Span(start, min(start + length, closes), hours.dates[place])


def _next_trading(hours: Hours, time_ns: int) -> int:
    """The first trading time at or behind ``time_ns``; ``to_ns`` where the table knows none."""
    place = bisect_right(hours.closes, time_ns)
    while place < len(hours.closes):
        time_ns = max(time_ns, hours.opens[place])
        pause = bisect_right(hours.break_ends, time_ns)
        if not _inside(hours.break_starts, pause, time_ns):
            return time_ns
        time_ns = hours.break_ends[pause]
        place = bisect_right(hours.closes, time_ns)
    return hours.to_ns


def _inside(starts: array[int], place: int, time_ns: int) -> bool:
    return place < len(starts) and starts[place] <= time_ns
