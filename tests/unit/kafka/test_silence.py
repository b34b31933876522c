"""Observed silence, answer by answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from barengine.kafka.silence import PartitionWatch

CAP = 1000


def test_gaps_between_answers_at_the_end_count() -> None:
    """The first answer shows nothing yet, each further one the gap before it."""
    watch = PartitionWatch(CAP)
    assert [watch.answered(now, at_end=True) for now in (5000, 5400, 6000)] == [0, 400, 1000]


def test_a_gap_is_capped() -> None:
    """An answer that comes much later than it was to be waited for hides what happened."""
    watch = PartitionWatch(CAP)
    watch.answered(0, at_end=True)
    assert watch.answered(50_000, at_end=True) == CAP


def test_being_behind_is_not_silence() -> None:
    """A gap counts only if both of its answers left the position at the end.

    at end   yes   no   yes   yes
    time     0     10   20    30
    counted                <-->
    """
    watch = PartitionWatch(CAP)
    steps = [(0, True), (10, False), (20, True), (30, True)]
    assert [watch.answered(now, at_end) for now, at_end in steps] == [0, 0, 0, 10]


def test_a_broken_chain_begins_anew() -> None:
    """After a failed answer or a pause the next answer counts no gap, and the total stays."""
    watch = PartitionWatch(CAP)
    watch.answered(0, at_end=True)
    watch.answered(100, at_end=True)
    watch.broken()
    assert watch.answered(200, at_end=True) == 100
    assert watch.answered(250, at_end=True) == 150


def test_a_restart_counts_from_zero() -> None:
    """After a seek another reader takes the data: its silence begins then, and so does at_end."""
    watch = PartitionWatch(CAP)
    watch.answered(0, at_end=True)
    watch.handed(watch.answered(100, at_end=True), at_end=True)
    epoch = watch.epoch
    watch.restart()
    assert (watch.observed_ns, watch.at_end, watch.epoch) == (0, False, epoch + 1)
    assert watch.answered(200, at_end=True) == 0


def test_silence_is_told_when_the_data_is_handed_out() -> None:
    """What was observed is not told before the data of the same answer."""
    watch = PartitionWatch(CAP)
    watch.answered(0, at_end=True)
    total = watch.answered(100, at_end=True)
    assert watch.observed_ns == 0
    watch.handed(total, at_end=True)
    assert (watch.observed_ns, watch.at_end) == (100, True)


@given(
    st.lists(
        st.tuples(st.integers(0, 3000), st.sampled_from(["end", "behind", "broken"])), max_size=30
    )
)
def test_the_total_never_shrinks_and_never_outruns_the_clock(
    steps: list[tuple[int, str]],
) -> None:
    """Silence grows by at most the cap per answer and at most as fast as time goes."""
    watch, now, before = PartitionWatch(CAP), 0, 0
    for gap, what in steps:
        now += gap
        if what == "broken":
            watch.broken()
            continue
        total = watch.answered(now, at_end=what == "end")
        assert before <= total <= min(before + CAP, now)
        before = total
