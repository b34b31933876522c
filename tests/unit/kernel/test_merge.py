"""Bars form a commutative, associative merge, and a kernel's bar is the merge of its ticks."""

from __future__ import annotations

from functools import reduce
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from barengine.kernel import KernelConfig, kernel_class
from barengine.model import Bar, Order, Period, merge
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
