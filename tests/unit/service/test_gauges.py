"""What the lag gauges mean, on clocks written down by hand. Times in s; now is 1000."""

from __future__ import annotations

import pytest

from barengine.kernel import BrokerState
from barengine.model import NEVER, NS_PER_S
from barengine.service.gauges import (
    View,
    consumer_lag_ns,
    feed_delay_ns,
    overdue_ns,
    watermark_lag_ns,
)
from barengine.settings import Settings, load_settings

NOW_S = 1000


def settings(**keys: str) -> Settings:
    """Windows of 10 s, grace 3 s, idle time-out 5 s."""
    given = {"WINDOW": "10s", "GRACE": "3s", "IDLE_TIMEOUT": "5s"} | keys
    return load_settings(None, {f"BARENGINE_{key}": value for key, value in given.items()})


def market(
    event_s: int, closed_s: int, clock_s: int | None = None, came_s: int | None = None
) -> BrokerState:
    """A broker; its clock is that of its newest tick unless silence has moved it on, and that tick
    came when it was made unless its feed is late."""
    event, clock = event_s * NS_PER_S, (event_s if clock_s is None else clock_s) * NS_PER_S
    came = event if came_s is None else came_s * NS_PER_S
    return BrokerState("b", clock, event, event, closed_s * NS_PER_S, NEVER, came)


def view(
    *brokers: BrokerState, open_windows: int = 1, unread: int = 0, at_end: bool = True
) -> View:
    return View(brokers, open_windows, unread, NOW_S * NS_PER_S, at_end)


def seconds(ns: int) -> float:
    return ns / NS_PER_S


def test_watermark_lag_is_that_of_the_slowest_market_that_someone_waits_for() -> None:
    """A market whose windows are closed is behind for ever, and counts only if there is no other.

    now 1000:  gone     10, closed through 20: nothing open
               slow    990, closed through 980
               fast    998, closed through 990
    """
    gone, slow, fast = market(10, 20), market(990, 980), market(998, 990)

    assert seconds(watermark_lag_ns(view(gone, slow, fast), settings())) == 10 + 3
    assert seconds(watermark_lag_ns(view(gone, fast, open_windows=0), settings())) == 2 + 3


@pytest.mark.parametrize(
    ("clock_s", "overdue_s"), [(1000, 0), (998, 0), (995, 0), (994, 1), (900, 95)]
)
def test_a_window_is_overdue_beyond_the_idle_time_out(clock_s: int, overdue_s: int) -> None:
    """Until then silence may still be the reason that its market clock stands."""
    assert seconds(overdue_ns(view(market(890, 880, clock_s)), settings())) == overdue_s


def test_where_no_window_is_open_none_is_overdue() -> None:
    """Old ticks whose bars have left make nobody wait."""
    assert overdue_ns(view(market(10, 20)), settings()) == 0
    assert overdue_ns(view(market(10, 0), open_windows=0), settings()) == 0
    assert overdue_ns(view(open_windows=0), settings()) == 0


def test_without_an_idle_time_out_only_what_waits_to_be_read_makes_bars_late() -> None:
    """IDLE_TIMEOUT=off: a quiet market's window waits for its next tick, by choice."""
    off = settings(IDLE_TIMEOUT="off")

    assert overdue_ns(view(market(900, 890)), off) == 0
    assert seconds(overdue_ns(view(market(900, 890), unread=5), off)) == 100


def test_consumer_lag_is_the_age_of_the_newest_tick_while_records_wait() -> None:
    """At the end of the log there is none, however old the last tick is."""
    brokers = market(900, 890), market(950, 940)

    assert seconds(consumer_lag_ns(view(*brokers, unread=1))) == 50
    assert consumer_lag_ns(view(*brokers)) == 0
    assert consumer_lag_ns(view(unread=7, open_windows=0)) == 0


def test_a_clock_that_is_ahead_is_no_negative_lag() -> None:
    """Ticks may be stamped a little in the future."""
    ahead = view(market(1004, 990), unread=1)

    assert consumer_lag_ns(ahead) == 0
    assert overdue_ns(ahead, settings()) == 0
    assert seconds(watermark_lag_ns(ahead, settings())) == -4 + 3


def test_a_feed_that_is_always_late_is_not_overdue() -> None:
    """Its market clock is behind by the delay of its ticks: nobody could know earlier.

    event    100 ----------- open ---------->
    arrival                            1000
    """
    late = market(100, 90, came_s=1000)

    assert overdue_ns(view(late), settings()) == 0
    assert seconds(feed_delay_ns(late)) == 900


def test_a_late_feed_that_stops_becomes_overdue() -> None:
    """Silence should have moved its clock on since its last tick, 100 s ago; beyond IDLE_TIMEOUT
    what is missing of that counts. Where all of it was observed nothing is missing."""
    blind = market(0, -10, came_s=900)
    observed = market(0, -10, clock_s=100, came_s=900)

    assert seconds(overdue_ns(view(blind), settings())) == 95
    assert overdue_ns(view(observed), settings()) == 0


def test_a_reader_that_is_behind_is_not_a_late_feed() -> None:
    """Away from the end of the log old ticks come now because they are read now."""
    read_late = market(100, 90, came_s=1000)

    assert seconds(overdue_ns(view(read_late, unread=7, at_end=False), settings())) == 895


def test_a_market_that_is_on_time_beside_a_late_one() -> None:
    """Each has its own delay: the late one hides nothing."""
    late, blind = market(100, 90, came_s=1000), market(900, 890)

    assert seconds(overdue_ns(view(late, blind), settings())) == 95


def test_a_feed_that_is_ahead_has_no_delay() -> None:
    """Nor has one of which nothing is known."""
    assert feed_delay_ns(market(1004, 990, came_s=1000)) == 0
    assert feed_delay_ns(market(1000, 990)._replace(arrival_wall_ns=NEVER)) == 0
