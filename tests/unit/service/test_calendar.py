"""The schedule as books and kernels ask for it: hours around a time, stretches of trading."""

from __future__ import annotations

from itertools import pairwise

from barengine.model import DAY_NS, INT64_MAX, INT64_MIN, NS_PER_S
from barengine.schedule import Schedule, parse_schedule
from barengine.service.calendar import TradingCalendar
from tests.unit.schedule.build import at

TOKYO = """
brokers: {T: TOKYO, TT: TOKYO, D: DEAD}
markets:
  TOKYO:
    zone: Asia/Tokyo
    sessions:
      mon-fri: {open: "09:00", close: "15:30", breaks: [{from: "11:30", to: "12:30"}]}
    holidays: {2025-11-03: Culture Day}
    halts: [{from: "2025-11-28 09:40", to: "2025-11-28 09:55"}]
  DEAD:
    zone: UTC
    rules:
      - {sessions: {daily: {open: "08:00", close: "16:00"}}}
      - {from: 2001-01-01, sessions: {}}
"""
FRIDAY = at("2025-11-28 01:00")


def schedule(text: str = TOKYO) -> Schedule:
    return parse_schedule(text, "test.yaml")


def stretch(calendar: TradingCalendar, time: str, broker: str = "T") -> tuple[int, int, bool]:
    """The stretch around a time, in minutes before and after it."""
    time_ns = at(time)
    begin, end, trades = calendar.trading(broker, time_ns)
    assert begin <= time_ns < end
    return (begin - time_ns) // (60 * NS_PER_S), (end - time_ns) // (60 * NS_PER_S), trades


def test_a_broker_without_a_market_trades_around_the_clock() -> None:
    """So does every broker where there is no schedule."""
    for calendar in (TradingCalendar(schedule()), TradingCalendar()):
        assert calendar("other", FRIDAY) is None
        assert calendar.trading("other", FRIDAY) == (INT64_MIN, INT64_MAX, True)


def test_a_session_is_cut_by_its_breaks() -> None:
    """Morning, break and afternoon are stretches of their own; each edge begins the next one."""
    calendar = TradingCalendar(schedule())
    assert stretch(calendar, "2025-11-28 00:00") == (0, 150, True)
    assert stretch(calendar, "2025-11-28 02:29") == (-149, 1, True)
    assert stretch(calendar, "2025-11-28 02:30") == (0, 60, False)
    assert stretch(calendar, "2025-11-28 03:30") == (0, 180, True)


def test_closed_hours_last_to_the_next_open() -> None:
    """Over nights, weekends and holidays; where nothing comes any more, a day at a time."""
    calendar = TradingCalendar(schedule())
    assert stretch(calendar, "2025-11-28 06:30") == (0, (17 + 48) * 60 + 30, False)
    assert stretch(calendar, "2025-10-31 06:30") == (0, (17 + 72) * 60 + 30, False)
    assert stretch(calendar, "2025-01-01 12:00", "D") == (0, 24 * 60, False)


def test_a_halt_is_trading_time() -> None:
    """A tick in it is no tick outside sessions."""
    assert stretch(TradingCalendar(schedule()), "2025-11-28 00:45") == (-45, 105, True)


def test_hours_hold_whole_days_around_the_time() -> None:
    """Sessions with their dates, breaks and halts; the range begins and ends at midnight UTC."""
    hours = TradingCalendar(schedule())("T", FRIDAY)
    assert hours is not None
    assert hours.from_ns <= FRIDAY < hours.to_ns
    assert (hours.from_ns % DAY_NS, hours.to_ns % DAY_NS) == (0, 0)
    place = hours.opens.index(at("2025-11-28 00:00"))
    assert hours.closes[place] == at("2025-11-28 06:30")
    assert hours.dates[place] == FRIDAY // DAY_NS
    assert hours.break_starts[place] == at("2025-11-28 02:30")
    assert hours.break_ends[place] == at("2025-11-28 03:30")
    assert list(hours.halt_starts) == [at("2025-11-28 00:40")]
    assert list(hours.halt_ends) == [at("2025-11-28 00:55")]
    assert all(before < after for before, after in pairwise(hours.opens))


def test_stretches_of_hours_join_without_a_gap() -> None:
    """Every time has hours, and where those of one stretch end the next ones begin."""
    calendar, time_ns = TradingCalendar(schedule()), at("1969-06-01 00:00")
    for _ in range(5):
        hours = calendar("T", time_ns)
        assert hours is not None
        assert hours.from_ns <= time_ns
        following = calendar("T", hours.to_ns)
        assert following is not None
        assert following.from_ns == hours.to_ns
        time_ns = hours.to_ns


def test_brokers_of_one_market_share_its_hours() -> None:
    """And partitions do: the same object comes for every time that it holds."""
    calendar = TradingCalendar(schedule())
    hours = calendar("T", FRIDAY)
    assert hours is not None
    assert calendar("TT", FRIDAY + 1) is hours
    assert calendar("D", FRIDAY) is not hours


def test_another_schedule_replaces_all_of_it() -> None:
    """Hours, stretches, and who has a market."""
    calendar = TradingCalendar(schedule())
    before = calendar("T", FRIDAY)
    calendar.replace(schedule(TOKYO.replace("15:30", "15:00").replace("TT: TOKYO, ", "")))
    after = calendar("T", FRIDAY)
    assert before is not None
    assert after is not None
    moved = {old - new for old, new in zip(before.closes, after.closes, strict=True)}
    assert moved == {1800 * NS_PER_S}
    assert stretch(calendar, "2025-11-28 06:00")[2] is False
    assert calendar("TT", FRIDAY) is None
