"""A market: its sessions at any time, expanded a year at a time and kept."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Final

from barengine.model import NS_PER_S
from barengine.schedule.local_time import EPOCH, utc_datetime
from barengine.schedule.rules import Calendar
from barengine.schedule.session import Session, SessionArrays

_MARGIN: Final = timedelta(days=9)
"""A session opens up to six days before its trading date or one after, local time, and ends at
most two days after it: nine days around a time hold every session that may touch it."""

_YEARS: Final = (1678, 2261)
"""The years that are wholly within int64 ns; event times reach from 1823 to 2116."""


class _Year:
    """The sessions that open in one year, UTC."""

    __slots__ = ("opens", "sessions")

    def __init__(self, sessions: list[Session]) -> None:
        self.sessions = sessions
        self.opens = array("q", (session.open_ns for session in sessions))


class Market:
    """Sessions and halts of one market. Equal to another of the same name and calendar.

    All times are ns since the epoch. There is no end: what is asked for is expanded and kept.

    Attributes:
        name: as the schedule names it.
        calendar: the rules behind it.
    """

    def __init__(self, name: str, calendar: Calendar) -> None:
        self.name: Final = name
        self.calendar: Final = calendar
        self._years: dict[int, _Year] = {}
        self._halt_starts = [start for start, _ in calendar.halts]

    @property
    def zone(self) -> str:
        """IANA name of the time zone."""
        return self.calendar.zone

    @property
    def fingerprint(self) -> str:
        """Equal for two markets that trade at the same times by the same rules."""
        return self.calendar.fingerprint

    def session_at(self, time_ns: int) -> Session | None:
        """The session whose [open, close) holds the time, breaks included."""
        session = self._opened(time_ns)
        return session if session is not None and time_ns < session.close_ns else None

    def next_session(self, time_ns: int) -> Session | None:
        """The first session that closes after the time: the one it is in, or the next to come.

        None where none comes any more.
        """
        found = self.session_at(time_ns)
        return found if found is not None else next(self._opening_after(time_ns), None)

    def sessions(self, from_ns: int, to_ns: int) -> list[Session]:
        """The sessions that have a part of [from_ns, to_ns), uncut and ascending."""
        if from_ns >= to_ns:
            return []
        first = self.session_at(from_ns)
        found = [] if first is None else [first]
        for session in self._opening_after(from_ns, to_ns):
            if session.open_ns >= to_ns:
                break
            found.append(session)
        return found

    def session_on(self, trading_date: date) -> Session | None:
        """The session of a trading date; None: it has none."""
        return next(iter(self.calendar.expand(self.name, trading_date, trading_date)), None)

    def trading_at(self, time_ns: int) -> bool:
        """Whether the time is in a session and in none of its breaks. Halts do not count."""
        session = self.session_at(time_ns)
        return session is not None and session.trades_at(time_ns)

    def halted(self, start_ns: int, end_ns: int) -> bool:
        """Whether trading was halted in any part of [start_ns, end_ns)."""
        i = bisect_right(self._halt_starts, end_ns - 1) - 1
        return start_ns < end_ns and i >= 0 and self.calendar.halts[i][1] > start_ns

    def arrays(self, from_ns: int, to_ns: int) -> SessionArrays:
        """Sessions, breaks and halts that have a part of [from_ns, to_ns), as flat arrays."""
        found = self.sessions(from_ns, to_ns)
        breaks = list(chain.from_iterable(session.breaks for session in found))
        halts = [(a, b) for a, b in self.calendar.halts if a < to_ns and b > from_ns]
        return SessionArrays(
            from_ns,
            to_ns,
            array("q", (session.open_ns for session in found)),
            array("q", (session.close_ns for session in found)),
            array("q", (session.trading_day for session in found)),
            array("q", (start for start, _ in breaks)),
            array("q", (end for _, end in breaks)),
            array("q", (start for start, _ in halts)),
            array("q", (end for _, end in halts)),
        )

    def _opened(self, time_ns: int) -> Session | None:
        """The last session that opened at the time or before, if it may still be open."""
        number = _year_of(time_ns)
        year = self._year(number)
        i = bisect_right(year.opens, time_ns) - 1
        if i >= 0:
            return year.sessions[i]
        before = self._year(number - 1).sessions
        return before[-1] if before else None

    def _opening_after(self, time_ns: int, to_ns: int | None = None) -> Iterator[Session]:
        number = _year_of(time_ns)
        last = min(_YEARS[1], self.calendar.horizon.year + 1)
        if to_ns is not None:
            last = min(last, _year_of(to_ns))
        year = self._year(number)
        yield from year.sessions[bisect_right(year.opens, time_ns) :]
        for later in range(number + 1, last + 1):
            yield from self._year(later).sessions

    def _year(self, number: int) -> _Year:
        year = self._years.get(number)
        if year is None:
            year = self._years[number] = _Year(list(self._expand(number)))
        return year

    def _expand(self, number: int) -> Iterator[Session]:
        if not _YEARS[0] <= number <= _YEARS[1]:
            return
        begin_ns, end_ns = _begin_ns(number), _begin_ns(number + 1)
        first, last = date(number, 1, 1) - _MARGIN, date(number, 12, 31) + _MARGIN
        for session in self.calendar.expand(self.name, first, last):
            if begin_ns <= session.open_ns < end_ns:
                yield session

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Market):
            return NotImplemented
        return (self.name, self.calendar) == (other.name, other.calendar)

    def __hash__(self) -> int:
        return hash((self.name, self.fingerprint))

    def __repr__(self) -> str:
        return f"Market({self.name}, {self.zone}, {self.fingerprint[:12]})"


def _year_of(time_ns: int) -> int:
    return utc_datetime(time_ns).year


def _begin_ns(year: int) -> int:
    since = datetime(year, 1, 1, tzinfo=UTC) - EPOCH
    return (since.days * 86_400 + since.seconds) * NS_PER_S
