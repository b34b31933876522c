"""The sessions that rules make. New York changes its clocks on 2024-03-10 and 2024-11-03."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest

from barengine.schedule import Session
from tests.unit.schedule.build import CRYPTO, FX, HOUR, NOON, STOCKS, at, market, on, shown


@pytest.mark.parametrize(
    ("day", "hours"), [("2024-03-09", 24), ("2024-03-10", 23), ("2024-11-03", 25)]
)
def test_a_round_the_clock_day_is_one_of_the_local_calendar(day: str, hours: int) -> None:
    """A day is as long as its local calendar makes it: 23, 24 or 25 hours."""
    session = market(CRYPTO).session_on(date.fromisoformat(day))
    assert session is not None
    assert session.close_ns - session.open_ns == hours * HOUR


def test_round_the_clock_leaves_no_gap() -> None:
    """One day's close is the next day's open, over both changes of clocks."""
    sessions = market(CRYPTO).sessions(at("2024-01-01"), at("2025-01-01"))
    assert len(sessions) == 367  # the two at the ends are cut by UTC, not by New York
    assert all(a.close_ns == b.open_ns for a, b in pairwise(sessions))


def test_stock_hours_move_in_utc_with_the_clocks() -> None:
    """09:30 stays 09:30 for people, so it is an hour earlier in UTC in summer."""
    assert on(STOCKS, "2024-03-08") == ("2024-03-08", "2024-03-08 14:30", "2024-03-08 21:00")
    assert on(STOCKS, "2024-03-11") == ("2024-03-11", "2024-03-11 13:30", "2024-03-11 20:00")


def test_a_time_that_does_not_exist_is_the_moment_of_the_change() -> None:
    """02:30 on the day when 02:00 becomes 03:00 is 03:00, 07:00 UTC."""
    text = 'zone: America/New_York\nsessions: {sun: {open: "02:30", close: "04:00"}}'
    assert on(text, "2024-03-10") == ("2024-03-10", "2024-03-10 07:00", "2024-03-10 08:00")


def test_a_time_that_occurs_twice_is_the_first_one() -> None:
    """01:30 on the day when 02:00 becomes 01:00 is 05:30 UTC, not 06:30, for open and close."""
    opens = 'zone: America/New_York\nsessions: {sun: {open: "01:30", close: "04:00"}}'
    closes = 'zone: America/New_York\nsessions: {sun: {open: "00:00", close: "01:30"}}'
    assert on(opens, "2024-11-03") == ("2024-11-03", "2024-11-03 05:30", "2024-11-03 09:00")
    assert on(closes, "2024-11-03") == ("2024-11-03", "2024-11-03 04:00", "2024-11-03 05:30")


def test_hours_that_the_change_leaves_out_make_no_session() -> None:
    """A session of 02:10 to 02:50 is none on the day without a 02:00."""
    text = 'zone: America/New_York\nsessions: {sun: {open: "02:10", close: "02:50"}}'
    assert on(text, "2024-03-10") is None
    assert on(text, "2024-03-17") is not None


def test_a_day_that_the_calendar_left_out_has_no_session() -> None:
    """Samoa went from the 29th to the 31st of December 2011; round the clock has no gap there."""
    apia = market("zone: Pacific/Apia\nsessions: 24h")
    found = apia.sessions(at("2011-12-29 12:00"), at("2011-12-31 12:00"))
    assert [session.trading_date.day for session in found] == [29, 31, 1]
    assert all(a.close_ns == b.open_ns for a, b in pairwise(found))


def test_the_fx_week() -> None:
    """Sunday 17:00 to Friday 17:00, New York: five trading dates in a row."""
    week = market(FX).sessions(at("2024-03-10 00:00"), at("2024-03-17 00:00"))
    assert [shown(session) for session in week] == [
        ("2024-03-11", "2024-03-10 21:00", "2024-03-11 21:00"),
        ("2024-03-12", "2024-03-11 21:00", "2024-03-12 21:00"),
        ("2024-03-13", "2024-03-12 21:00", "2024-03-13 21:00"),
        ("2024-03-14", "2024-03-13 21:00", "2024-03-14 21:00"),
        ("2024-03-15", "2024-03-14 21:00", "2024-03-15 21:00"),
    ]


def test_the_night_of_a_change_is_an_hour_longer_or_shorter() -> None:
    """A session from Saturday evening to Sunday evening has 23 and 25 hours."""
    text = 'zone: America/New_York\nsessions: {daily: {open: "-1d 17:00", close: "17:00"}}'
    spring = on(text, "2024-03-10")
    autumn = on(text, "2024-11-03")
    assert spring == ("2024-03-10", "2024-03-09 22:00", "2024-03-10 21:00")
    assert autumn == ("2024-11-03", "2024-11-02 21:00", "2024-11-03 22:00")


def test_a_holiday_in_the_middle() -> None:
    """A holiday has no session, its neighbours theirs."""
    text = STOCKS + "holidays: {2024-07-04: Independence Day}"
    week = market(text).sessions(at("2024-07-01"), at("2024-07-06"))
    assert [session.trading_date.day for session in week] == [1, 2, 3, 5]
    assert market(text).calendar.note(date(2024, 7, 4)) == "holiday: Independence Day"


def test_a_half_day_closes_early() -> None:
    """A short day has the usual open and its own close."""
    text = STOCKS + 'short_days: {2024-07-03: "13:00"}'
    assert on(text, "2024-07-03") == ("2024-07-03", "2024-07-03 13:30", "2024-07-03 17:00")


def test_a_half_day_keeps_the_breaks_that_it_reaches() -> None:
    """Breaks behind the early close are no breaks; one that it cuts is the session's end."""
    text = NOON + 'short_days: {2024-01-04: "11:30", 2024-01-05: "12:00", 2024-01-09: "15:00"}'
    found = [market(text).session_on(date(2024, 1, day)) for day in (4, 5, 9)]
    assert [None if one is None else len(one.breaks) for one in found] == [0, 0, 1]


def test_a_short_day_can_open_late_or_be_quite_different() -> None:
    """What a short day does not say is as usual."""
    text = NOON + 'short_days: {2024-01-04: {open: "10:00"}, 2024-01-05: {breaks: [], name: x}}'
    late, whole = (market(text).session_on(date(2024, 1, day)) for day in (4, 5))
    assert shown(late) == ("2024-01-04", "2024-01-04 01:00", "2024-01-04 06:30")
    assert late is not None
    assert len(late.breaks) == 1
    assert shown(whole) == ("2024-01-05", "2024-01-05 00:00", "2024-01-05 06:30")
    assert whole is not None
    assert not whole.breaks


def test_an_extra_session() -> None:
    """A Saturday can trade."""
    text = STOCKS + 'extra_sessions: {2024-01-06: {open: "10:00", close: "14:00", name: test}}'
    assert on(text, "2024-01-06") == ("2024-01-06", "2024-01-06 15:00", "2024-01-06 19:00")
    assert on(text, "2024-01-13") is None


def test_a_break_at_noon_is_in_the_session_but_nothing_trades() -> None:
    """The break belongs to the session; its begin is out of trading, its end is in."""
    tokyo = market(NOON)
    noon = at("2024-01-04 02:30")
    session = tokyo.session_at(noon)
    assert shown(session) == ("2024-01-04", "2024-01-04 00:00", "2024-01-04 06:30")
    assert session is not None
    assert session.breaks == ((noon, noon + HOUR),)
    assert [tokyo.trading_at(noon + step) for step in (-1, 0, HOUR - 1, HOUR)] == [
        True,
        False,
        False,
        True,
    ]


def test_overnight_futures_open_on_the_last_business_evening() -> None:
    """Monday's trading date opens on Friday evening, and the weekend is a break of it."""
    text = """
    zone: Asia/Shanghai
    sessions:
      mon: {open: "-3d 21:00", close: "15:00", breaks: [{from: "-2d 02:30", to: "09:00"}]}
      tue-fri: {open: "-1d 21:00", close: "15:00", breaks: [{from: "02:30", to: "09:00"}]}
    """
    monday = market(text).session_at(at("2024-03-09 12:00"))
    assert shown(monday) == ("2024-03-11", "2024-03-08 13:00", "2024-03-11 07:00")
    assert not market(text).trading_at(at("2024-03-09 12:00"))
    assert on(text, "2024-03-12") == ("2024-03-12", "2024-03-11 13:00", "2024-03-12 07:00")


def test_rules_hold_from_their_date_to_the_next() -> None:
    """New hours begin with the trading date that they name; before the first there are none."""
    text = """
    zone: Asia/Tokyo
    rules:
      - {from: 2024-11-05, sessions: {mon-fri: {open: "09:00", close: "15:30"}}}
      - {from: 2011-01-04, sessions: {mon-fri: {open: "09:00", close: "15:00"}}}
    """
    assert on(text, "2011-01-03") is None
    assert on(text, "2024-11-04") == ("2024-11-04", "2024-11-04 00:00", "2024-11-04 06:00")
    assert on(text, "2024-11-05") == ("2024-11-05", "2024-11-05 00:00", "2024-11-05 06:30")


def test_a_market_can_end() -> None:
    """A rule without hours ends trading: there is no next session, and asking ends too."""
    text = """
    zone: UTC
    rules:
      - sessions: {mon-fri: {open: "09:00", close: "15:00"}}
      - {from: 2024-01-03, sessions: {}}
    extra_sessions: {2024-02-01: {open: "09:00", close: "10:00"}}
    """
    ended = market(text)
    assert shown(ended.next_session(at("2024-01-02 15:00"))) is not None
    assert ended.next_session(at("2024-02-01 10:00")) is None


def test_a_trading_date_counts_days_from_the_epoch() -> None:
    """As Avro's date does, before 1970 too."""
    days = [Session("M", day, 0, 1).trading_day for day in (date(1969, 12, 31), date(1970, 1, 2))]
    assert days == [-1, 1]
