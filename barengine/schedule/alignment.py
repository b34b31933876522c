"""Whether sessions begin and end where buckets do."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import Final, NamedTuple

from barengine.errors import ConfigurationError
from barengine.model import NS_PER_S
from barengine.schedule.local_time import DAY_S, utc_datetime, zone_of
from barengine.schedule.market import Market
from barengine.schedule.schedule import Schedule
from barengine.schedule.session import Session

_UNITS: Final = (("h", 3600), ("m", 60), ("s", 1))


class Misfit(NamedTuple):
    """A time of a session that lies inside a bucket."""

    session: Session
    what: str
    time_ns: int


def check_alignment(schedule: Schedule, period_ns: int, from_ns: int, to_ns: int) -> None:
    """Insist that every session and break of a stretch begins and ends on a bucket's edge.

    Buckets count from the epoch in UTC, so the zone's offset counts too: 09:30 in Kolkata is
    04:00 UTC and fits 1h, 09:30 in New York does not. Halts may begin and end anywhere.

    Args:
        schedule: whose markets, all of them.
        period_ns: the base window.
        from_ns: start of the stretch.
        to_ns: its end, exclusive. Some 10 ms a market for ten years.

    Raises:
        ConfigurationError: with one problem a market: its first time that does not fit.
    """
    problems = [
        _problem(market.zone, misfit, period_ns)
        for market in schedule.markets.values()
        for misfit in _first_misfit(market, period_ns, from_ns, to_ns)
    ]
    if problems:
        raise ConfigurationError(*problems)


def _first_misfit(market: Market, period_ns: int, from_ns: int, to_ns: int) -> Iterator[Misfit]:
    # Not through the market: it would keep decades that nobody asks for again.
    first, last = utc_datetime(from_ns).date(), utc_datetime(to_ns - 1).date()
    for session in market.calendar.expand(market.name, first, last):
        for what, time_ns in _edges(session):
            if time_ns % period_ns:
                yield Misfit(session, what, time_ns)
                return


def _edges(session: Session) -> Iterator[tuple[str, int]]:
    yield "open", session.open_ns
    for start_ns, end_ns in session.breaks:
        yield "begin of a break", start_ns
        yield "end of a break", end_ns
    yield "close", session.close_ns


def _problem(zone: str, misfit: Misfit, period_ns: int) -> str:
    session, moment = misfit.session, utc_datetime(misfit.time_ns)
    local = moment.astimezone(zone_of(zone))
    fits_s = gcd(DAY_S, *(time_ns // NS_PER_S for _, time_ns in _edges(session)))
    return (
        f"market {session.market}, {session.trading_date}: the {misfit.what} at "
        f"{local:%H:%M:%S} {zone} ({moment:%H:%M:%S} UTC) is no multiple of the window "
        f"{_written(period_ns // NS_PER_S)}; set WINDOW to {_written(fits_s)} or a part of it, or "
        "correct the schedule"
    )


def _written(seconds: int) -> str:
    return next(f"{seconds // size}{unit}" for unit, size in _UNITS if seconds % size == 0)
