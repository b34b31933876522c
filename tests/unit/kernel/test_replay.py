"""Recovery: reading [L, C) again gives the windows that were open at C."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barengine.kernel import Kernel
from barengine.model import NEVER, Reason, Watermark
from tests.unit.kernel.build import NOON_NS, batch, feed, take, tick, tick_value
from tests.unit.kernel.conftest import Make

SECOND = 10**9
MINUTE = 60 * SECOND


def replay(kernel: Kernel, *values: bytes | None, base_offset: int = 0) -> int:
    """Replay the values; how many were accepted."""
    content = batch(values, base_offset)
    outcome = kernel.process(content, 0, 2**60, 0, replay=True)
    assert not outcome.rejects
    return outcome.accepted


def test_replay_skips_what_was_closed(make: Make) -> None:
    """A tick whose bucket ends at or before the stored closed_through is passed over."""
    first = make()
    feed(first, tick(10), tick(70))
    first.drain()
    second = make()
    second.load(first.brokers(), [])
    assert replay(second, tick(10), tick(70)) == 1
    assert second.open_windows == 1


def test_replay_decides_nothing(make: Make) -> None:
    """Neither wall clock nor watermark: nothing is late or future, nothing is rejected."""
    kernel = make(max_future_ns=0)
    assert replay(kernel, tick(600), tick(10), None, b"junk") == 2
    assert kernel.open_windows == 2


def test_a_replayed_tick_is_no_arrival(make: Make) -> None:
    """The stored wall clock of the last arrival stays."""
    kernel = make()
    replay(kernel, tick(10))
    state = kernel.brokers()[0]
    assert (state.clock_ns, state.arrival_wall_ns) == (NOON_NS + 10 * SECOND, NEVER)
    assert state.arrival_clock_ns == NEVER


def test_replay_tells_of_a_schema_that_the_registry_lost(make: Make) -> None:
    """UNKNOWN_SCHEMA is the one rejection that replay reports: the state cannot be rebuilt."""
    kernel = make(schema_by_id=True)
    kernel.add_schema(1, None)
    outcome = kernel.process(batch([tick(10), None]), 0, 2, 0, replay=True)
    assert [r.reason for r in outcome.rejects] == [Reason.UNKNOWN_SCHEMA]
    assert (outcome.records, outcome.accepted) == (2, 0)


def test_listed_offsets_are_passed_over(make: Make) -> None:
    """``skip``: records that were rejected once for a reason that may not hold again."""
    kernel = make()
    content = batch([tick(10), tick(20), tick(30)], 100)
    outcome = kernel.process(content, 0, 200, 0, replay=True, skip=(99, 101, 150))
    assert (outcome.records, outcome.accepted) == (2, 2)


def test_a_batch_can_be_entered_and_left_in_the_middle(make: Make) -> None:
    """Only start <= offset < stop is taken; next_offset is stop."""
    kernel = make()
    content = batch([tick(at) for at in range(10)], 100)
    outcome = kernel.process(content, 103, 107, 2**61)
    assert (outcome.records, outcome.next_offset) == (4, 107)
    assert kernel.low_water() == 103


@pytest.mark.parametrize("watermark", list(Watermark))
@given(seed=st.integers(0, 2**32))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_restart_at_any_commit_changes_no_bar(
    make: Make, watermark: Watermark, seed: int
) -> None:
    """Commit, crash, load, replay [L, C), go on: bar for bar what an uninterrupted run gives."""
    rng = Random(seed)
    values = [
        tick_value("AB"[rng.randrange(2)], "XYZ"[rng.randrange(3)], NOON_NS // 10**6 + at, at)
        for at in (place * 3000 + rng.randrange(90_000) for place in range(60))
    ]
    crash = rng.randrange(len(values))
    settings = {"watermark": watermark, "grace_ns": 20 * SECOND}
    whole, first, second = (make(**settings) for _ in range(3))
    feed(whole, *values)
    feed(first, *values[:crash])
    bars = take(first)
    low = first.low_water()
    second.load(first.brokers(), first.take_series().states())
    if low is not None:
        replay(second, *values[low:crash], base_offset=low)
    feed(second, *values[crash:], base_offset=crash)
    assert sorted(map(repr, bars + take(second))) == sorted(map(repr, take(whole)))
