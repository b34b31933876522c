"""Which bucket a tick falls into, and what its bar becomes."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barengine.kernel import KernelConfig, kernel_class
from barengine.model import Order, Period
from tests.unit.kernel.build import NOON_NS, batch, feed, take, tick, tick_plan, tick_value
from tests.unit.kernel.conftest import Make

SECOND = 10**9
MINUTE = 60 * SECOND


def test_ticks_on_both_sides_of_a_minute_make_two_bars(make: Make) -> None:
    """A tick at :59.900 and one at :00.010 fall into two bars."""
    kernel = make()
    feed(kernel, tick(59.9, 1.0), tick(60.01, 2.0), tick(200))
    bars = take(kernel)
    assert [(bar.bucket_start_ns - NOON_NS, bar.close) for bar in bars] == [
        (0, 10**9),
        (MINUTE, 2 * 10**9),
    ]


@pytest.mark.parametrize(("nudge", "start"), [(0, 0), (MINUTE - 1, 0), (MINUTE, MINUTE), (-1, -1)])
def test_buckets_are_half_open(make: Make, nudge: int, start: int) -> None:
    """[start, end): the start belongs to a bucket, its end to the next one, to the nanosecond."""
    kernel = make()
    kernel.add_schema(0, tick_plan(unit_ns=1))
    feed(kernel, *(tick_value("A", "X", NOON_NS + time, 1.0) for time in (nudge, 500 * SECOND)))
    assert take(kernel)[0].bucket_start_ns == NOON_NS + (start if start >= 0 else -MINUTE)


def test_buckets_before_1970_are_floored_too(make: Make) -> None:
    """A tick one millisecond before the epoch is in the minute that ends at the epoch."""
    kernel = make()
    feed(kernel, tick_value("A", "X", -1, 1.0), tick_value("A", "X", 60_000, 1.0))
    assert take(kernel)[0].bucket_start_ns == -MINUTE


def test_first_and_last_are_by_event_time(make: Make) -> None:
    """Open is the price of the earliest tick, close that of the latest, in whichever order."""
    kernel = make(grace_ns=MINUTE)
    feed(kernel, tick(30, 3.0), tick(10, 1.0), tick(50, 5.0), tick(40, 9.0), tick(200))
    bar = take(kernel)[0]
    assert (bar.open, bar.high, bar.low, bar.close) == (10**9, 9 * 10**9, 10**9, 5 * 10**9)
    assert (bar.first_event_ns, bar.last_event_ns) == (
        NOON_NS + 10 * SECOND,
        NOON_NS + 50 * SECOND,
    )
    assert (bar.first_offset, bar.last_offset, bar.tick_count) == (0, 3, 4)


def test_first_and_last_can_be_by_offset(make: Make) -> None:
    """ORDER=offset: open is the price that arrived first, close the one that arrived last."""
    kernel = make(grace_ns=MINUTE, order=Order.OFFSET)
    feed(kernel, tick(30, 3.0), tick(10, 1.0), tick(50, 5.0), tick(40, 9.0), tick(200))
    bar = take(kernel)[0]
    assert (bar.open, bar.close) == (3 * 10**9, 9 * 10**9)
    assert bar.open_at == (NOON_NS + 30 * SECOND, 0)
    assert bar.close_at == (NOON_NS + 40 * SECOND, 3)
    assert bar.first_event_ns == NOON_NS + 10 * SECOND


def test_equal_event_times_are_resolved_by_offset(make: Make) -> None:
    """Of ticks of one event time the first offset opens and the last one closes."""
    kernel = make()
    feed(kernel, tick(5, 1.0), tick(5, 2.0), tick(5, 3.0), tick(100))
    bar = take(kernel)[0]
    assert (bar.open, bar.close) == (10**9, 3 * 10**9)
    assert (bar.open_at[1], bar.close_at[1]) == (0, 2)


def test_the_same_tick_twice_counts_twice(make: Make) -> None:
    """Nothing is deduplicated: two records are two ticks."""
    kernel = make()
    feed(kernel, tick(5), tick(5), tick(100))
    assert take(kernel)[0].tick_count == 2


def test_the_bucket_in_which_the_engine_began_is_partial(make: Make) -> None:
    """Bars of the first accepted tick's bucket and of those before it may lack ticks."""
    kernel = make(began_whole=False, grace_ns=MINUTE)
    feed(kernel, tick(70), tick(30), tick(130), tick(600))
    assert [bar.partial for bar in take(kernel)] == [True, True, False]


def test_no_bar_is_partial_where_the_log_was_read_from_its_beginning(make: Make) -> None:
    """began_whole: nothing can be missing."""
    kernel = make(began_whole=True)
    feed(kernel, tick(70), tick(600))
    assert [bar.partial for bar in take(kernel)] == [False]


@given(seed=st.integers(0, 2**32))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_order_of_arrival_within_a_bucket_does_not_matter(make: Make, seed: int) -> None:
    """Ticks of different event times give the same prices and count in every order."""
    rng = Random(seed)
    ticks = [tick(at, rng.randrange(100)) for at in rng.sample(range(60), rng.randrange(1, 20))]
    bars = []
    for _ in range(2):
        kernel = make(grace_ns=MINUTE)
        feed(kernel, *ticks, tick(500))
        bar = take(kernel)[0]
        bars.append((bar.open, bar.high, bar.low, bar.close, bar.tick_count, bar.open_at[0]))
        rng.shuffle(ticks)
    assert bars[0] == bars[1]


@given(seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_batch_boundaries_never_matter(seed: int) -> None:
    """A stream cut into batches anywhere, with drains anywhere, gives the same bars and rejects."""
    rng = Random(seed)
    values = [
        tick(start + rng.randrange(90), rng.randrange(9), rng.choice("XYZ"), rng.choice("AB"))
        for start in range(rng.randrange(1, 150))
    ]
    results = []
    for name in ("compiled", "pure", "compiled"):
        kernel = kernel_class(name)(KernelConfig(Period.parse("1m"), 10 * SECOND))
        kernel.add_schema(0, tick_plan())
        at, bars, rejects = 0, [], []
        while at < len(values):
            size = rng.randrange(1, 40)
            outcome = kernel.process(batch(values[at : at + size], at), 0, 2**60, 2**61)
            rejects += [(one.offset, one.reason, one.lateness_ns) for one in outcome.rejects]
            at += size
            if rng.random() < 0.5:
                bars += take(kernel)
        results.append((sorted(map(repr, bars + take(kernel))), rejects, kernel.brokers()))
    assert results[0] == results[1] == results[2]
