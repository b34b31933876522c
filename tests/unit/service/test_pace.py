"""How soon transactions follow one another; time is an argument."""

from __future__ import annotations

import itertools

import pytest

from barengine.service.pace import CREDIT_S, FAR, FAR_EACH, FAR_INTERVALS, FAR_MOST, Pace

INTERVAL_S = 0.1


def begins(pace: Pace, count: int, now: float) -> list[float]:
    """When so many transactions begin, each as soon as it may."""
    times = []
    for _ in range(count):
        now += pace.wait_s(now)
        pace.begin(now)
        times.append(now)
    return times


def test_the_first_begins_at_once() -> None:
    """Nothing has been before it."""
    assert Pace(INTERVAL_S, 10.0).wait_s(10.0) == 0


def test_a_few_follow_at_once_after_a_quiet_while() -> None:
    """Brokers that close one after the other do not wait for an interval each."""
    times = begins(Pace(INTERVAL_S, 0.0), 4, now=10.0)
    assert times == [10.0] * 4


def test_in_the_long_run_there_is_one_in_each_interval() -> None:
    """What waits all the time is committed at the pace that was set."""
    times = begins(Pace(INTERVAL_S, 0.0), 104, now=10.0)
    assert times[-1] == pytest.approx(10.0 + 100 * INTERVAL_S)
    gaps = [after - before for before, after in itertools.pairwise(times[4:])]
    assert gaps == pytest.approx([INTERVAL_S] * len(gaps))


def test_the_credit_does_not_grow_with_the_silence() -> None:
    """After an hour as many may follow at once as after a second."""
    pace = Pace(INTERVAL_S, 0.0)
    assert begins(pace, 6, now=10.0)[3:5] == pytest.approx([10.0, 10.0 + INTERVAL_S])
    later = begins(pace, 6, now=3600.0)
    assert later[3:5] == pytest.approx([3600.0, 3600.0 + INTERVAL_S])


def test_a_long_interval_is_kept_but_for_the_credit() -> None:
    """COMMIT_INTERVAL=5s holds bars back for that long."""
    first, second = begins(Pace(5.0, 0.0), 2, now=10.0)
    assert second - first == pytest.approx(5.0 - CREDIT_S)


def test_one_that_could_not_wait_counts() -> None:
    """A transaction begun early, because there was too much to wait, moves the next one."""
    pace = Pace(INTERVAL_S, 0.0)
    for _ in range(10):
        pace.begin(10.0)
    assert pace.wait_s(10.0) == pytest.approx(10 * INTERVAL_S - CREDIT_S)


def test_who_is_behind_gets_no_credit() -> None:
    """In catch-up there is one in each interval from the start, and the credit is kept."""
    pace = Pace(INTERVAL_S, 0.0)
    pace.begin(10.0)
    assert pace.wait_s(10.0, backlog=1) == pytest.approx(INTERVAL_S)
    assert pace.wait_s(10.0) == 0


def test_who_is_far_behind_takes_several_intervals_at_once() -> None:
    """But begins at once as soon as the end of the log is reached."""
    pace = Pace(INTERVAL_S, 10.0)
    pace.begin(10.0)
    assert pace.wait_s(10.0, backlog=FAR) == pytest.approx(INTERVAL_S)
    assert pace.wait_s(10.0, backlog=FAR + 1) == pytest.approx(FAR_INTERVALS * INTERVAL_S)
    assert pace.wait_s(10.0, backlog=0) == 0


def test_far_behind_many_partitions_take_turns() -> None:
    """Together they begin so many in an interval, but none waits for ever."""
    for partitions, intervals in ((9, FAR_INTERVALS), (60, 60 / FAR_EACH), (1000, FAR_MOST)):
        pace = Pace(INTERVAL_S, 10.0)
        pace.begin(10.0, partitions)
        assert pace.wait_s(10.0, backlog=FAR + 1) == pytest.approx(intervals * INTERVAL_S)
        assert pace.wait_s(10.0, backlog=FAR) == pytest.approx(INTERVAL_S)
