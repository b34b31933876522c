"""Bars form a commutative, associative merge, and a kernel's bar is the merge of its ticks."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from barengine.kernel import KernelConfig, kernel_class
from barengine.model import Bar, Cause, Order, Origin, Period, merge
from tests.unit.kernel.build import NOON_MS, NOON_NS, TICK_PLAN, feed, take, tick_value

MINUTE = 60 * 10**9
ORDERS = st.sampled_from(Order)


def of_tick(time_ms: int, price: int, offset: int) -> Bar:
    """The bar of one tick."""
    time = (NOON_MS + time_ms) * 10**6
    at = (time, offset)
    scaled = price * 10**9
    return Bar(
        "A", "X", NOON_NS, NOON_NS + MINUTE, scaled, scaled, scaled, scaled, 1, at, at,
        time, time, offset, offset,
    )  # fmt: skip


@st.composite
def ticks(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Times in a minute and prices, with many equal ones."""
    rng = Random(draw(st.integers(0, 2**32)))
    span = rng.choice((3, 60_000))
    return [(rng.randrange(span), rng.randrange(-3, 4)) for _ in range(rng.randrange(1, 12))]


def single(given_ticks: list[tuple[int, int]]) -> list[Bar]:
    """A bar for each tick; the offset is its place."""
    return [of_tick(time, price, place) for place, (time, price) in enumerate(given_ticks)]


@given(ticks(), ORDERS, st.integers(0, 2**32))
def test_merge_is_commutative_and_associative(
    some: list[tuple[int, int]], order: Order, seed: int
) -> None:
    """Merging in any order, in any grouping, gives the same bar."""
    rng, bars = Random(seed), single(some)
    expected = reduce(lambda a, b: merge(a, b, order), bars)
    while len(bars) > 1:
        rng.shuffle(bars)
        bars[-2:] = [merge(bars[-2], bars[-1], order)]
    assert bars == [expected]


@given(ticks(), ORDERS, st.sampled_from(["pure", "compiled"]))
def test_a_kernels_bar_is_the_merge_of_its_ticks(
    some: list[tuple[int, int]], order: Order, name: str
) -> None:
    """Window by window or tick by tick: roll-ups from either are equal."""
    kernel = kernel_class(name)(
        KernelConfig(Period.parse("1m"), MINUTE, order=order, began_whole=True)
    )
    kernel.add_schema(0, TICK_PLAN)
    values = [tick_value("A", "X", NOON_MS + time, price) for time, price in some]
    feed(kernel, *values, tick_value("A", "X", NOON_MS + 10**6, 0.0))
    assert take(kernel) == [reduce(lambda a, b: merge(a, b, order), single(some))]


FLAT = replace(
    of_tick(0, 7, -1), tick_count=0, origin=Origin.FILLED, cause=Cause.QUIET, volume=0, turnover=0
)
"""A bar without a tick, at the close before it."""


def test_a_flat_bar_gives_nothing_to_one_of_ticks() -> None:
    """Prices, times and offsets are those of ticks, wherever there are any."""
    real = replace(of_tick(5, 2, 9), volume=3, turnover=6)
    for bar in (merge(FLAT, real), merge(real, FLAT)):
        assert bar == real


def test_flat_bars_together_are_flat() -> None:
    """And as bad as the worst cause among them."""
    down = replace(FLAT, cause=Cause.FEED_DOWN)
    for bar in (merge(FLAT, down), merge(down, FLAT)):
        assert (bar.origin, bar.cause, bar.tick_count, bar.close) == (
            *(Origin.FILLED, Cause.FEED_DOWN),
            *(0, FLAT.close),
        )


def test_what_describes_a_bar_is_merged_too() -> None:
    """A bar so far makes the whole a bar so far; the highest revision stays; so does one date."""
    a = replace(of_tick(1, 1, 1), revision=2, trading_date=5, volume=None)
    b = replace(of_tick(2, 2, 2), final=False, trading_date=5, volume=4, turnover=8)
    bar = merge(a, b)
    assert (bar.revision, bar.final, bar.trading_date, bar.volume, bar.turnover) == (
        *(2, False, 5),
        *(4, 8),
    )
    assert merge(bar, replace(b, trading_date=None)).trading_date is None
