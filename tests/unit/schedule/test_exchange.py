"""Our sessions against those of exchange_calendars, other people's code and data."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date, time
from pathlib import Path
from typing import Any

import exchange_calendars
import pytest

from barengine.errors import ConfigurationError
from barengine.schedule import Session, exchange_market, exchange_schedule, parse_schedule
from tests.unit.schedule.build import at, market, shown

FIRST, LAST = date(2000, 1, 3), date(2030, 12, 31)
STOCKS = Path(__file__).parents[3] / "config" / "schedules" / "stocks.yaml"


def library(code: str) -> Any:
    return exchange_calendars.get_calendar(code, start=FIRST.isoformat(), end=LAST.isoformat())


def rules_of(theirs: Any) -> str:
    """A calendar as a person would write it: weekly hours in local time, and what differs."""
    changes = (theirs.open_times, theirs.close_times, theirs.break_start_times or ())
    dates = sorted({FIRST, *(when.date() for times in changes for when, _ in times if when)})
    weeks = (f"- {{from: {day}, sessions: {{daily: {usual(theirs, day)}}}}}" for day in dates)
    traded = {day.date() for day in theirs.sessions}
    all_days = map(date.fromordinal, range(FIRST.toordinal(), LAST.toordinal() + 1))
    closed = (f"  {day}:" for day in all_days if day not in traded)
    head = (f"zone: {theirs.tz.key}", "rules:")
    return "\n".join([*head, *weeks, "holidays:", *closed, "short_days:", *short_days(theirs)])


def usual(theirs: Any, day: date) -> str:
    """The hours that the exchange says it has from a date on."""

    def then(times: Any) -> time:
        return [t for when, t in times if when is None or when.date() <= day][-1]  # type: ignore[no-any-return]

    prefix = f"{theirs.open_offset}d " if theirs.open_offset else ""
    hours = f'open: "{prefix}{then(theirs.open_times)}", close: "{then(theirs.close_times)}"'
    if not theirs.break_start_times:
        return f"{{{hours}}}"
    start, end = then(theirs.break_start_times), then(theirs.break_end_times)
    return f'{{{hours}, breaks: [{{from: "{start}", to: "{end}"}}]}}'


def short_days(theirs: Any) -> Iterator[str]:
    """Days that the exchange lists as of other hours: their local open and close."""
    for day in sorted({*theirs.early_closes, *theirs.late_opens}):
        opens, closes = (
            column[day].tz_convert(theirs.tz) for column in (theirs.opens, theirs.closes)
        )
        prefix = f"{theirs.open_offset}d " if theirs.open_offset else ""
        yield f'  {day.date()}: {{open: "{prefix}{opens:%H:%M}", close: "{closes:%H:%M}"}}'


def plain(theirs: Any) -> list[tuple[date, int, int]]:
    columns = zip(theirs.sessions, theirs.opens, theirs.closes, strict=True)
    return [(day.date(), opens.value, closes.value) for day, opens, closes in columns]


@pytest.mark.parametrize("code", ["XNYS", "XLON", "XHKG", "XTKS", "CMES"])
def test_thirty_years_of_rules_are_those_of_the_library(code: str) -> None:
    """Local hours, holidays and short days of 2000 to 2030 give the same moments in UTC."""
    theirs = library(code)
    ours = list(market(rules_of(theirs)).calendar.expand("M", FIRST, LAST))
    assert [(s.trading_date, s.open_ns, s.close_ns) for s in ours] == plain(theirs)
    if theirs.has_break:
        starts = [each.value for each in theirs.break_starts.dropna()]
        assert [start for session in ours for start, _ in session.breaks] == starts


@pytest.mark.parametrize("code", ["XNYS", "XHKG", "CMES", "24/7"])
def test_an_exchange_has_the_sessions_of_the_library(code: str) -> None:
    """What SCHEDULE=exchange: gives is what the library says, breaks included."""
    theirs = library(code)
    ours = list(exchange_market(code).calendar.expand(code, FIRST, LAST))
    assert [(s.trading_date, s.open_ns, s.close_ns) for s in ours] == plain(theirs)
    ends = [each.value for each in theirs.break_ends.dropna()]
    assert [end for session in ours for _, end in session.breaks] == ends
    assert {session.market for session in ours} == {code}


def test_the_example_of_a_stock_market_is_the_exchange() -> None:
    """config/schedules/stocks.yaml has every holiday and half day of 2024 to 2027."""
    example = parse_schedule(STOCKS.read_text("utf-8"), "stocks.yaml").markets["XNYS"]
    span = (at("2024-01-01"), at("2028-01-01"))
    assert example.sessions(*span) == exchange_market("XNYS").sessions(*span)


def test_an_exchange_is_looked_up_as_any_market() -> None:
    """Over the end of a year, in a break, and by its notes."""
    hongkong = exchange_market("XHKG")
    new_year = hongkong.next_session(at("2024-12-31 04:00"))
    assert shown(new_year) == ("2025-01-02", "2025-01-02 01:30", "2025-01-02 08:00")
    assert isinstance(new_year, Session)
    assert not hongkong.trading_at(at("2025-01-02 04:30"))
    notes = [hongkong.calendar.note(date(2024, 12, day)) for day in (23, 24, 25, 28)]
    assert notes == ["", "short day", "holiday", ""]


def test_outside_of_what_the_library_knows_there_are_no_sessions() -> None:
    """Hong Kong's holidays are known to 2049; asking beyond ends."""
    hongkong = exchange_market("XHKG")
    assert hongkong.next_session(at("2049-12-30")) is not None
    assert hongkong.next_session(at("2050-02-01")) is None
    assert hongkong.calendar.note(date(2050, 2, 1)) == ""


def test_brokers_can_have_exchanges_of_their_own() -> None:
    """One default, others by name; an alias is the same exchange by another name."""
    schedule = exchange_schedule("NYSE", {"lse": "XLON"})
    found = [schedule.market_of(broker) for broker in ("x", "lse")]
    assert [one.name for one in found if one is not None] == ["NYSE", "XLON"]
    assert exchange_market("NYSE").calendar == exchange_market("XNYS").calendar
    assert exchange_schedule(None, {"lse": "XLON"}).market_of("x") is None


def test_an_unknown_exchange_is_named_with_one_like_it() -> None:
    """The error has the way out."""
    with pytest.raises(ConfigurationError, match=r"exchange 'xlonn' is not in .*did you mean XLON"):
        exchange_market("xlonn")


def test_without_the_library_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A YAML schedule needs no library, and the error says so."""
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(ConfigurationError, match=r"install barengine\[exchanges\], or write"):
        exchange_market("XNYS")


def test_what_the_library_cannot_make_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its errors, and those of what it is built on, become one of ours that names the exchange."""

    def fail(*_args: object, **_options: object) -> None:
        raise NotImplementedError("implemented by subclasses")

    monkeypatch.setattr(exchange_calendars, "get_calendar", fail)
    with pytest.raises(ConfigurationError, match=r"exchange 'ASEX': .*implemented by subclasses"):
        exchange_market("ASEX")
