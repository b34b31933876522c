"""When a window closes, what is late, what is dead: one small market per rule.

Time-lines: digits are prices, at the second after noon that stands below them; | ends a bucket.
"""

from __future__ import annotations

from functools import partial
from itertools import permutations

import pytest

from barengine.kernel import Kernel
from barengine.model import LatePolicy, Order, Watermark
from tests.unit.engine.market import B, L, Market
from tests.unit.engine.run import BAD_VALUES


def test_a_minute_ends_at_its_last_millisecond(kernel: type[Kernel]) -> None:
    """A tick at :59.900 and one at :00.010 are in two bars."""
    market = Market(kernel)
    #      1 | 2              | 3
    #   59.9  60.01            120
    market.tick(59.9, 1)
    market.tick(60.01, 2)
    market.tick(120, 3)
    assert market.bars == [B("x", 0, 1, 1, 1, 1, 1), B("x", 60, 2, 2, 2, 2, 1)]


def test_a_tick_on_the_edge_opens_the_next_bucket(kernel: type[Kernel]) -> None:
    """Buckets are half open: the first instant of a minute is not in the minute before."""
    market = Market(kernel)
    #   1    | 2
    #   59.999 60
    market.tick(59.999, 1)
    assert market.bars == []
    market.tick(60, 2)
    assert market.bars == [B("x", 0, 1, 1, 1, 1, 1)]


def test_a_window_closes_when_its_end_reaches_the_watermark(kernel: type[Kernel]) -> None:
    """With a grace of 5 s the first minute is open at 64.999 and closed at 65."""
    market = Market(kernel, grace=5)
    #   1   |      2        3
    #   10        64.999    65
    market.tick(10, 1)
    market.tick(64.999, 2)
    assert market.bars == []
    market.tick(65, 3)
    assert market.bars == [B("x", 0, 1, 1, 1, 1, 1)]


def test_late_exactly_at_the_boundary(kernel: type[Kernel]) -> None:
    """bucket_end == watermark is late; a millisecond of clock less, and it is in the bar."""
    market = Market(kernel, grace=5)
    #   1    4,5  |  2       3
    #   10   59.5    64.999  65      arriving as 1 2 4 3 5
    market.tick(10, 1)
    market.tick(64.999, 2)
    market.tick(59.5, 4)
    market.tick(65, 3)
    late = market.tick(59.5, 5)
    assert market.bars == [B("x", 0, 1, 4, 1, 4, 2)]
    assert market.late == [L(late, bucket=0, by=5.5)]


def test_every_tick_but_the_first_late(kernel: type[Kernel]) -> None:
    """Where all ticks are late there are no bars, and each is told with bucket and lateness."""
    market = Market(kernel)
    #   1  1    | 1  | 1   |  |  | 9
    #   5  59.5   70   130         300      the 9 comes first
    market.tick(300, 9)
    for at in (5, 70, 130, 59.5):
        market.tick(at)
    assert market.bars == []
    assert market.late == [L(1, 0, 295), L(2, 60, 230), L(3, 120, 170), L(4, 0, 240.5)]


def test_ticks_of_a_bucket_in_any_order(kernel: type[Kernel]) -> None:
    """While the bucket is open the order of arrival changes nothing in the bar's prices."""
    #   2  5  1  3 |
    #   0  9 20 59
    ticks = [(0, 2), (9, 5), (20, 1), (59, 3)]
    for order in permutations(ticks):
        market = Market(kernel)
        for at, price in order:
            market.put(at, price)
        market.tick(60)
        assert market.bars == [B("x", 0, 2, 5, 1, 3, 4)]


def test_order_by_offset(kernel: type[Kernel]) -> None:
    """With ORDER=offset open and close are the first and last to arrive, whatever their times."""
    market = Market(kernel, order=Order.OFFSET)
    #   2  5  1  3 |      arriving as 5 3 2 1
    #   0  9 20 59
    for at, price in ((9, 5), (59, 3), (0, 2), (20, 1)):
        market.put(at, price)
    market.tick(60)
    assert market.bars == [B("x", 0, 5, 5, 1, 1, 4)]


def test_two_ticks_with_the_same_event_time(kernel: type[Kernel]) -> None:
    """The offset decides: the earlier one opens, the later one closes."""
    market = Market(kernel)
    #   4,7    |
    #   30
    market.put(30, 4)
    market.put(30, 7)
    market.tick(60)
    assert market.bars == [B("x", 0, 4, 7, 4, 7, 2)]


def test_the_same_tick_twice(kernel: type[Kernel]) -> None:
    """A tick that was produced twice counts twice and moves no price."""
    market = Market(kernel)
    market.put(30, 4)
    market.put(30, 4)
    market.tick(60)
    assert market.bars == [B("x", 0, 4, 4, 4, 4, 2)]


def test_a_silent_symbol_closes_with_its_broker(kernel: type[Kernel]) -> None:
    """One clock per broker: y needs no tick of its own to be closed, another broker's z stays."""
    market = Market(kernel)
    #   x   1    |  2
    #   y     3  |
    #   z     4  |            of broker b
    #       10 20   61
    market.tick(10, 1, "x")
    market.tick(20, 3, "y")
    market.tick(20, 4, "z", broker="b")
    market.tick(61, 2, "x")
    assert market.bars == [B("x", 0, 1, 1, 1, 1, 1), B("y", 0, 3, 3, 3, 3, 1)]


def test_history_loaded_symbol_by_symbol(kernel: type[Kernel]) -> None:
    """WATERMARK=series: y's old ticks are not late because x's new ones came first."""
    market = Market(kernel, watermark=Watermark.SERIES)
    #   x   1  |  2  |  3
    #   y   4  |  5            after all of x
    for at, price in ((0, 1), (60, 2), (120, 3)):
        market.tick(at, price, "x")
    for at, price in ((0, 4), (60, 5)):
        market.tick(at, price, "y")
    assert market.late == []
    first, second, other = market.bars
    assert [first, second] == [B("x", 0, 1, 1, 1, 1, 1), B("x", 60, 2, 2, 2, 2, 1)]
    assert other == B("y", 0, 4, 4, 4, 4, 1)


@pytest.mark.parametrize("watermark", Watermark)
def test_batch_boundaries_do_not_matter(kernel: type[Kernel], watermark: Watermark) -> None:
    """However six records are cut into batches, the same bars and late ticks leave."""
    #   1  2   4  |  3  |  5    6
    #   0  50  58    61    130  131      the 4 comes after the 3
    ticks = [(0, 1), (50, 2), (61, 3), (58, 4), (130, 5), (131, 6)]
    outcomes = set()
    for cuts in range(2 ** (len(ticks) - 1)):
        market = Market(kernel, watermark=watermark)
        for at, price in ticks:
            market.put(at, price)
        for place in range(len(ticks)):
            if cuts >> place & 1:
                market.owner.feed(place + 1 - market.owner.engine.position)
        market.owner.feed_all()
        outcomes.add((*market.bars, *market.late))
    expected = (B("x", 0, 1, 2, 1, 2, 2), B("x", 60, 3, 3, 3, 3, 1), L(3, 0, 61 - 58))
    assert outcomes == {expected}


def test_a_tick_in_2099_makes_nothing_late(kernel: type[Kernel]) -> None:
    """A tick too far ahead of the wall clock is dead with reason future and moves no clock."""
    market = Market(kernel, max_future=300)
    #   1            2 |    wall clock at 40
    #   10   2099!  50
    market.wall(40)
    market.tick(10, 1)
    skewed = market.tick(73 * 365 * 24 * 3600.0, 99)
    market.tick(50, 2)
    market.tick(60, 3)
    assert market.bars == [B("x", 0, 1, 2, 1, 2, 2)]
    assert market.late == []
    assert market.dead == [(skewed, "future")]


def test_a_clock_that_is_a_little_ahead(kernel: type[Kernel]) -> None:
    """Exactly max_future ahead is accepted, a millisecond more is not."""
    market = Market(kernel, max_future=300)
    market.wall(0)
    refused = market.tick(300.001)
    accepted = market.tick(300)
    assert market.dead == [(refused, "future")]
    assert market.commit().low_water == accepted


def test_records_that_are_no_ticks(kernel: type[Kernel]) -> None:
    """Each goes to the dead letters with its reason, as it came, and moves no clock."""
    market = Market(kernel)
    for value in BAD_VALUES:
        market.world.log.append_raw(value)
    market.tick(0)
    assert [reason for _, reason in market.dead] == [
        *("null_value", "framing", "framing", "undecodable", "empty_name", "empty_name"),
        *("name_too_long", "price_not_finite", "price_range", "time_range"),
    ]
    dead = market.world.commits[0].dead
    assert [one.value for one in dead] == list(BAD_VALUES)
    assert [one.key for one in dead] == [b"key-%d" % at for at in range(len(BAD_VALUES))]
    assert market.late == []


def test_drop_policy(kernel: type[Kernel]) -> None:
    """With LATE_POLICY=drop a late tick leaves as a count alone: reason and lateness, no bytes."""
    market = Market(kernel, late_policy=LatePolicy.DROP)
    #   2  | 1
    #   30   60      the 2 comes second
    market.tick(60, 1)
    market.tick(30, 2)
    assert market.owner.engine.has_output, "a flood of dropped ticks must not pile up"
    assert market.owner.engine.pending_bytes > 0
    commit = market.commit()
    assert (commit.late, commit.dead) == ([], [])
    (dropped,) = commit.dropped
    assert (dropped.offset, dropped.reason.label) == (1, "watermark")
    assert dropped.lateness_ns == 30 * 10**9
    assert (dropped.key, dropped.value, dropped.headers) == (None, None, b"")


def test_output_that_waits(kernel: type[Kernel]) -> None:
    """Bars, late ticks and dead letters wait to leave and weigh something; a snapshot takes all."""
    market = Market(kernel)
    engine, log = market.owner.engine, market.world.log.append_raw
    market.tick(0)
    assert (engine.has_output, engine.pending_bytes) == (False, 0)
    weights = []
    for append in (partial(market.put, 60), partial(market.put, 59), partial(log, b"\1" * 1000)):
        append()
        market.owner.feed_all()
        assert engine.has_output
        weights.append(engine.pending_bytes)
    assert 0 < weights[0] < weights[1] < weights[2] - 1000
    commit = market.commit()
    assert (len(commit.bars), len(commit.late), len(commit.dead)) == (1, 1, 1)
    assert (engine.has_output, engine.pending_bytes) == (False, 0)


def test_buckets_before_1970(kernel: type[Kernel]) -> None:
    """Event times before the epoch round down, not towards it."""
    market = Market(kernel)
    since_epoch = -market.world.wall_ns / 10**9 + 3600
    #   1     | 2
    #  -0.001   0     of 1970
    market.tick(since_epoch - 0.001, 1)
    market.tick(since_epoch, 2)
    (bar,) = market.records
    assert (bar.bucket_ms, bar.timestamp_ms) == (-60_000, -60_000)


@pytest.mark.parametrize("name", ["a|b", "\\", "|", "\\|", "a\\", "Zürich", "日経225", " ", "🙂"])
def test_names_survive(kernel: type[Kernel], name: str) -> None:
    """Separators, escapes and any script come back from key, value, late tick and state."""
    market = Market(kernel, watermark=Watermark.SERIES)
    market.tick(0, symbol=name, broker=name)
    market.tick(60, symbol=name, broker=name)
    late = market.tick(59, symbol=name, broker=name)
    (bar,) = market.records
    assert bar.series == (name, name)
    assert (bar.row["broker"], bar.row["symbol"]) == (name, name)
    assert [(one.offset, one.broker) for one in market.world.commits[0].late] == [(late, name)]
    image = market.world.store.image()
    assert (list(image.brokers), list(image.series)) == ([name], [(name, name)])


def test_names_that_look_alike_when_joined(kernel: type[Kernel]) -> None:
    """(a|b, c) and (a, b|c) are two series with two keys."""
    market = Market(kernel)
    market.tick(0, 1, "c", "a|b")
    market.tick(0, 2, "b|c", "a")
    market.tick(60, 1, "c", "a|b")
    market.tick(60, 2, "b|c", "a")
    assert len({bar.key for bar in market.records}) == 2
    assert {bar.series for bar in market.records} == {("a|b", "c"), ("a", "b|c")}
