"""What the marks send and how they count: ticks that are real ones, and closings that are due."""

from __future__ import annotations

import numpy as np
import pytest

from barengine.codec.compile import compile_plan
from barengine.codec.fields import TICK_SCHEMA, Fields
from barengine.kafka.batches import read_batches
from barengine.kernel import KernelConfig, PureKernel
from barengine.model import Period
from benchmarks.marks.feeder import Clocks
from benchmarks.marks.steady import latencies
from benchmarks.marks.ticks import Universe

NOON_MS = 1_750_000_000_000 - 1_750_000_000_000 % 60_000
FOREVER_NS = 2**61


@pytest.mark.parametrize("count", [1, 64, 65, 8192, 8193])
def test_a_batch_is_read_as_the_ticks_it_was_made_of(count: int) -> None:
    """Every length that an offset delta can take is right."""
    universe = Universe(10, 2, brokers=3)
    series = np.arange(count, dtype=np.int64) % 10
    times_ms = NOON_MS + np.arange(count, dtype=np.int64) % 1000
    data = universe.batch(series, times_ms, 1.5 + series, NOON_MS)

    kernel = PureKernel(KernelConfig(Period.parse("1m"), 0))
    kernel.add_schema(0, compile_plan(TICK_SCHEMA, Fields()))
    [read] = read_batches(data, (), 0)
    assert read.batch is not None
    outcome = kernel.process(read.batch, 0, count, FOREVER_NS)
    assert (outcome.accepted, outcome.rejects) == (count, [])
    assert kernel.open_windows == min(count, 10)
    assert {state.broker for state in kernel.brokers()} <= {"B0", "B1", "B2"}


def test_series_are_spread_over_partitions_and_brokers() -> None:
    """Each series has one partition; each partition has every broker."""
    universe = Universe(24, 2, brokers=3)
    both = [universe.of_partition(partition).tolist() for partition in range(2)]
    assert sorted(both[0] + both[1]) == list(range(24))
    for partition in range(2):
        brokers = universe.broker_of(universe.of_partition(partition))
        assert set(brokers.tolist()) == {0, 1, 2}
    assert universe.name(7) == ("B0", "S000007")


def closings(clocks: Clocks, *times_ms: int) -> list[tuple[int, int, int]]:
    """What one batch of broker 0's only series in partition 0 closes."""
    times = np.array(times_ms, np.int64)
    return list(clocks.closed_by(0, np.zeros(len(times), np.int64), times))


def test_a_bucket_is_closed_by_the_first_tick_that_is_grace_behind_its_end() -> None:
    """Once each, in order; what began before the first tick is not ours to time."""
    clocks = Clocks(Universe(1, 1, brokers=1), window_ms=1000, grace_ms=100)
    assert closings(clocks, 5500) == []
    assert closings(clocks, 6099) == []
    assert closings(clocks, 6100, 6050) == [(0, 0, 6000)]
    assert closings(clocks, 6900) == []
    assert closings(clocks, 8150) == [(0, 0, 7000), (0, 0, 8000)]


def test_latency_runs_from_the_tick_to_the_last_bar_of_its_broker_and_partition() -> None:
    """Both from sending and from the broker's word; a bucket that never came is missing. The
    first one does not count."""
    first = (0, 0, 1000, 0, 0)
    feed = {"closings": [first, (0, 0, 2000, 1_000_000, 3_000_000), (1, 0, 2000, 0, 0)]}
    read = {"buckets": [(0, "B0", 1000, 250, 9_000_000), (0, "B1", 1000, 250, 99_000_000)]}
    assert latencies(feed, read, 1000) == {"sent": [8.0], "acked": [6.0], "missing": 1}
