"""Volume, turnover and vwap, and what a tick may touch."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barengine.kernel import KernelConfig, kernel_class
from barengine.model import MAX_SIZE, MAX_SUM, NS_PER_MS, Bar, Order, Period, Reason, Touch, merge
from tests.unit.kernel.build import NOON_MS, NOON_NS, feed, take, tick, tick_value
from tests.unit.kernel.conftest import Make
from tests.unit.kernel.sized import UNIT, size_bytes, sized, sized_plan, trade
from tests.unit.kernel.test_replay import replay

MINUTE = 60 * 10**9
END = trade(60, 1.0, None)
"""Closes the first minute."""


def bar_of(make: Make, *values: bytes, **how: Any) -> Bar:
    """The bar of these values."""
    kernel = sized(make, **how)
    feed(kernel, *values, END)
    [bar] = take(kernel)
    return bar


def test_sizes_and_prices_times_sizes_are_summed_up(make: Make) -> None:
    """vwap is the turnover by the volume."""
    bar = bar_of(make, trade(1, 10, 2), trade(2, 13, 1))
    assert (bar.volume, bar.turnover, bar.vwap) == (3 * UNIT, 33 * UNIT**2, 11 * UNIT)


def test_no_size_is_no_volume(make: Make) -> None:
    """Null where no tick of the bar has a size; one of 0 is a volume of 0, without a vwap."""
    bar = bar_of(make, trade(1, 10, None), trade(2, 13, None))
    assert (bar.volume, bar.turnover, bar.vwap) == (None, None, None)
    bar = bar_of(make, trade(1, 10, None), trade(2, 13, 0))
    assert (bar.volume, bar.turnover, bar.vwap) == (0, 0, None)
    bar = bar_of(make, trade(1, 10, None), trade(2, 13, 5))
    assert (bar.volume, bar.vwap, bar.tick_count) == (5 * UNIT, 13 * UNIT, 2)


def test_sizes_that_are_not_asked_for_are_not_looked_at(make: Make) -> None:
    """A schema may hold them all the same."""
    kernel = make()
    kernel.add_schema(0, sized_plan())
    feed(kernel, trade(1, 10, 2), trade(2, 13, 2, Touch.VOLUME), END)
    [bar] = take(kernel)
    assert (bar.volume, bar.high, bar.priced) == (None, 13 * UNIT, True)
    [late] = feed(kernel, trade(3, 1, 1, Touch.VOLUME), base_offset=3).rejects
    assert (late.size, late.touch) == (None, Touch.BOTH)


@pytest.mark.parametrize("size", [-1, MAX_SIZE + 1, -(10**30)])
def test_a_size_below_0_or_too_large_is_a_dead_letter(make: Make, size: int) -> None:
    """It moves no clock."""
    kernel = sized(make)
    [reject] = feed(kernel, tick(0) + size_bytes(size)).rejects
    assert (reject.reason, kernel.brokers()) == (Reason.SIZE_RANGE, [])


@pytest.mark.parametrize(
    ("touch", "reason"),
    [(0, Reason.TOUCHES_NOTHING), (4, Reason.FLAGS), (-1, Reason.FLAGS)],
)
def test_a_tick_must_touch_something(make: Make, touch: int, reason: Reason) -> None:
    """Bits 1 and 2, or both; what touches nothing is a dead letter of its own kind."""
    kernel = sized(make)
    [reject] = feed(kernel, trade(0, 1, 1, touch)).rejects
    assert reject.reason is reason


@pytest.mark.parametrize("touch", [Touch.BOTH, Touch.VOLUME])
def test_a_tick_that_a_window_cannot_hold_is_a_dead_letter(make: Make, touch: Touch) -> None:
    """The sums stay below MAX_SUM; the tick leaves no trace, neither here nor in replay."""
    price = 999_999_999.0
    values = [tick(at, price) + size_bytes(MAX_SIZE // 3000, touch) for at in range(9)]
    values.append(tick(30, -price) + size_bytes(MAX_SIZE // 3000, touch))
    kernel, again = sized(make), sized(make)
    rejects = feed(kernel, *values).rejects
    assert [(one.offset, one.reason) for one in rejects] == [
        (at, Reason.SIZE_RANGE) for at in range(3, 9)
    ]
    assert kernel.brokers()[0].clock_ns == NOON_NS + 30 * UNIT
    replay(again, *values)
    for one in (kernel, again):
        one.advance(0)
        feed(one, END, base_offset=10)
    [bar], [same] = take(kernel), take(again)
    assert bar.tick_count == 4
    assert bar == same
    assert abs(bar.turnover or 0) < MAX_SUM


def test_one_tick_alone_can_be_too_much(make: Make) -> None:
    """Largest price and largest size together do not open a window."""
    kernel = sized(make)
    [reject] = feed(kernel, tick(0, 999_999_999.0) + size_bytes(MAX_SIZE)).rejects
    assert (reject.reason, reject.broker, kernel.open_windows) == (Reason.SIZE_RANGE, "", 0)


# -- what a tick may touch -----------------------------------------------------------------------


def ohlc(bar: Bar) -> tuple[float, ...]:
    """Its prices."""
    return tuple(price / UNIT for price in (bar.open, bar.high, bar.low, bar.close))


ORDERS = pytest.mark.parametrize("order", list(Order))


@ORDERS
def test_a_tick_of_the_volume_moves_no_price(make: Make, order: Order) -> None:
    """It counts, and its offset and time do; first or last or outside, prices are of others."""
    how = {"order": order}
    odd = Touch.VOLUME
    bar = bar_of(make, trade(1, 99, 1, odd), trade(2, 10), trade(3, 12), trade(4, 0, 1, odd), **how)
    assert ohlc(bar) == (10, 12, 10, 12)
    assert (bar.open_at, bar.close_at) == (
        (NOON_NS + 2 * UNIT, 1),
        (NOON_NS + 3 * UNIT, 2),
    )
    assert (bar.tick_count, bar.volume) == (4, 4 * UNIT)
    assert (bar.first_event_ns, bar.last_event_ns) == (NOON_NS + UNIT, NOON_NS + 4 * UNIT)
    assert (bar.first_offset, bar.last_offset) == (0, 3)


@ORDERS
def test_a_tick_of_the_price_adds_no_volume(make: Make, order: Order) -> None:
    """A quote beside trades."""
    bar = bar_of(make, trade(1, 10), trade(2, 15, 7, Touch.PRICE), order=order)
    assert ohlc(bar) == (10, 15, 10, 15)
    assert (bar.volume, bar.vwap) == (UNIT, 10 * UNIT)


@ORDERS
def test_without_a_price_the_others_make_the_bar(make: Make, order: Order) -> None:
    """No tick vanishes: a minute of odd lots alone has a bar of their prices."""
    odd = Touch.VOLUME
    bar = bar_of(make, trade(1, 10, 1, odd), trade(2, 12, 1, odd), order=order)
    assert (ohlc(bar), bar.priced, bar.vwap) == ((10, 12, 10, 12), False, 11 * UNIT)


def test_a_mean_that_no_price_reached_is_no_vwap(make: Make) -> None:
    """low <= vwap <= high holds for every bar: where odd lots draw the mean out, it is null."""
    bar = bar_of(make, trade(1, 10), trade(2, 20, 9, Touch.VOLUME))
    assert (bar.volume, bar.turnover, bar.vwap) == (10 * UNIT, 190 * UNIT**2, None)


# -- properties ----------------------------------------------------------------------------------

Some = list[tuple[int, int, int | None, int]]


@st.composite
def ticks(draw: st.DrawFn) -> Some:
    """Times in a minute, prices, sizes and touches, with many equal ones."""
    rng = Random(draw(st.integers(0, 2**32)))
    span = rng.choice((3, 60_000))
    few = rng.random() < 0.5
    return [
        (
            rng.randrange(span),
            rng.randrange(-3, 4) if few else rng.randrange(-(10**15), 10**15),
            rng.choice((None, 0, 1, 3, rng.randrange(10**12))),
            rng.choice((1, 2, 3, 3)),
        )
        for _ in range(rng.randrange(1, 12))
    ]


def singles(some: Some) -> list[Bar]:
    """A bar for each tick; the offset is its place. Prices are scaled by 9."""
    bars = []
    for offset, (time_ms, price, own_size, touch) in enumerate(some):
        time, at = (NOON_MS + time_ms) * NS_PER_MS, ((NOON_MS + time_ms) * NS_PER_MS, offset)
        size = own_size if touch & Touch.VOLUME else None
        bars.append(
            Bar(
                *("A", "X", NOON_NS, NOON_NS + MINUTE, price, price, price, price, 1, at, at),
                *(time, time, offset, offset),
                volume=size,
                turnover=None if size is None else size * price,
                priced=bool(touch & Touch.PRICE),
            )
        )
    return bars


@settings(max_examples=200, deadline=None)
@given(
    ticks(), st.sampled_from(Order), st.integers(0, 2**32), st.sampled_from(["pure", "compiled"])
)
def test_a_bar_is_the_merge_of_its_ticks_in_any_grouping(
    some: Some, order: Order, seed: int, name: str
) -> None:
    """Sums, touches and prices alike: roll-ups from ticks and from bars are equal."""
    config = KernelConfig(
        Period.parse("1m"), MINUTE, order=order, began_whole=True, sizes=True, price_scale=0
    )
    kernel = kernel_class(name)(config)
    kernel.add_schema(0, sized_plan())
    values = [
        tick_value("A", "X", NOON_MS + time, price) + size_bytes(size, touch)
        for time, price, size, touch in some
    ]
    feed(kernel, *values, tick_value("A", "X", NOON_MS + 10**6, 0.0) + size_bytes(None))
    bars, rng = singles(some), Random(seed)
    expected = reduce(lambda a, b: merge(a, b, order), bars)
    assert take(kernel) == [expected]
    while len(bars) > 1:
        rng.shuffle(bars)
        bars[-2:] = [merge(bars[-2], bars[-1], order)]
    assert bars == [expected]


@settings(max_examples=300, deadline=None)
@given(ticks())
def test_a_vwap_is_the_rounded_mean_between_low_and_high(some: Some) -> None:
    """Rounding never carries it out: only ticks that touch the volume alone can, and then it is
    null."""
    bar = reduce(merge, singles(some))
    if not bar.volume or bar.turnover is None:
        assert bar.vwap is None
        return
    mean = round(Fraction(bar.turnover, bar.volume))
    inside = bar.low <= mean <= bar.high
    assert bar.vwap == (mean if inside else None)
    odd = any(touch == Touch.VOLUME and size for _, _, size, touch in some)
    assert inside or (odd and bar.priced)
