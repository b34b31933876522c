"""What a new version of a schedule changes: no more than what is different."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barengine.errors import ConfigurationError
from barengine.model import INT64_MAX, INT64_MIN
from barengine.schedule import Change, Market, Schedule
from barengine.schedule.rules import RuleCalendar
from tests.unit.schedule.build import CRYPTO, STOCKS, at, market
from tests.unit.schedule.test_market import calendars

ALL_TIME = [(INT64_MIN, INT64_MAX)]


def changed(old: str, new: str) -> list[tuple[int, int]]:
    before, after = (Schedule({"M": market(text)}) for text in (old, new))
    assert all(change.market == "M" for change in Schedule.changes(before, after))
    return [(change.from_ns, change.to_ns) for change in Schedule.changes(before, after)]


def test_the_same_changes_nothing() -> None:
    """Equal documents are equal schedules; another name of a holiday moves no session."""
    old = STOCKS + "holidays: {2024-07-04: Independence Day}"
    new = STOCKS + "holidays: {2024-07-04: the fourth of July}"
    assert Schedule({"M": market(old)}) == Schedule({"M": market(old)})
    assert Schedule({"M": market(old)}) != Schedule({"M": market(new)})
    assert changed(old, old) == changed(old, new) == []


def test_a_half_day_found_out_afterwards_changes_that_day_alone() -> None:
    """From the first open to the last close that either version has."""
    new = STOCKS + 'short_days: {2024-07-03: "13:00"}'
    day = (at("2024-07-03 13:30"), at("2024-07-03 20:00"))
    assert changed(STOCKS, new) == [day]
    assert changed(new, STOCKS) == [day]


def test_a_holiday_that_was_forgotten_changes_its_session_alone() -> None:
    """Two of them are two ranges; one on a Saturday is none."""
    new = STOCKS + "holidays: {2024-07-04: , 2024-09-02: , 2024-07-06: }"
    assert changed(STOCKS, new) == [
        (at("2024-07-04 13:30"), at("2024-07-04 20:00")),
        (at("2024-09-02 13:30"), at("2024-09-02 20:00")),
    ]


def test_a_new_rule_changes_what_comes_from_its_date_on() -> None:
    """From the first session that differs, without an end; a Saturday is when it is decided."""
    rules = """
zone: America/New_York
rules:
  - sessions: {mon-fri: {open: "09:30", close: "16:00"}}
  - {from: 2024-03-16, sessions: {mon-fri: {open: "09:30", close: "17:00"}}}
"""
    assert changed(STOCKS, rules) == [(at("2024-03-18 13:30"), INT64_MAX)]


def test_a_rule_that_is_taken_back_changes_a_stretch() -> None:
    """From the first to the last session that differs."""
    rules = """
zone: America/New_York
rules:
  - sessions: {mon-fri: {open: "09:30", close: "16:00"}}
  - {from: 2024-03-16, sessions: {mon-fri: {open: "09:30", close: "17:00"}}}
  - {from: 2024-03-30, sessions: {mon-fri: {open: "09:30", close: "16:00"}}}
"""
    assert changed(rules, STOCKS) == [(at("2024-03-18 13:30"), at("2024-03-29 21:00"))]


def test_a_rule_that_changes_what_always_was_has_no_beginning() -> None:
    """All that was before the next rule is different."""
    rules = """
zone: UTC
rules:
  - sessions: {mon-fri: {open: "09:%s", close: "16:00"}}
  - {from: 2024-03-16, sessions: {mon-fri: {open: "09:30", close: "16:00"}}}
"""
    assert changed(rules % "00", rules % "15") == [(INT64_MIN, at("2024-03-15 16:00"))]


def test_a_later_date_can_be_the_first_to_differ() -> None:
    """Where one version trades on the evening before, its Saturday is before the other's Friday."""
    rules = """
zone: UTC
rules:
  - sessions: {}
  - {from: 2010-10-01, sessions: {%s}}
"""
    friday, saturday = "fri: {open: 11:30, close: 12:00}", "sat: {open: -1d 11:00, close: 00:30}"
    assert changed(rules % friday, rules % saturday) == [(at("2010-10-01 11:00"), INT64_MAX)]


def test_a_halt_changes_its_own_time() -> None:
    """Only the causes of bars in it can be different."""
    new = STOCKS + 'halts: [{from: "2024-03-18 10:00", to: "2024-03-18 10:05"}]'
    assert changed(STOCKS, new) == [(at("2024-03-18 14:00"), at("2024-03-18 14:05"))]


def test_another_zone_or_another_market_changes_everything() -> None:
    """And so does a market that is new, or gone."""
    assert changed(CRYPTO, CRYPTO.replace("New_York", "Chicago")) == ALL_TIME
    one, none = Schedule({"M": market(STOCKS)}), Schedule()
    assert Schedule.changes(one, none) == [Change("M", *ALL_TIME[0])]
    assert Schedule.changes(none, one) == [Change("M", *ALL_TIME[0])]


def test_brokers_have_their_market_the_default_or_none() -> None:
    """A broker without a market trades around the clock."""
    fx, stocks = market(CRYPTO, "FX"), market(STOCKS, "XNYS")
    schedule = Schedule({"FX": fx, "XNYS": stocks}, {"a": "XNYS"}, "FX")
    assert [schedule.market_of(broker) for broker in ("a", "b")] == [stocks, fx]
    assert Schedule({"FX": fx}, {"b": "FX"}).market_of("a") is None


def test_a_schedule_whose_brokers_moved_is_another_one() -> None:
    """The fingerprint covers who trades where, and not in which order it is written."""
    markets = {"A": market(CRYPTO, "A"), "B": market(STOCKS, "B")}
    first = Schedule(markets, {"x": "A", "y": "B"})
    assert first.fingerprint == Schedule(markets, {"y": "B", "x": "A"}).fingerprint
    assert first.fingerprint != Schedule(markets, {"x": "B", "y": "B"}).fingerprint
    assert first.fingerprint != Schedule(markets, {"x": "A", "y": "B"}, "A").fingerprint


def test_a_broker_of_a_market_that_is_not_there_is_refused() -> None:
    """The error names the broker, the market and those that there are."""
    with pytest.raises(ConfigurationError) as error:
        Schedule({"XNYS": market(STOCKS)}, {"a": "XNYZ"}, "XLON")
    assert [problem.split(":")[0] for problem in error.value.problems] == [
        "the market of broker 'a' is 'XNYZ', which the schedule does not have",
        "the market of the default is 'XLON', which the schedule does not have",
    ]


@given(calendars(), calendars(), st.booleans())
def test_outside_of_what_changed_the_sessions_are_equal(
    old: RuleCalendar, new: RuleCalendar, small: bool
) -> None:
    """Whatever two versions are: every session that only one of them has lies in a change."""
    if small:  # two versions of one market, as they mostly are
        new = RuleCalendar(old.zone, old.rules, new.specials)
    before, after = (Schedule({"M": Market("M", each)}) for each in (old, new))
    ranges = [(one.from_ns, one.to_ns) for one in Schedule.changes(before, after)]
    assert all(a[1] < b[0] for a, b in pairwise(ranges))
    span = (date(2010, 9, 1), date(2011, 6, 1))
    differing = set(old.expand("M", *span)) ^ set(new.expand("M", *span))
    for session in differing:
        assert any(low <= session.open_ns and session.close_ns <= high for low, high in ranges)
    if small:
        days = {session.trading_date for session in differing}
        assert days <= old.specials.keys() | new.specials.keys()
        assert len(ranges) <= len(days)
