"""Markets from the library exchange_calendars: some hundred exchanges, with decades of holidays.

It is an optional extra; nothing of it is imported before an exchange is asked for.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from barengine.errors import ConfigurationError
from barengine.model import INT64_MIN
from barengine.schedule.market import Market
from barengine.schedule.rules import Interval
from barengine.schedule.schedule import Schedule
from barengine.schedule.session import Session

_EXTRA: Final = "barengine[exchanges]"
_LIBRARY: Final = "exchange_calendars"

_FIRST: Final = date(1950, 1, 1)
_LAST: Final = date(2120, 12, 31)
"""Event times end in 2116. Ticks from before 1950 are no market data, and each century costs a
tenth of a second and 3 MB an exchange."""


def exchange_schedule(default: str | None, brokers: Mapping[str, str]) -> Schedule:
    """A schedule of exchanges, each a market by its code.

    Args:
        default: the exchange of every broker that is not named; None: those have no sessions.
        brokers: broker -> code of its exchange, such as ``XNYS``.

    Raises:
        ConfigurationError: the library is not installed, or has no such exchange.
    """
    codes = sorted({*brokers.values(), *([] if default is None else [default])})
    return Schedule({code: exchange_market(code) for code in codes}, brokers, default)


def exchange_market(code: str) -> Market:
    """The market of an exchange, by ISO 10383 code or another name that the library knows.

    Raises:
        ConfigurationError: the library is not installed, has no such exchange, or cannot make it.
    """
    library = _library(code)
    names = library.get_calendar_names()
    if code not in names:
        close = get_close_matches(code.upper(), names, n=1)
        way_out = f"did you mean {close[0]}?" if close else "write a code such as XNYS"
        raise ConfigurationError(f"exchange {code!r} is not in {_LIBRARY}; {way_out}")
    return Market(code, _calendar(library.resolve_alias(code)))


class ExchangeCalendar:
    """One exchange. Outside what the library knows of it there are no sessions.

    Args:
        name: of the exchange, no alias.
        version: of the library.
        known: the library's calendar of it.
    """

    halts: Final[tuple[Interval, ...]] = ()
    """The library does not know them."""

    def __init__(self, name: str, version: str, known: Any) -> None:
        self.zone: Final[str] = known.tz.key
        self.fingerprint: Final = f"exchange:{name}@{version}"
        self.horizon: Final[date] = known.last_session.date()
        self._days: list[date] = [day.date() for day in known.sessions]
        self._rows = {day: i for i, day in enumerate(self._days)}
        columns = (known.opens, known.closes, known.break_starts, known.break_ends)
        # missing breaks come out as the smallest int64
        self._times = [column.to_numpy("datetime64[ns]").view("int64") for column in columns]
        self._notes = {day.date(): "short day" for day in known.early_closes}
        self._notes |= {day.date(): "late open" for day in known.late_opens}
        self._weekdays = {day for day in range(7) if known.weekmask[day] == "1"}

    def expand(self, market: str, first: date, last: date) -> Iterator[Session]:
        """Yield the sessions of the trading dates from ``first`` to ``last``, both included."""
        for i in range(bisect_left(self._days, first), bisect_right(self._days, last)):
            open_ns, close_ns, start_ns, end_ns = (int(column[i]) for column in self._times)
            breaks = ((start_ns, end_ns),) if start_ns > INT64_MIN else ()
            yield Session(market, self._days[i], open_ns, close_ns, breaks)

    def note(self, day: date) -> str:
        """``short day``, ``late open``, or ``holiday`` for a weekday without a session."""
        known = self._days[0] <= day <= self._days[-1]
        if known and day not in self._rows and day.weekday() in self._weekdays:
            return "holiday"
        return self._notes.get(day, "")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExchangeCalendar) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)


@lru_cache(maxsize=128)
def _calendar(name: str) -> ExchangeCalendar:
    library = _library(name)
    try:
        kind = type(library.get_calendar(name))
        low, high = kind.bound_min(), kind.bound_max()
        first = _FIRST if low is None else max(_FIRST, low.date())
        last = _LAST if high is None else min(_LAST, high.date())
        known = library.get_calendar(name, start=first.isoformat(), end=last.isoformat())
    except Exception as error:  # the library's own errors, and those of what it is built on
        raise ConfigurationError(
            f"exchange {name!r}: {_LIBRARY} {library.__version__} cannot make it ({error!r}); "
            f"install the versions that {_EXTRA} asks for, or write its hours as YAML"
        ) from error
    return ExchangeCalendar(name, library.__version__, known)


def _library(code: str) -> Any:
    try:
        return import_module(_LIBRARY)
    except ImportError as error:
        raise ConfigurationError(
            f"exchange {code!r} needs {_LIBRARY}, which cannot be loaded ({error}): install "
            f"{_EXTRA}, or write the market's hours as YAML"
        ) from error
