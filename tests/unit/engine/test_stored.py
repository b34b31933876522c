"""RESTORE_MAX: how far back a restart reads, what is stored for it, and that it goes again.

Windows are of a minute; numbers of seconds are seconds after noon.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from barengine.engine.state import StateImage, StoredBlock, windows_record
from barengine.errors import UnreadableStateError
from barengine.kernel import Kernel
from barengine.model import Watermark
from tests.unit.engine.market import B, Market
from tests.unit.engine.store import Commit


def blocks_of(commit: Commit) -> list[tuple[bytes, bool]]:
    """Keys of the windows records of a commit, and whether they are no tombstones."""
    return [
        (record.key, record.value is not None)
        for record in commit.state
        if record.key.startswith(b"windows|")
    ]


def count(market: Market) -> int:
    """Windows that the state holds."""
    return sum(block.count for block in market.world.store.image().windows.values())


def test_windows_are_stored_when_they_reach_too_far(kernel: type[Kernel]) -> None:
    """At a commit with C - L over RESTORE_MAX, never before; then L is C."""
    market = Market(kernel, restore_max=3)
    for at in range(3):
        market.tick(at)
    commit = market.commit()
    assert (commit.low_water, commit.commit_offset, blocks_of(commit)) == (0, 3, [])
    market.tick(3)
    commit = market.commit()
    assert (commit.low_water, commit.commit_offset) == (4, 4)
    assert blocks_of(commit) == [(b"windows|0", True)]


def test_windows_are_not_stored_at_every_commit(kernel: type[Kernel]) -> None:
    """Between two storings there are RESTORE_MAX records, whatever stays open."""
    market = Market(kernel, restore_max=9)
    stored = []
    for at in range(50):
        market.tick(at, symbol=str(at))
        commit = market.commit()
        assert commit.commit_offset - commit.low_water <= 9
        if blocks_of(commit):
            stored.append(commit.commit_offset)
    assert stored == [10, 20, 30, 40, 50]


def test_a_restart_reads_no_more_than_that(kernel: type[Kernel]) -> None:
    """The window has its ticks though none of those that were stored is read again."""
    market = Market(kernel, restore_max=5)
    for at in range(20):
        market.tick(at, at)
        market.commit()
    market.restart()
    assert (market.owner.engine.position, market.owner.engine.commit_offset) == (18, 20)
    market.tick(20, 20)
    market.tick(60)
    assert market.bars == [B("x", 0, 0, 20, 0, 20, 21)]


def test_a_silent_broker_in_a_long_catch_up(kernel: type[Kernel]) -> None:
    """Its window stays open, for nothing closes it before the end of the log; L follows C."""
    market = Market(kernel, restore_max=10)
    market.tick(0, broker="quiet")
    for at in range(300):
        market.tick(at, broker="busy")
        commit = market.commit()
        assert commit.commit_offset - commit.low_water <= 10
    market.restart()
    assert market.owner.engine.commit_offset - market.owner.engine.position <= 10
    market.owner.feed_all()
    market.silence(120)
    quiet = [bar.row for bar in market.records if bar.series[0] == "quiet"]
    assert [(bar["tick_count"], bar["first_offset"]) for bar in quiet] == [(1, 0)]


@pytest.mark.parametrize("watermark", Watermark)
def test_nothing_is_left_when_stored_windows_are_closed(
    kernel: type[Kernel], watermark: Watermark
) -> None:
    """The commit with the last of their bars has the tombstones; newer windows need none."""
    market = Market(kernel, restore_max=4, watermark=watermark)
    for symbol in "abcdefgh":
        market.tick(10, symbol=symbol)
    commit = market.commit()
    assert count(market) == 8
    assert len(blocks_of(commit)) > 1
    for symbol in "abcdefgh":
        market.tick(70, symbol=symbol)
    assert len(market.commit().bars) == 8
    assert count(market) == 8  # those of the second minute: they were stored in turn
    market.restart(restore_max=1000)
    for symbol in "abcdefgh":
        market.tick(130, symbol=symbol)
    commit = market.commit()
    assert {there for _, there in blocks_of(commit)} == {False}
    assert market.world.store.image().windows == {}
    assert blocks_of(market.commit()) == []


def test_blocks_that_are_needed_no_more_go(kernel: type[Kernel]) -> None:
    """A storing of fewer windows leaves no block of the storing before."""
    market = Market(kernel, restore_max=0)
    for symbol in "abcdefgh":
        market.tick(10, symbol=symbol)
    many = blocks_of(market.commit())
    market.tick(70)
    commit = market.commit()
    assert blocks_of(commit) == [(b"windows|0", True), *((key, False) for key, _ in many[1:])]
    assert count(market) == 1


def test_another_restore_max_holds_from_the_next_commit(kernel: type[Kernel]) -> None:
    """Smaller: windows are stored then; larger: those that are stored stay of use."""
    market = Market(kernel, restore_max=100)
    for at in range(10):
        market.tick(at)
    assert blocks_of(market.commit()) == []
    market.restart(restore_max=5)
    market.owner.feed_all()
    assert blocks_of(market.commit()) == [(b"windows|0", True)]
    market.restart(restore_max=100)
    market.tick(60)
    assert [bar.ticks for bar in market.bars] == [10]


def test_storing_may_wait(kernel: type[Kernel]) -> None:
    """A transaction that may not carry them leaves them to a later one; L stays until then."""
    market = Market(kernel, restore_max=1)
    for at in range(3):
        market.tick(at)
    engine = market.owner.engine
    without = engine.snapshot(may_store=False)
    assert (len(without.windows), without.low_water) == (0, 0)
    stored = engine.snapshot()
    assert (len(stored.windows), stored.low_water) == (1, 3)


def test_windows_are_packed_as_they_were(kernel: type[Kernel]) -> None:
    """A snapshot counts what it stores, and may be made into records while the engine goes on."""
    market = Market(kernel, restore_max=2)
    for at in range(8):
        market.tick(at, symbol=str(at % 4))
    snapshot = market.owner.engine.snapshot()
    assert (len(snapshot.windows), snapshot.records) == (4, 4)
    before = StateImage.read(snapshot.windows.records()).windows
    for at in range(8):
        market.tick(60 + at, symbol=str(at))
    assert StateImage.read(snapshot.windows.records()).windows == before
    assert sum(block.count for block in before.values()) == 4


def stored_twice(kernel: type[Kernel]) -> tuple[Market, dict[int, StoredBlock]]:
    """A market with several blocks in its state."""
    market = Market(kernel, restore_max=0)
    for symbol in "abcdefgh":
        market.tick(10, symbol=symbol)
    market.commit()
    return market, dict(market.world.store.image().windows)


@pytest.mark.parametrize(
    "change",
    [
        lambda blocks: {0: None},
        lambda blocks: {1: replace(blocks[1], as_of=7)},
        lambda blocks: {number: replace(block, as_of=9) for number, block in blocks.items()},
        lambda blocks: {0: replace(blocks[0], count=1)},
        lambda blocks: {0: replace(blocks[0], content=b"")},
        lambda blocks: {len(blocks): blocks[0]},
    ],
)
def test_blocks_that_do_not_fit_are_refused(kernel: type[Kernel], change: Any) -> None:
    """One that is missing, of another instant, behind L, or damaged: going on would lose ticks."""
    market, blocks = stored_twice(kernel)
    market.world.store._state += [
        windows_record(number, block) for number, block in change(blocks).items()
    ]
    with pytest.raises(UnreadableStateError, match="stored windows"):
        market.restart()


def test_blocks_are_read_back_as_written() -> None:
    """Number, as_of, count and content; a tombstone forgets."""
    block = StoredBlock(2**60, 3, b"\0\xff")
    one, other = windows_record(0, block), windows_record(12, StoredBlock(1, 0, b""))
    assert StateImage.read([one, other]).windows == {0: block, 12: StoredBlock(1, 0, b"")}
    assert StateImage.read([one, windows_record(0, None)]).windows == {}
