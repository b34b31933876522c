"""Coming back: what is stored and what is read again.

Time-lines: digits are prices, at the second after noon below them; | ends a bucket, # is a
restart.
"""

from __future__ import annotations

import pytest

from barengine.errors import StateError
from barengine.kernel import Kernel
from barengine.model import Watermark
from tests.unit.engine.log import LEARNED_ID
from tests.unit.engine.market import HOUR, B, L, Market

every_watermark = pytest.mark.parametrize("watermark", Watermark)


@every_watermark
def test_restart_in_the_middle_of_a_window(kernel: type[Kernel], watermark: Watermark) -> None:
    """The bar holds the ticks before the restart and those after it, each once."""
    market = Market(kernel, watermark=watermark)
    #   2  5 # 1  3 |
    #   0 10   20 59
    market.tick(0, 2)
    market.tick(10, 5)
    market.commit()
    market.restart()
    market.tick(20, 1)
    market.tick(59, 3)
    market.tick(60)
    assert market.bars == [B("x", 0, 2, 5, 1, 3, 4)]


def test_crash_before_the_first_commit(kernel: type[Kernel]) -> None:
    """What was never committed is simply read again."""
    market = Market(kernel)
    market.tick(0, 2)
    market.tick(60, 3)
    market.restart()
    market.owner.feed_all()
    assert market.bars == [B("x", 0, 2, 2, 2, 2, 1)]


@every_watermark
def test_restart_while_many_windows_are_open(kernel: type[Kernel], watermark: Watermark) -> None:
    """Every one of 300 open windows, over three minutes, comes back with its ticks."""
    market = Market(kernel, grace=600, watermark=watermark)
    for minute in range(3):
        for symbol in range(100):
            market.put(60 * minute + symbol % 60, symbol, f"s{symbol}")
    market.owner.feed_all()
    market.commit()
    market.restart()
    market.owner.feed_all()
    assert market.owner.engine.kernel.open_windows == 300
    for symbol in range(100):
        market.put(1000, 0, f"s{symbol}")
    market.owner.feed_all()
    expected = [
        B(f"s{symbol}", 60 * minute, symbol, symbol, symbol, symbol, 1)
        for minute in range(3)
        for symbol in range(100)
    ]
    assert sorted(market.bars) == sorted(expected)


def test_low_water_is_the_first_tick_of_an_open_window(kernel: type[Kernel]) -> None:
    """L is the smallest first offset of an open window; C is what is processed; else L = C."""
    market = Market(kernel)

    def offsets() -> tuple[int, int]:
        commit = market.commit()
        return commit.low_water, commit.commit_offset

    #   offset   0    1    2 |  3    4  |
    #   at       5   10   20    65   30   ...   the tick at 30 is late
    assert offsets() == (0, 0)
    market.tick(5)
    market.tick(10, symbol="y")
    assert offsets() == (0, 2)
    market.tick(20)
    assert offsets() == (0, 3)
    market.tick(65)
    assert offsets() == (3, 4)
    market.tick(30)
    assert offsets() == (3, 5)
    market.silence(60)
    assert offsets() == (5, 5)
    market.world.log.append_raw(None)
    market.owner.feed_all()
    assert offsets() == (6, 6)


def test_an_empty_log(kernel: type[Kernel]) -> None:
    """Nothing in, nothing out; the first commit stores where the engine began."""
    market = Market(kernel)
    market.silence(HOUR)
    commit = market.commit()
    assert (commit.bars, commit.late, commit.dead) == ([], [], [])
    assert (commit.low_water, commit.commit_offset, commit.seq) == (0, 0, 1)
    market.restart()
    assert not market.owner.engine.replaying
    assert market.commit().seq == 2


def test_offsets_that_hold_nothing(kernel: type[Kernel]) -> None:
    """Control batches and compaction leave gaps; C steps over them, in replay too."""
    market = Market(kernel)
    market.tick(0, 1)
    market.world.log.leave_gap(5)
    market.owner.feed_all()
    assert market.commit().commit_offset == 6
    market.restart()
    market.owner.feed_all()
    assert not market.owner.engine.replaying
    market.tick(60)
    assert market.bars == [B("x", 0, 1, 1, 1, 1, 1)]


def test_the_position_never_goes_back(kernel: type[Kernel]) -> None:
    """Being told of a gap that was passed long ago changes nothing."""
    market = Market(kernel)
    market.tick(0)
    market.tick(1)
    market.owner.engine.skip_to(1)
    assert market.owner.engine.position == 2


def test_replayed_records_are_not_new(kernel: type[Kernel]) -> None:
    """live_records counts what this life processed first, so that nothing is counted twice."""
    market = Market(kernel)
    market.tick(0)
    market.tick(1)
    assert market.owner.engine.live_records == 2
    market.commit()
    market.restart()
    market.owner.feed_all()
    assert market.owner.engine.live_records == 0
    market.tick(2)
    assert market.owner.engine.live_records == 1


def test_a_batch_across_the_commit_offset(kernel: type[Kernel]) -> None:
    """One batch may hold ticks to replay and new ones: the new ones alone can be late."""
    market = Market(kernel, grace=0)
    #   2  1  ||  # 3  |  4 (late 5)
    #   0  50       59    60  58
    market.tick(0, 2)
    market.tick(50, 1)
    market.commit()
    for at, price in ((59, 3), (60, 4), (58, 5)):
        market.put(at, price)
    market.restart()
    market.owner.feed(5, behind=0)
    assert market.bars == [B("x", 0, 2, 3, 1, 3, 3)]
    assert market.late == [L(4, 0, 2)]


def test_a_batch_before_the_position_does_nothing(kernel: type[Kernel]) -> None:
    """What was processed is not processed again, and the position never goes back."""
    market = Market(kernel)
    market.tick(0)
    market.tick(1)
    batch = market.world.log.batch(0, 1)
    assert batch is not None
    outcome = market.owner.engine.feed(batch, 1, market.world.wall_ns)
    assert (outcome.next_offset, outcome.records, market.owner.engine.position) == (2, 0, 2)
    market.tick(60)
    assert market.bars == [B("x", 0, 1, 1, 1, 1, 2)]


@every_watermark
def test_closed_stays_closed_when_grace_grows(kernel: type[Kernel], watermark: Watermark) -> None:
    """A longer grace opens nothing again; it acts from C on, above what is closed."""
    market = Market(kernel, grace=0, watermark=watermark)
    #   1  |  2  #  3      4  |              grace 0, from # on 50 s
    #   0     60    59     70   (120 + 50)
    market.tick(0, 1)
    market.tick(60, 2)
    assert market.bars == [B("x", 0, 1, 1, 1, 1, 1)]
    before = market.closed_through()
    market.restart(grace=50)
    late = market.tick(59, 3)
    market.tick(70, 4)
    assert market.closed_through() == before
    assert [one.offset for one in market.late] == [late]
    market.tick(169.999, 5)
    assert len(market.bars) == 1
    market.tick(170, 6)
    assert market.bars[1:] == [B("x", 60, 2, 4, 2, 4, 2)]


@every_watermark
def test_a_shorter_grace_acts_at_once(kernel: type[Kernel], watermark: Watermark) -> None:
    """Windows that the new grace makes due close with the first commit after the replay."""
    market = Market(kernel, grace=600, watermark=watermark)
    market.tick(0, 1)
    market.tick(70, 2)
    assert market.bars == []
    market.restart(grace=5)
    market.owner.feed_all()
    assert market.bars == [B("x", 0, 1, 1, 1, 1, 1)]


def test_from_broker_clocks_to_series_clocks_and_back(kernel: type[Kernel]) -> None:
    """The watermark mode may change between runs: nothing closed opens, nothing is lost."""
    market = Market(kernel, watermark=Watermark.BROKER)
    #   x   1  |  2  #      |      #
    #   y             3(late)  4        | 5
    #       0     60    59     61        121 (x)
    market.tick(0, 1, "x")
    market.tick(60, 2, "x")
    market.commit()
    market.restart(watermark=Watermark.SERIES)
    late = market.tick(59, 3, "y")
    market.tick(61, 4, "y")
    market.commit()
    market.restart(watermark=Watermark.BROKER)
    market.tick(121, 5, "x")
    assert [one.offset for one in market.late] == [late]
    assert market.bars == [
        *(B("x", 0, 1, 1, 1, 1, 1), B("x", 60, 2, 2, 2, 2, 1), B("y", 60, 4, 4, 4, 4, 1))
    ]


def test_quarantined_ticks_stay_quarantined(kernel: type[Kernel]) -> None:
    """Recovery skips a tick that was from the future, though the wall clock has come to it."""
    market = Market(kernel, grace=600, max_future=300)
    #   1   9   #             wall 0, from # on 5000
    #   0   400
    market.wall(0)
    market.tick(0, 1)
    quarantined = market.tick(400, 9)
    market.commit()
    market.wall(5000)
    market.restart()
    market.tick(1000, 2)
    market.tick(5000, 3)
    assert market.dead == [(quarantined, "future")]
    assert market.bars == [B("x", 0, 1, 1, 1, 1, 1), B("x", 960, 2, 2, 2, 2, 1)]


def test_ticks_are_not_quarantined_again(kernel: type[Kernel]) -> None:
    """A tick that was accepted is accepted in recovery, whatever max_future and the clock say."""
    market = Market(kernel, max_future=300)
    market.wall(0)
    market.tick(250, 1)
    market.commit()
    market.wall(-HOUR)
    market.restart(max_future=0)
    market.owner.feed_all()
    assert market.owner.engine.kernel.open_windows == 1
    assert market.dead == []


def test_an_unknown_schema_that_is_learned_later(kernel: type[Kernel]) -> None:
    """Recovery skips what went to the dead letters then, though it could read it now."""
    market = Market(kernel)
    #   1   9?  #  9  3 |        the second schema is unknown before #
    #   0   10     20 30
    market.tick(0, 1)
    unknown = market.tick(10, 9, schema_id=LEARNED_ID)
    market.commit()
    market.world.registry.learned = True
    market.restart()
    market.tick(20, 9, schema_id=LEARNED_ID)
    market.tick(30, 3)
    market.tick(60)
    assert market.dead == [(unknown, "unknown_schema")]
    assert market.bars == [B("x", 0, 1, 9, 1, 3, 3)]


def test_a_schema_that_is_forgotten_is_asked_for_again(kernel: type[Kernel]) -> None:
    """An unknown id stays unknown until it is forgotten; then the registry decides anew."""
    market = Market(kernel)
    first = market.tick(0, 1, schema_id=LEARNED_ID)
    market.world.registry.learned = True
    second = market.tick(1, 1, schema_id=LEARNED_ID)
    market.owner.ask_again()
    market.tick(2, 7, schema_id=LEARNED_ID)
    market.tick(60)
    assert market.dead == [(first, "unknown_schema"), (second, "unknown_schema")]
    assert market.bars == [B("x", 0, 7, 7, 7, 7, 1)]


def test_a_schema_that_the_registry_lost(kernel: type[Kernel]) -> None:
    """A tick that was read before and cannot be read now stops recovery; skipping would lose it."""
    market = Market(kernel)
    market.world.registry.learned = True
    market.tick(0, 1, schema_id=LEARNED_ID)
    market.commit()
    market.world.registry.learned = False
    market.restart()
    with pytest.raises(StateError, match=r"offset 0 was read before.*register that schema again"):
        market.owner.feed_all()


def test_no_snapshot_while_replaying(kernel: type[Kernel]) -> None:
    """In [L, C) there is nothing to commit: C would go back."""
    market = Market(kernel)
    market.tick(0)
    market.tick(1)
    market.commit()
    market.restart()
    market.owner.feed(1)
    with pytest.raises(RuntimeError, match="no snapshot at 1, before C 2"):
        market.owner.engine.snapshot()


def test_the_first_commit_follows_the_stored_one(kernel: type[Kernel]) -> None:
    """seq grows by one with every commit, over restarts."""
    market = Market(kernel)
    numbers = []
    for _ in range(3):
        numbers += [market.commit().seq, market.commit().seq]
        market.restart()
    assert numbers == [1, 2, 3, 4, 5, 6]
