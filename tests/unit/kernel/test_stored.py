"""Windows that are stored and loaded again: nothing of them is lost, nothing else comes back."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barengine.kernel import BrokerState, Kernel, SeriesState, WindowBlock
from barengine.model import Order, Touch, Watermark
from tests.unit.kernel.build import NOON_NS, feed, take, text, tick, tick_value, varint
from tests.unit.kernel.conftest import Make
from tests.unit.kernel.sized import UNIT, sized, trade
from tests.unit.kernel.test_replay import replay

SECOND = 10**9
MINUTE = 60 * SECOND
ALL = 2**40
"""Bytes of a block that holds everything."""


def restarted(make: Make, first: Kernel, as_of: int, **settings: Any) -> Kernel:
    """A fresh kernel with the clocks and the stored windows of another one."""
    blocks = first.store_windows(as_of).pack(ALL)
    second = make(**settings)
    second.load(first.brokers(), first.take_series().states())
    second.load_windows(as_of, blocks)
    return second


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("watermark", list(Watermark))
@pytest.mark.parametrize("whole", [True, False])
def test_windows_come_back_as_they_were(
    make: Make, order: Order, watermark: Watermark, whole: bool
) -> None:
    """Prices, counts, times, offsets, partial flag: the bars are those of the first kernel."""
    how: dict[str, Any] = {"order": order, "watermark": watermark, "began_whole": whole}
    how |= {"grace_ns": MINUTE, "idle_timeout_ns": 0}
    first = make(**how)
    feed(first, tick(30, 5, "é"), tick(20, -7), tick(20, 3), tick(70, 4), tick(10, 1))
    assert first.open_windows == 3
    second = restarted(make, first, 5, **how)
    assert second.brokers() == first.brokers()
    for kernel in (first, second):
        feed(kernel, tick(25, 9), base_offset=5)
        kernel.advance(2**60)
    expected = take(first)
    assert take(second) == expected
    assert len(expected) == 3


def test_later_ticks_go_into_a_stored_window(make: Make) -> None:
    """Replay goes on with the stored content, at the offset as of which it was stored."""
    first = make()
    feed(first, tick(10, 5), tick(20, 7))
    second = restarted(make, first, 2)
    assert replay(second, tick(15, 9), base_offset=2) == 1
    feed(second, tick(60), base_offset=3)
    [bar] = take(second)
    assert (bar.tick_count, bar.open, bar.high, bar.first_offset, bar.last_offset) == (
        *(3, 5 * 10**9, 9 * 10**9),
        *(0, 2),
    )


def test_what_was_closed_since_is_passed_over(make: Make) -> None:
    """A stored window at or before the closed_through of its broker or series has left."""
    first = make(watermark=Watermark.SERIES)
    feed(first, tick(10, symbol="X"), tick(10, symbol="Y"), tick(70, broker="B"))
    blocks = first.store_windows(3).pack(ALL)
    second = make(watermark=Watermark.SERIES)
    second.load(
        [BrokerState("B", 0, 0, 0, NOON_NS + 2 * MINUTE, 0, 0)],
        [SeriesState("A", "Y", NOON_NS + MINUTE, 0)],
    )
    second.load_windows(3, blocks)
    second.advance(0)
    assert (second.open_windows, second.low_water(), second.stored_open) == (1, 3, True)


def test_nothing_is_read_again_that_was_stored(make: Make) -> None:
    """low_water: as_of while a stored window is open, then the first tick of an open one."""
    for watermark in Watermark:
        kernel = make(watermark=watermark, grace_ns=MINUTE)
        feed(kernel, tick(0), tick(60))
        assert not kernel.stored_open
        kernel.store_windows(2)
        feed(kernel, tick(120), tick(121), base_offset=2)
        kernel.drain()
        assert (kernel.open_windows, kernel.low_water(), kernel.stored_open) == (2, 2, True)
        feed(kernel, tick(190), tick(181), base_offset=4)
        kernel.drain()
        assert (kernel.open_windows, kernel.low_water(), kernel.stored_open) == (2, 2, False)
        feed(kernel, tick(250), base_offset=6)
        kernel.drain()
        assert (kernel.open_windows, kernel.low_water(), kernel.stored_open) == (2, 4, False)


def test_the_clock_of_a_series_comes_with_its_windows(make: Make) -> None:
    """WATERMARK=series: a series without a record has its last event from its open windows."""
    how: dict[str, Any] = {"watermark": Watermark.SERIES, "grace_ns": MINUTE}
    first = make(**how)
    feed(first, tick(110), tick(50))
    second = restarted(make, first, 2, **how)
    [late] = feed(second, tick(-70), base_offset=2).rejects
    assert late.lateness_ns == (110 + 70) * SECOND


@pytest.mark.parametrize("smaller", [0, 20 * SECOND])
def test_another_grace_closes_stored_windows_at_once(make: Make, smaller: int) -> None:
    """As it closes windows that were read again: at the first drain, without a tick."""
    for before, now in product(Watermark, Watermark):
        first = make(watermark=before, grace_ns=MINUTE)
        feed(first, tick(10), tick(80))
        second = restarted(make, first, 2, watermark=now, grace_ns=smaller)
        assert [bar.first_offset for bar in take(second)] == [0]
        assert second.open_windows == 1


def test_a_series_with_a_stored_window_is_kept(make: Make) -> None:
    """evict: its closed_through is needed as long as the blocks are, that is: one window of them
    is open."""
    how: dict[str, Any] = {"watermark": Watermark.SERIES, "idle_timeout_ns": SECOND}
    first = make(**how)
    feed(first, tick(0, symbol="pin"), tick(59))
    blocks = first.store_windows(2).pack(ALL)
    first.advance(50 * SECOND)
    assert [bar.symbol for bar in take(first)] == ["X"]
    second = make(**how)
    second.load(first.brokers(), first.take_series().states())
    second.load_windows(2, blocks)
    for kernel in (first, second):
        assert kernel.evict(2**62) == []
        kernel.advance(100 * SECOND)
        assert [bar.symbol for bar in take(kernel)] == ["pin"]
        kernel.take_series()
        assert kernel.evict(2**62) == [("A", "pin"), ("A", "X")]


def test_a_newer_storing_sets_free(make: Make) -> None:
    """evict: a series of which the newest blocks hold no window is not kept for their sake."""
    kernel = make(watermark=Watermark.SERIES, idle_timeout_ns=SECOND)
    feed(kernel, tick(0, symbol="pin"), tick(59))
    kernel.store_windows(2)
    kernel.advance(50 * SECOND)
    take(kernel)
    kernel.take_series()
    kernel.store_windows(2)
    assert kernel.evict(2**62) == [("A", "X")]


def test_blocks_are_filled_and_no_larger(make: Make) -> None:
    """A block takes windows up to its size; one window alone may be larger."""
    kernel = make()
    feed(kernel, *(tick(0, 1, f"{place:03}") for place in range(100)))
    [whole] = kernel.store_windows(100).pack(ALL)
    assert whole.count == 100
    blocks = kernel.store_windows(100).pack(1000)
    assert all(900 < len(block.content) <= 1000 for block in blocks[:-1])
    assert sum(block.count for block in blocks) == 100
    assert b"".join(block.content for block in blocks) == whole.content
    assert [block.count for block in kernel.store_windows(100).pack(0)] == [1] * 100


NUMBERS = {
    "start": NOON_NS,
    "open": 2,
    "high": 4,
    "low": 1,
    "close": 3,
    "count": 5,
    "first_event": NOON_NS,
    "last_event": NOON_NS + 1,
    "first_offset": 3,
    "last_offset": 8,
    "open_rest": 3,
    "close_rest": 8,
}


def packed(broker: str | bytes = "A", symbol: str | bytes = "X", **numbers: int) -> bytes:
    """A window as the layout says, written from its description."""
    return text(broker) + text(symbol) + b"".join(map(varint, (NUMBERS | numbers).values()))


GOOD = packed()


def test_the_layout_is_what_it_says(make: Make) -> None:
    """Bytes written from the layout's description make that bar."""
    kernel = make()
    kernel.load_windows(9, [WindowBlock(1, GOOD)])
    feed(kernel, tick(60), base_offset=9)
    [bar] = take(kernel)
    assert (bar.broker, bar.symbol, bar.open, bar.high, bar.low, bar.close) == (
        *("A", "X"),
        *(2, 4, 1, 3),
    )
    assert (bar.open_at, bar.close_at) == ((NOON_NS, 3), (NOON_NS + 1, 8))
    assert (bar.tick_count, bar.first_offset, bar.last_offset) == (5, 3, 8)


@pytest.mark.parametrize("order", list(Order))
def test_sums_and_touches_come_back_as_they_were(make: Make, order: Order) -> None:
    """A kernel that sums up sizes stores more of a window, and goes on with all of it."""
    odd = Touch.VOLUME
    ticks = [
        *(trade(1, 99, 1, odd, "mixed"), trade(2, 10, 2, 3, "mixed")),
        *(trade(3, 12, None, 1, "mixed"), trade(4, 0, 5, odd, "mixed")),
        *(trade(1, 5, 1, odd, "odd"), trade(2, 4, 2, odd, "odd")),
        *(trade(1, -5, 1, 3, "plain"), trade(2, -4, 2, 3, "plain")),
        trade(1, 7, None, 3, "none"),
    ]
    first, second = sized(make, order=order), sized(make, order=order)
    feed(first, *ticks)
    second.load(first.brokers(), [])
    second.load_windows(9, first.store_windows(9).pack(ALL))
    rest = [trade(5, 11, 3, 3, symbol) for symbol in ("mixed", "odd", "plain", "none")]
    for kernel in (first, second):
        feed(kernel, *rest, trade(60, 1, None), base_offset=9)
    expected = take(first)
    assert take(second) == expected
    assert [(bar.symbol, bar.priced, bar.volume) for bar in expected] == [
        *(("mixed", True, 11 * UNIT), ("odd", True, 6 * UNIT)),
        *(("plain", True, 6 * UNIT), ("none", True, 3 * UNIT)),
    ]
    assert [bar.high // UNIT for bar in expected] == [12, 11, 11, 11]


def test_the_older_layout_is_read_by_all_and_the_newer_by_those_that_sum_up(make: Make) -> None:
    """Windows without sums are whole windows; sums for a kernel that has none are damage."""
    kernel = sized(make)
    kernel.load_windows(9, [WindowBlock(1, GOOD)])
    feed(kernel, trade(1, 2, 5), trade(60, 1), base_offset=9)
    [bar] = take(kernel)
    assert (bar.tick_count, bar.volume, bar.priced) == (6, 5 * UNIT, True)
    newer = WindowBlock(1, b"\0" + GOOD + varint(0))
    sized(make).load_windows(9, [newer])
    with pytest.raises(ValueError, match="stored windows are damaged"):
        make().load_windows(9, [newer])


@pytest.mark.parametrize(
    "sums",
    [
        b"",
        varint(8),
        varint(-1),
        varint(5),
        varint(2) + text(b"\xff") + text(b"\1"),
        varint(2) + text(bytes(17)) + text(b"\1"),
        varint(2) + text(b"\1"),
        varint(2) + text(b"\1") + text((10**33).to_bytes(16, "big")),
        varint(4) + varint(1),
        varint(0) + b"\0",
    ],
)
def test_damaged_sums_are_refused(make: Make, sums: bytes) -> None:
    """Flags that are none, sums too wide, too large or below zero, and bytes too many or few."""
    with pytest.raises(ValueError, match="stored windows are damaged"):
        sized(make).load_windows(9, [WindowBlock(1, b"\0" + GOOD + sums)])


@pytest.mark.parametrize(
    ("count", "content"),
    [
        (1, b""),
        (1, GOOD[:-1]),
        (1, GOOD + b"\0"),
        (0, GOOD),
        (-1, GOOD),
        (-1, b""),
        (2, GOOD),
        (2**62, GOOD),
        (2, GOOD + GOOD),
        (1, packed(broker="")),
        (1, packed(symbol="")),
        (1, packed(symbol="x" * 257)),
        (1, packed(symbol=b"\xff")),
        (1, varint(2**40) + GOOD[1:]),
        (1, varint(-1) + GOOD[1:]),
        (1, GOOD[:4] + b"\xff" * 11 + GOOD),
        (1, packed(start=NOON_NS + 1)),
        (1, packed(start=NOON_NS + MINUTE)),
        (1, packed(start=-(2**63))),
        (1, packed(count=0)),
        (1, packed(high=1)),
        (1, packed(low=3)),
        (1, packed(first_event=NOON_NS + 2)),
        (1, packed(first_event=NOON_NS - 1)),
        (1, packed(last_event=NOON_NS + MINUTE)),
        (1, packed(first_offset=9)),
        (1, packed(first_offset=-1)),
        (1, packed(last_offset=9)),
        (2, GOOD + packed(symbol="Y", first_offset=2)),
    ],
)
def test_damage_is_refused(make: Make, count: int, content: bytes) -> None:
    """What store_windows cannot have written is a ValueError, whatever it is."""
    with pytest.raises(ValueError, match="stored windows are damaged"):
        make().load_windows(9, [WindowBlock(count, content)])


@pytest.mark.parametrize("watermark", list(Watermark))
@given(seed=st.integers(0, 2**32))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_restart_behind_a_storing_changes_no_bar(
    make: Make, watermark: Watermark, seed: int
) -> None:
    """Store, commit, crash, load, replay from low_water: the bars of an uninterrupted run."""
    rng = Random(seed)
    values = [
        tick_value("AB"[rng.randrange(2)], "XYZ"[rng.randrange(3)], NOON_NS // 10**6 + at, at)
        for at in (place * 3000 + rng.randrange(90_000) for place in range(60))
    ]
    storing = rng.randrange(len(values))
    crash = rng.randrange(storing, len(values))
    how = {"watermark": watermark, "grace_ns": 20 * SECOND}
    whole, first, second = (make(**how) for _ in range(3))
    feed(whole, *values)
    feed(first, *values[:storing])
    bars = take(first)
    blocks = first.store_windows(storing)
    feed(first, *values[storing:crash], base_offset=storing)
    bars += take(first)
    second.load(first.brokers(), first.take_series().states())
    second.load_windows(storing, blocks.pack(rng.randrange(1000)))
    low = first.low_water()
    assert low is None or low >= storing
    if low is not None:
        replay(second, *values[low:crash], base_offset=low)
    assert second.low_water() == low
    feed(second, *values[crash:], base_offset=crash)
    assert sorted(map(repr, bars + take(second))) == sorted(map(repr, take(whole)))
