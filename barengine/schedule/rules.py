"""The hours of a market by its rules: weekly hours from a date on, and the days that differ."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Protocol

from barengine.schedule.local_time import local_ns, zone_of
from barengine.schedule.session import Session

Interval = tuple[int, int]
ALWAYS = date.min
"""``first`` of a rule that has no beginning."""

ONE_DAY = timedelta(days=1)
CLOSED = (None,) * 7
"""The week of a market that does not trade."""


class Calendar(Protocol):
    """What a market must know of its days. Trading dates are local calendar dates."""

    @property
    def zone(self) -> str:
        """IANA name of the time zone."""

    @property
    def halts(self) -> tuple[Interval, ...]:
        """[start_ns, end_ns) each, ascending and disjoint."""

    @property
    def horizon(self) -> date:
        """There is no trading date after it, as far as is known."""

    @property
    def fingerprint(self) -> str:
        """Equal for two that have the same sessions and halts for the same reason."""

    def expand(self, market: str, first: date, last: date) -> Iterator[Session]:
        """Yield the sessions of the trading dates from ``first`` to ``last``, both included."""

    def note(self, day: date) -> str:
        """What is special about a date: its holiday, a short day; empty where nothing is."""


@dataclass(frozen=True, slots=True)
class Hours:
    """One day's hours in local seconds from the midnight at which its trading date begins."""

    open_s: int
    close_s: int
    breaks: tuple[Interval, ...] = ()

    def within(self, open_s: int, close_s: int) -> Hours:
        """The same breaks, as far as they are inside other hours."""
        cut = ((max(start, open_s), min(end, close_s)) for start, end in self.breaks)
        inside = (each for each in cut if open_s < each[0] < each[1] < close_s)
        return Hours(open_s, close_s, tuple(inside))


@dataclass(frozen=True, slots=True)
class Rule:
    """Weekly hours, Monday first, of the trading dates from ``first`` on."""

    first: date
    week: tuple[Hours | None, ...]


class Kind(StrEnum):
    """Why a day is not as its weekday."""

    HOLIDAY = "holiday"
    SHORT_DAY = "short day"
    EXTRA_SESSION = "extra session"


@dataclass(frozen=True, slots=True)
class Special:
    """One date that is not as its weekday; ``hours`` is None on a holiday."""

    kind: Kind
    hours: Hours | None = None
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}" if self.name else str(self.kind)


@dataclass(frozen=True)
class RuleCalendar:
    """A calendar written as rules. ``rules`` ascend by date, ``halts`` by time."""

    zone: str
    rules: tuple[Rule, ...]
    specials: Mapping[date, Special] = field(default_factory=dict)
    halts: tuple[Interval, ...] = ()

    def weekly(self, day: date) -> Hours | None:
        """The hours that the rule of that date gives its weekday."""
        return self.week_of(day)[day.weekday()]

    def week_of(self, day: date) -> tuple[Hours | None, ...]:
        """The weekly hours of the rule in force, Monday first."""
        i = bisect_right(self.rules, day, key=lambda rule: rule.first) - 1
        return self.rules[i].week if i >= 0 else CLOSED

    def hours(self, day: date) -> Hours | None:
        """The hours of a trading date; None: it has no session."""
        special = self.specials.get(day)
        return self.weekly(day) if special is None else special.hours

    def session(self, market: str, day: date) -> Session | None:
        """The session of a trading date, if it has one."""
        hours = self.hours(day)
        if hours is None:
            return None
        zone = zone_of(self.zone)
        open_ns, close_ns = local_ns(zone, day, hours.open_s), local_ns(zone, day, hours.close_s)
        if open_ns == close_ns:  # all of it is in the hour that a change of clocks leaves out
            return None
        pairs = ((local_ns(zone, day, a), local_ns(zone, day, b)) for a, b in hours.breaks)
        breaks = tuple((start, end) for start, end in pairs if start < end)
        return Session(market, day, open_ns, close_ns, breaks)

    def expand(self, market: str, first: date, last: date) -> Iterator[Session]:
        """Yield the sessions of the trading dates from ``first`` to ``last``, both included."""
        for day in days(first, last):
            session = self.session(market, day)
            if session is not None:
                yield session

    def note(self, day: date) -> str:
        """The kind and name of a special date, such as ``holiday: Christmas Day``."""
        special = self.specials.get(day)
        on_a_closed_day = special is not None and special.hours is None and not self.weekly(day)
        return "" if special is None or on_a_closed_day else str(special)

    @property
    def horizon(self) -> date:
        """The last special date where the last rule has no hours, else the end of time."""
        last = self.rules[-1]
        if any(last.week):
            return date.max
        return max([last.first, *self.specials])

    @property
    def fingerprint(self) -> str:
        """A hash of all that moves a session or a halt: names of days are not in it."""
        specials = sorted((day, one.hours) for day, one in self.specials.items())
        return sha256(repr((self.zone, self.rules, specials, self.halts)).encode()).hexdigest()


def days(first: date, last: date) -> Iterator[date]:
    """Yield the calendar days from ``first`` to ``last``, both included."""
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        yield date.fromordinal(ordinal)
