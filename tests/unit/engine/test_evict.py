"""Forgetting series: memory and state stay as large as the market, never as its history."""

from __future__ import annotations

from barengine.kernel import Kernel
from barengine.model import Watermark
from tests.unit.engine.market import HOUR, B, Market

BY_SERIES = Watermark.SERIES


def _evict(market: Market, before: float) -> None:
    """Forget series whose last arrival is before that wall time, in seconds after noon."""
    wall = market.world.wall_ns
    market.wall(before)
    market.owner.engine.evict(market.world.wall_ns, 0)
    market.world.wall_ns = wall


def _stored_series(market: Market) -> set[str]:
    market.commit()
    return {symbol for _, symbol in market.world.store.image().series}


def _tombstones(market: Market) -> list[bytes]:
    """Commit, and tell the keys that the commit forgets."""
    return [record.key for record in market.commit().state if record.value is None]


def _two_series(kernel: type[Kernel]) -> Market:
    """x arrived at wall second 100, y at 200; both have a closed bar and nothing open."""
    market = Market(kernel, watermark=BY_SERIES, idle=5)
    for wall, symbol in ((100, "x"), (200, "y")):
        market.wall(wall)
        market.tick(0, symbol=symbol)
        market.silence(60)
    market.commit()
    return market


def test_a_silent_series_becomes_a_tombstone(kernel: type[Kernel]) -> None:
    """WATERMARK=series: the stored record goes with the next commit, the younger one stays."""
    market = _two_series(kernel)
    assert _stored_series(market) == {"x", "y"}
    _evict(market, before=101)
    assert _tombstones(market) == [b"series|a|x"]
    assert _tombstones(market) == []
    assert _stored_series(market) == {"y"}


def test_who_arrived_at_that_time_stays(kernel: type[Kernel]) -> None:
    """The time given is exclusive."""
    market = _two_series(kernel)
    _evict(market, before=100)
    assert _stored_series(market) == {"x", "y"}


def test_an_open_window_is_never_forgotten(kernel: type[Kernel]) -> None:
    """However long a series was silent: what it has open is still to leave."""
    market = Market(kernel, watermark=BY_SERIES, idle=None)
    market.wall(0)
    market.tick(0, 5)
    market.commit()
    _evict(market, before=HOUR)
    market.wall(HOUR)
    market.tick(60)
    assert market.bars == [B("x", 0, 5, 5, 5, 5, 1)]


def test_a_bar_on_its_way_out_is_never_forgotten(kernel: type[Kernel]) -> None:
    """Between closing and commit the series stays, and so does its record."""
    market = Market(kernel, watermark=BY_SERIES, idle=5)
    market.wall(0)
    market.tick(0, 5)
    market.silence(60)
    _evict(market, before=HOUR)
    assert market.bars == [B("x", 0, 5, 5, 5, 5, 1)]
    assert _stored_series(market) == {"x"}


def test_what_recovery_would_read_again_is_not_forgotten(kernel: type[Kernel]) -> None:
    """An open window of another series pins L before ticks of a silent one: without its record a
    crash would put them into a window again, and the bar would leave twice."""
    market = Market(kernel, watermark=BY_SERIES, idle=5)
    #   y   7 ..................|      open, offset 0: L
    #   x                1 .....|      closed by silence, offset 1
    #       0            55
    market.wall(0)
    market.tick(0, 7, "y")
    market.tick(55, 1, "x")
    market.silence(5)
    assert market.bars == [B("x", 0, 1, 1, 1, 1, 1)]
    _evict(market, before=HOUR)
    assert market.commit().low_water == 0
    market.restart()
    market.owner.feed_all()
    _evict(market, before=HOUR)
    market.commit()
    market.restart()
    market.owner.feed_all()
    market.silence(HOUR)
    assert market.bars == [B("x", 0, 1, 1, 1, 1, 1), B("y", 0, 7, 7, 7, 7, 1)]
    _evict(market, before=2 * HOUR)
    assert _stored_series(market) == set()


def test_a_late_tick_is_not_forgotten_either(kernel: type[Kernel]) -> None:
    """The same for a tick that was late: it must not come back into a bar."""
    market = Market(kernel, watermark=BY_SERIES, idle=5)
    market.wall(0)
    market.tick(55, 1, "x")
    market.silence(5)
    market.tick(0, 7, "y")
    late = market.tick(58, 2, "x")
    _evict(market, before=HOUR)
    assert market.commit().low_water == 1
    market.restart()
    market.owner.feed_all()
    market.silence(HOUR)
    assert market.bars == [B("x", 0, 1, 1, 1, 1, 1), B("y", 0, 7, 7, 7, 7, 1)]
    assert [one.offset for one in market.late] == [late]


def test_a_restart_does_not_make_series_older(kernel: type[Kernel]) -> None:
    """A series met again in recovery arrived when its broker last did: not before all time."""
    market = Market(kernel, watermark=BY_SERIES, idle=5)
    market.wall(100)
    market.tick(0, 1)
    market.commit()
    market.restart()
    market.owner.feed_all()
    market.silence(120)
    assert _stored_series(market) == {"x"}
    _evict(market, before=100)
    assert _stored_series(market) == {"x"}
    _evict(market, before=101)
    assert _stored_series(market) == set()


def test_nothing_is_forgotten_while_replaying(kernel: type[Kernel]) -> None:
    """In [L, C) the open windows are not known yet, so no series can be called done."""
    market = Market(kernel, watermark=BY_SERIES, idle=5)
    market.wall(0)
    market.tick(0, 7, "y")
    market.tick(55, 1, "x")
    market.silence(5)
    market.commit()
    market.restart()
    _evict(market, before=HOUR)
    market.owner.feed_all()
    market.silence(HOUR)
    assert market.bars == [B("x", 0, 1, 1, 1, 1, 1), B("y", 0, 7, 7, 7, 7, 1)]


def test_a_forgotten_series_begins_anew(kernel: type[Kernel]) -> None:
    """After its SERIES_TTL a series is a new one: it may write a bucket once more."""
    market = _two_series(kernel)
    _evict(market, before=HOUR)
    market.tick(1, 2, "x")
    market.silence(60)
    assert market.bars.count(B("x", 0, 2, 2, 2, 2, 1)) == 1
    assert market.late == []


def test_a_series_that_returns_before_the_commit(kernel: type[Kernel]) -> None:
    """Forgotten and back within one commit, it keeps its newest record, not the tombstone."""
    market = _two_series(kernel)
    _evict(market, before=101)
    market.tick(300, 2, "x")
    market.silence(60)
    assert _stored_series(market) == {"x", "y"}


def test_one_clock_per_broker_forgets_nothing_needed(kernel: type[Kernel]) -> None:
    """WATERMARK=broker: without the series late is still late, before and after a crash, and no
    record of it was ever stored."""
    market = Market(kernel)
    market.wall(0)
    market.tick(0, 1, "x")
    market.tick(60, 2, "y")
    market.commit()
    _evict(market, before=HOUR)
    assert _tombstones(market) == []
    first = market.tick(10, 9, "x")
    market.commit()
    market.restart()
    _evict(market, before=HOUR)
    second = market.tick(11, 9, "x")
    assert [one.offset for one in market.late] == [first, second]
    assert market.bars == [B("x", 0, 1, 1, 1, 1, 1)]
    assert _stored_series(market) == set()


def test_records_of_another_watermark_go_when_covered(kernel: type[Kernel]) -> None:
    """After WATERMARK=series became broker, a series' record stays as long as it says more than
    its broker's, and goes then."""
    market = Market(kernel, watermark=BY_SERIES, idle=5)
    #   x   1 .....|                         closed through 60; then the broker's grace is 600
    #   y               2        3
    #       55          659      660
    market.wall(0)
    market.tick(55, 1, "x")
    market.silence(5)
    market.commit()
    market.restart(watermark=Watermark.BROKER, grace=600)
    market.tick(659, 2, "y")
    _evict(market, before=HOUR)
    assert _stored_series(market) == {"x"}
    market.tick(660, 3, "y")
    _evict(market, before=HOUR)
    assert _stored_series(market) == set()
