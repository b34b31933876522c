"""Rejected offsets: exactly those that were added, in records of bounded size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from barengine.engine.rejected import RejectedOffsets
from barengine.engine.state import StateImage, StateRecord

BLOCK = 65_536
"""Offsets per state record."""

_MESSAGE_BYTES = 1_000_000
"""Below Kafka's default max.message.bytes."""

AROUND_EDGES = st.builds(
    lambda block, step: max(0, block * BLOCK + step), st.integers(0, 4), st.integers(-3, 3)
)
OFFSETS = st.lists(AROUND_EDGES | st.integers(0, 5 * BLOCK), unique=True, max_size=40).map(sorted)


def of(offsets: list[int]) -> RejectedOffsets:
    rejected = RejectedOffsets()
    for offset in offsets:
        rejected.add(offset)
    return rejected


def stored(records: list[StateRecord]) -> dict[int, list[tuple[int, int]]]:
    return StateImage.read(records).rejected


@given(OFFSETS, AROUND_EDGES, AROUND_EDGES)
def test_what_was_added_is_within(offsets: list[int], start: int, stop: int) -> None:
    """within tells the added offsets in [start, stop), ascending, and no other."""
    expected = [offset for offset in offsets if start <= offset < stop]
    assert of(offsets).within(start, stop) == expected


@given(OFFSETS)
def test_what_was_added_comes_back(offsets: list[int]) -> None:
    """The state records of one commit bring every offset back."""
    again = RejectedOffsets(stored(of(offsets).take_records(0)))
    assert again.within(0, 6 * BLOCK) == offsets


@given(OFFSETS, st.data())
def test_many_commits_and_restarts(offsets: list[int], data: st.DataObject) -> None:
    """However adding, committing, a growing L and restarts mix, nothing at or above L is lost."""
    log: list[StateRecord] = []
    rejected, low_water = RejectedOffsets(), 0
    for offset in offsets:
        rejected.add(offset)
        if data.draw(st.booleans(), label="commit"):
            low_water = data.draw(st.integers(low_water, offset + 1), label="L")
            log += rejected.take_records(low_water)
            if data.draw(st.booleans(), label="restart"):
                rejected = RejectedOffsets(stored(log))
    log += rejected.take_records(low_water)
    expected = [offset for offset in offsets if offset >= low_water]
    assert RejectedOffsets(stored(log)).within(low_water, 6 * BLOCK) == expected
    assert rejected.within(low_water, 6 * BLOCK) == expected


def test_neighbours_become_one_range() -> None:
    """A run of rejected offsets costs one range, over commits and restarts too."""
    rejected = of([5, 6, 7, 9])
    assert stored(rejected.take_records(0)) == {0: [(5, 8), (9, 10)]}
    again = RejectedOffsets({0: [(5, 8), (9, 10)]})
    again.add(10)
    assert stored(again.take_records(0)) == {0: [(5, 8), (9, 11)]}


def test_a_run_over_an_edge_of_blocks() -> None:
    """Ranges never cross the edge of a block: each block has a record of its own."""
    rejected = of([BLOCK - 1, BLOCK])
    assert stored(rejected.take_records(0)) == {0: [(BLOCK - 1, BLOCK)], 1: [(BLOCK, BLOCK + 1)]}


def test_only_changes_are_written() -> None:
    """A block is written when it changed, not with every commit."""
    rejected = of([1, BLOCK + 1])
    assert [one.key for one in rejected.take_records(0)] == [b"rejected|0", b"rejected|1"]
    assert rejected.take_records(0) == []
    rejected.add(BLOCK + 9)
    assert [one.key for one in rejected.take_records(0)] == [b"rejected|1"]


def test_blocks_below_low_water_are_forgotten() -> None:
    """A block goes once L has passed all of it, by a tombstone, once."""
    rejected = of([1, BLOCK + 1])
    rejected.take_records(0)
    assert rejected.take_records(BLOCK - 1) == []
    assert rejected.take_records(BLOCK) == [StateRecord(b"rejected|0", None)]
    assert rejected.take_records(BLOCK) == []
    assert rejected.within(0, 3 * BLOCK) == [BLOCK + 1]


def test_blocks_that_came_and_went_between_commits() -> None:
    """What was never stored needs no tombstone."""
    assert of([1, 2, 3]).take_records(BLOCK) == []


def test_stored_blocks_are_forgotten_after_a_restart() -> None:
    """A tombstone is written for a block that an earlier life stored."""
    again = RejectedOffsets({0: [(1, 2)]})
    assert again.take_records(BLOCK) == [StateRecord(b"rejected|0", None)]


def test_records_are_bounded() -> None:
    """The worst block, every second offset at the far end of int64, still fits one message."""
    base = 2**63 - 2 * BLOCK
    rejected = of(list(range(base, base + BLOCK, 2)))
    (record,) = rejected.take_records(0)
    assert record.value is not None
    assert len(record.value) < _MESSAGE_BYTES
    assert len(rejected.within(base, base + BLOCK)) == BLOCK // 2


def test_nothing_rejected_nothing_written() -> None:
    """Without rejected offsets there are no records and nothing to skip."""
    rejected = RejectedOffsets()
    assert (rejected.take_records(10**9), rejected.within(0, 10**6)) == ([], [])
