"""Looking sessions up: by hand at the edges, and by property against the plain expansion."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from barengine.model import NS_PER_S
from barengine.schedule import Market
from barengine.schedule.local_time import local_ns
from barengine.schedule.rules import ALWAYS, Hours, Kind, Rule, RuleCalendar, Special, days
from tests.unit.schedule.build import FX, NOON, STOCKS, at, market, shown

HOUR_S = 3600
DAY_S = 86_400

ZONES = (
    "UTC",
    "America/New_York",
    "America/Havana",  # changes at midnight
    "Asia/Beirut",  # the same, the other way
    "Australia/Lord_Howe",  # by half an hour
    "Africa/Casablanca",  # twice within a month
    "Pacific/Apia",  # left a day out
    "Asia/Kolkata",
)


def test_open_is_inside_and_close_outside() -> None:
    """A session is half-open, as every interval."""
    stocks = market(STOCKS)
    session = stocks.session_at(at("2024-01-02 14:30"))
    assert session is not None
    assert stocks.session_at(session.open_ns - 1) is None
    assert stocks.session_at(session.close_ns - 1) == session
    assert stocks.session_at(session.close_ns) is None


def test_the_next_session_is_the_one_it_is_in_or_the_one_to_come() -> None:
    """At the close it is the next day's, over a weekend and over New Year."""
    stocks = market(STOCKS)
    friday = stocks.session_at(at("2023-12-29 20:00"))
    assert friday is not None
    assert stocks.next_session(friday.open_ns) == friday
    assert stocks.next_session(friday.close_ns - 1) == friday
    assert shown(stocks.next_session(friday.close_ns)) == (
        "2024-01-01",
        "2024-01-01 14:30",
        "2024-01-01 21:00",
    )


def test_a_session_over_new_year_is_found_from_both_years() -> None:
    """A session that opened last year is still found in this one."""
    new_year = market(FX).session_at(at("2024-12-31 23:00"))
    assert shown(new_year) == ("2025-01-01", "2024-12-31 22:00", "2025-01-01 22:00")
    assert market(FX).session_at(at("2025-01-01 10:00")) == new_year


def test_sessions_are_those_with_a_part_of_the_range() -> None:
    """Uncut, and none that only touches it."""
    stocks = market(STOCKS)
    monday = stocks.session_on(date(2024, 1, 8))
    assert monday is not None
    inside = (monday.open_ns, monday.close_ns)
    assert stocks.sessions(*inside) == [monday]
    assert stocks.sessions(monday.close_ns - 1, monday.close_ns) == [monday]
    assert stocks.sessions(monday.close_ns, monday.close_ns + 1) == []
    assert stocks.sessions(monday.close_ns, monday.open_ns) == []


def test_the_ends_of_what_an_event_time_can_be() -> None:
    """From 1823 to 2116, and beyond both, looking up is defined."""
    stocks = market(STOCKS)
    assert stocks.next_session(-(2**62)) is not None
    assert stocks.next_session(2**62) is not None
    assert stocks.session_at(-(2**63)) is None
    assert stocks.next_session(-(2**63)) is not None
    assert stocks.session_at(2**63 - 1) is None
    assert stocks.next_session(2**63 - 1) is None


def test_halts_are_merged_and_found_by_any_part() -> None:
    """A bar was halted where a part of it was; local and UTC times mean the same."""
    halted = market(
        STOCKS
        + """
halts:
  - {from: "2020-03-09 09:34:13", to: "2020-03-09 09:49:13"}
  - {from: "2020-03-09T13:40:00Z", to: "2020-03-09T14:00:00+00:00"}
"""
    )
    start, end = at("2020-03-09 13:34:13"), at("2020-03-09 14:00")
    assert halted.calendar.halts == ((start, end),)
    assert halted.halted(start - 1, start + 1)
    assert halted.halted(end - 1, end)
    assert not halted.halted(start - 60 * NS_PER_S, start)
    assert not halted.halted(end, end + 1)
    assert not halted.halted(start, start)


def test_arrays_say_what_the_sessions_say() -> None:
    """Sessions, breaks and halts of a stretch as flat, ascending arrays."""
    tokyo = market(NOON + 'halts: [{from: "2024-01-05 10:00", to: "2024-01-05 10:30"}]')
    flat = tokyo.arrays(at("2024-01-04"), at("2024-01-06"))
    sessions = tokyo.sessions(at("2024-01-04"), at("2024-01-06"))
    assert list(zip(flat.opens, flat.closes, flat.trading_days, strict=True)) == [
        (session.open_ns, session.close_ns, session.trading_day) for session in sessions
    ]
    breaks = [pair for session in sessions for pair in session.breaks]
    assert list(zip(flat.break_starts, flat.break_ends, strict=True)) == breaks
    assert list(zip(flat.halt_starts, flat.halt_ends, strict=True)) == [
        (at("2024-01-05 01:00"), at("2024-01-05 01:30"))
    ]
    assert {column.typecode for column in (flat.opens, flat.break_ends, flat.halt_starts)} == {"q"}


@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(date(2005, 1, 1), date(2030, 12, 31)),
    minute=st.integers(-24 * 60, 48 * 60),
)
@example(zone="America/New_York", day=date(2024, 3, 10), minute=150)
@example(zone="America/New_York", day=date(2024, 11, 3), minute=90)
@example(zone="Pacific/Apia", day=date(2011, 12, 30), minute=600)
@example(zone="Asia/Beirut", day=date(2022, 3, 27), minute=30)
@example(zone="America/Havana", day=date(2022, 11, 6), minute=30)
@example(zone="Australia/Lord_Howe", day=date(2024, 10, 6), minute=135)
def test_a_local_time_is_the_first_moment_that_shows_it_or_a_later_one(
    zone: str, day: date, minute: int
) -> None:
    """Against a search through the minutes of days around, by the clock alone."""
    wanted = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minute)
    begin = wanted.replace(tzinfo=UTC) - timedelta(hours=26)
    its_zone = ZoneInfo(zone)
    moments = (begin + timedelta(minutes=n) for n in range(52 * 60))
    first = next(m for m in moments if m.astimezone(its_zone).replace(tzinfo=None) >= wanted)
    assert local_ns(its_zone, day, minute * 60) == int(first.timestamp()) * NS_PER_S


@st.composite
def calendars(draw: st.DrawFn) -> RuleCalendar:
    """Weekly hours of any kind in any zone, a rule that changes them, days that differ."""
    shift = draw(st.integers(-20, 0)) * HOUR_S
    weeks = [tuple(draw(_hours(shift)) for _ in range(7)) for _ in range(2)]
    start = draw(st.dates(date(2010, 10, 1), date(2011, 4, 30)))
    dates = st.dates(date(2010, 10, 1), date(2011, 4, 30))
    special = {
        day: Special(Kind.SHORT_DAY, hours)
        for day, hours in draw(st.dictionaries(dates, _hours(shift), max_size=5)).items()
    }
    rules = (Rule(ALWAYS, weeks[0]), Rule(start, weeks[1]))
    return RuleCalendar(draw(st.sampled_from(ZONES)), rules, special)


@st.composite
def _hours(draw: st.DrawFn, shift: int) -> Hours | None:
    """Hours within a day that begins at ``shift``: neighbours cannot overlap."""
    cuts = draw(st.lists(st.integers(0, 48), min_size=0, max_size=6, unique=True).map(sorted))
    if len(cuts) < 2 or len(cuts) % 2:
        return None
    times = [shift + cut * HOUR_S // 2 for cut in cuts]
    return Hours(times[0], times[-1], tuple(zip(times[1:-1:2], times[2:-1:2], strict=True)))


@given(calendars(), st.data())
def test_looking_up_agrees_with_the_plain_expansion(
    calendar: RuleCalendar, data: st.DataObject
) -> None:
    """Sessions are disjoint and ascending, and every question has the answer of a plain search."""
    subject = Market("M", calendar)
    plain = [
        session
        for day in days(date(2010, 9, 1), date(2011, 6, 1))
        if (session := calendar.session("M", day)) is not None
    ]
    low, high = at("2010-09-15"), at("2011-05-15")
    found = subject.sessions(low, high)
    assert found == [s for s in plain if s.open_ns < high and s.close_ns > low]
    edges = [edge for s in found for edge in (s.open_ns, s.close_ns)]
    assert edges == sorted(edges)
    assert all(s.open_ns < s.close_ns for s in found)

    near = st.sampled_from(edges) if edges else st.just(low)
    moment = data.draw(st.one_of(near, near.map(lambda edge: edge - 1), st.integers(low, high - 1)))
    inside = next((s for s in plain if s.open_ns <= moment < s.close_ns), None)
    assert subject.session_at(moment) == inside
    breaks = inside.breaks if inside is not None else ()
    open_now = inside is not None and not any(a <= moment < b for a, b in breaks)
    assert subject.trading_at(moment) == open_now
    coming = next((s for s in plain if s.close_ns > moment), None)
    if coming is not None:
        assert subject.next_session(moment) == coming
