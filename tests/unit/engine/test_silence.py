"""A market that goes quiet: its last windows close by observed silence, and by nothing else.

Time-lines: digits are prices, at the second after noon below them; | ends a bucket, ... is
observed silence.
"""

from __future__ import annotations

import pytest

from barengine.kernel import Kernel
from barengine.model import NS_PER_S, Watermark
from tests.unit.engine.market import HOUR, B, L, Market

ONE = B("x", 0, 1, 1, 1, 1, 1)
"""The bar of one tick of x at price 1 in the first minute."""

every_watermark = pytest.mark.parametrize("watermark", Watermark)


@every_watermark
def test_the_last_window_closes_after_silence(kernel: type[Kernel], watermark: Watermark) -> None:
    """It takes as much silence as event time is missing: 10 s after a tick at :50."""
    market = Market(kernel, idle=5, watermark=watermark)
    #   1  ..........|
    #   50           60
    market.tick(50, 1)
    market.silence(9.999)
    assert market.bars == []
    market.silence(0.001)
    assert market.bars == [ONE]


@every_watermark
def test_silence_counts_only_after_the_idle_timeout(
    kernel: type[Kernel], watermark: Watermark
) -> None:
    """A market that pauses for less than IDLE_TIMEOUT keeps its window, even past its end."""
    market = Market(kernel, idle=5, watermark=watermark)
    #   1 ..|..  .
    #   58  60
    market.tick(58, 1)
    market.silence(4.999)
    assert market.bars == []
    market.silence(0.001)
    assert market.bars == [ONE]


@every_watermark
def test_grace_is_waited_for_in_silence_too(kernel: type[Kernel], watermark: Watermark) -> None:
    """With a grace of 20 s the window of a tick at :50 closes after 30 s of silence."""
    market = Market(kernel, idle=5, grace=20, watermark=watermark)
    market.tick(50, 1)
    market.silence(29.999)
    assert market.bars == []
    market.silence(0.001)
    assert market.bars == [ONE]


@every_watermark
def test_idle_timeout_off(kernel: type[Kernel], watermark: Watermark) -> None:
    """Without an idle time-out no silence closes anything."""
    market = Market(kernel, idle=None, watermark=watermark)
    market.tick(58, 1)
    market.silence(30 * 24 * HOUR)
    assert market.bars == []


@every_watermark
def test_a_silent_broker_beside_a_busy_one(kernel: type[Kernel], watermark: Watermark) -> None:
    """Silence is counted per broker: a's window closes, though b never pauses; b's stays."""
    market = Market(kernel, idle=5, watermark=watermark)
    #   a x   1 ....|......
    #   b y     3 3 3 3 3     event time stands at 10 s
    #         55
    market.tick(55, 1, "x", "a")
    for _ in range(4):
        market.tick(10, 3, "y", "b")
        market.silence(1)
    assert market.bars == []
    market.tick(10, 3, "y", "b")
    market.silence(1)
    assert market.bars == [ONE]
    assert market.owner.engine.kernel.open_windows == 1


def test_a_silent_series_beside_a_busy_one(kernel: type[Kernel]) -> None:
    """WATERMARK=series: silence is counted per series, too, and closes the silent one's windows."""
    market = Market(kernel, idle=5, watermark=Watermark.SERIES)
    #   x   1 ....|......
    #   y     3 3 3 3 3     event time stands at 10 s
    #       55
    market.tick(55, 1, "x")
    for _ in range(5):
        market.tick(10, 3, "y")
        market.silence(1)
    assert market.bars == [ONE]
    assert market.owner.engine.kernel.open_windows == 1


@every_watermark
def test_an_arrival_ends_the_silence(kernel: type[Kernel], watermark: Watermark) -> None:
    """Two pauses below IDLE_TIMEOUT close nothing, however long they are together."""
    market = Market(kernel, idle=5, watermark=watermark)
    #   1 ....|  2 ....
    #   58       59
    market.tick(58, 1)
    market.silence(4)
    market.tick(59, 2)
    market.silence(4)
    assert market.bars == []


@every_watermark
def test_a_late_tick_ends_the_silence(kernel: type[Kernel], watermark: Watermark) -> None:
    """A late tick is an arrival: the broker lives, though its ticks come too late."""
    market = Market(kernel, idle=5, watermark=watermark)
    #   3  | 1  ....|...
    #   30   118        the 3 comes in between, late
    market.tick(118, 1)
    market.silence(4)
    late = market.tick(30, 3)
    market.silence(4)
    assert market.bars == []
    assert [one.offset for one in market.late] == [late]
    market.silence(1)
    assert market.bars == [B("x", 60, 1, 1, 1, 1, 1)]


def test_late_because_of_silence(kernel: type[Kernel]) -> None:
    """What silence has closed is closed: an honest tick that comes then is late, and says why."""
    market = Market(kernel, idle=5)
    #   1  ..........|  2           3
    #   50           60 (59)        (60)
    market.tick(50, 1)
    market.silence(10)
    late = market.tick(59, 2)
    market.tick(60, 3)
    assert market.bars == [ONE]
    assert market.late == [L(late, bucket=0, by=1, reason="silence")]


def test_lateness_by_watermark_beats_silence(kernel: type[Kernel]) -> None:
    """Where event time alone had closed the bucket, the reason is watermark."""
    market = Market(kernel, idle=5)
    market.tick(50, 1)
    market.silence(10)
    market.tick(130, 2)
    late = market.tick(59, 3)
    assert market.late == [L(late, bucket=0, by=71, reason="watermark")]


def test_silence_leaves_the_clock_of_a_series_alone(kernel: type[Kernel]) -> None:
    """WATERMARK=series: after an hour of silence the series goes on where it stood."""
    market = Market(kernel, idle=5, watermark=Watermark.SERIES)
    #   1  ..........|  2  | 3      an hour of silence after the 1
    #   50           60 61  120
    market.tick(50, 1)
    market.silence(10)
    market.silence(HOUR)
    market.tick(61, 2)
    market.tick(120, 3)
    assert market.late == []
    assert market.bars == [ONE, B("x", 60, 2, 2, 2, 2, 1)]


def test_a_replay_of_last_year_does_not_jump_to_today(kernel: type[Kernel]) -> None:
    """The clock runs on by what was silent, not to the wall clock."""
    market = Market(kernel, idle=5)
    market.wall(365 * 24 * HOUR)
    #   1  ..........  2
    #   0              12      10 s of silence
    market.tick(0, 1)
    market.silence(10)
    market.tick(12, 2)
    assert (market.late, market.bars) == ([], [])
    market.tick(60, 3)
    assert market.bars == [B("x", 0, 1, 2, 1, 2, 2)]


def test_silence_in_many_small_pieces(kernel: type[Kernel]) -> None:
    """A hundred answers of 100 ms close what one pause of 10 s closes."""
    market = Market(kernel, idle=5)
    market.tick(50, 1)
    for _ in range(99):
        market.silence(0.1)
    assert market.bars == []
    market.silence(0.1)
    assert market.bars == [ONE]


@every_watermark
def test_no_silence_while_replaying(kernel: type[Kernel], watermark: Watermark) -> None:
    """In [L, C) nothing closes, whatever is said of silence."""
    market = Market(kernel, idle=5, watermark=watermark)
    market.tick(50, 1)
    market.tick(51, 1)
    market.commit()
    market.restart()
    market.owner.feed(1)
    assert market.owner.engine.replaying
    market.owner.engine.observe(HOUR * NS_PER_S)
    assert market.owner.engine.kernel.pending == 0
    market.owner.feed_all()
    assert market.bars == []


@every_watermark
def test_silence_before_a_restart(kernel: type[Kernel], watermark: Watermark) -> None:
    """A restart begins to count anew; where the log brought nothing, the wall clock tells how
    long that was."""
    market = Market(kernel, idle=5, watermark=watermark)
    #   1  ....  restart  ......|
    #   50                      60
    market.wall(50)
    market.tick(50, 1)
    market.silence(4)
    market.commit()
    market.wall(58)
    market.restart()
    market.owner.feed_all()
    market.silence(1.999)
    assert market.bars == []
    market.silence(0.001)
    assert market.bars == [ONE]


@every_watermark
def test_a_restart_with_news_in_the_log(kernel: type[Kernel], watermark: Watermark) -> None:
    """Where ticks came meanwhile, nobody knows how long it was silent: counting begins anew."""
    market = Market(kernel, idle=5, watermark=watermark)
    market.wall(50)
    market.tick(50, 1)
    market.commit()
    market.wall(HOUR)
    market.restart()
    market.tick(51, 1)
    market.silence(4.999)
    assert market.bars == []


@every_watermark
def test_a_restart_with_a_wall_clock_set_back(kernel: type[Kernel], watermark: Watermark) -> None:
    """A wall clock that stands before the last arrival counts as no silence, not as less."""
    market = Market(kernel, idle=5, watermark=watermark)
    market.wall(HOUR)
    market.tick(55, 1)
    market.commit()
    market.wall(0)
    market.restart()
    market.owner.feed_all()
    market.silence(4.999)
    assert market.bars == []
    market.silence(0.001)
    assert market.bars == [ONE]


@every_watermark
def test_silence_survives_restarts(kernel: type[Kernel], watermark: Watermark) -> None:
    """What silence closed before a crash stays closed after it."""
    market = Market(kernel, idle=5, watermark=watermark)
    market.tick(50, 1)
    market.silence(10)
    market.commit()
    market.restart()
    late = market.tick(59, 2)
    assert market.bars == [ONE]
    assert market.late == [L(late, 0, 1, "silence")]


def test_silence_that_closes_no_bar_is_remembered(kernel: type[Kernel]) -> None:
    """WATERMARK=series: a closed_through that silence lifted is stored, though no bar left."""
    market = Market(kernel, idle=5, grace=10, watermark=Watermark.SERIES)
    #       |  1 ........ 2?        the 2 at 59; silence makes the watermark 65 + 8 - 10
    #       60 65
    market.tick(65, 1)
    market.silence(8)
    market.commit()
    market.restart()
    late = market.tick(59, 2)
    assert market.bars == []
    assert market.late == [L(late, 0, 6, "silence")]
