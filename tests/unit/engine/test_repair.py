"""What ``barengine state adopt`` and ``reset`` make of a state; both kernels go on from it.

Time-lines: digits are prices, at the second after noon below them; | ends a bucket.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from barengine.engine.partition import LogRange
from barengine.engine.repair import Plan, newest_seq, plan_adopt, plan_begin, plan_reset
from barengine.engine.state import (
    PARTITION_KEY,
    PartitionRecord,
    StateImage,
    StateRecord,
    broker_record,
    partition_record,
)
from barengine.errors import StateError, UnreadableStateError
from barengine.kernel import BrokerState, Kernel
from barengine.model import NEVER, Watermark
from tests.unit.engine.log import LEARNED_ID
from tests.unit.engine.market import Market
from tests.unit.engine.sim import FINGERPRINT
from tests.unit.kernel.build import NOON_MS

every_watermark = pytest.mark.parametrize("watermark", Watermark)
Group = tuple[int, int | None]


def write(market: Market, plan: Plan | None) -> Plan:
    """Put the plan's records behind the state, as the command does."""
    assert plan is not None
    market.world.store._state += plan.records
    return plan


def adopt(market: Market, group: Group | None = None, anew_at: int = 0) -> Plan:
    log = LogRange(market.world.log.start, market.world.log.end)
    plan = plan_adopt(market.world.store.image(), log, FINGERPRINT, group, anew_at)
    return write(market, plan)


def bars(market: Market) -> list[tuple[int, int, bool]]:
    """Commit, and tell start, ticks and partial flag of every bar."""
    return [
        ((bar.bucket_ms - NOON_MS) // 1000, bar.row["tick_count"], bar.row["partial"])
        for bar in market.records
    ]


def stopped(kernel: type[Kernel], **rules: Any) -> Market:
    """C = 3: the bar of 0 is out, a window with two ticks (offsets 1, 2) is open."""
    market = Market(kernel, **rules)
    #   1    |  2   3
    #   10      70  80
    market.tick(10, 1)
    market.tick(70, 2)
    market.tick(80, 3)
    market.commit()
    return market


def test_a_state_that_fits_needs_nothing(kernel: type[Kernel]) -> None:
    """Nor does a group offset that is ours, of this commit or an older one."""
    market = stopped(kernel)
    image, log = market.world.store.image(), LogRange(0, 3)
    for group in (None, (3, None), (3, 1), (1, 0)):
        assert plan_adopt(image, log, FINGERPRINT, group, 0) is None


@every_watermark
def test_a_cut_inside_of_an_open_window(kernel: type[Kernel], watermark: Watermark) -> None:
    """What is left of the window is read again; it is partial, and so is nothing behind it."""
    market = stopped(kernel, watermark=watermark)
    market.world.log.start = 2
    adopt(market)
    market.restart()
    market.tick(130)
    market.tick(190)
    assert bars(market) == [(0, 1, False), (60, 1, True), (120, 1, False)]


@every_watermark
def test_a_cut_behind_c(kernel: type[Kernel], watermark: Watermark) -> None:
    """The bucket of the first tick behind the gap is partial, those behind it are whole; C and
    every bar that is out stay."""
    market = stopped(kernel, watermark=watermark)
    for at in (90, 130, 140, 190):
        market.put(at)
    market.world.log.start = 5
    assert adopt(market).commit_offset == 5
    market.restart()
    market.owner.feed_all()
    market.tick(250)
    assert bars(market) == [(0, 1, False), (120, 1, True), (180, 1, False)]


@every_watermark
@pytest.mark.parametrize("restore_max", [0, 100])
def test_skipping_ahead(kernel: type[Kernel], watermark: Watermark, restore_max: int) -> None:
    """Windows that were open keep their ticks and are partial, stored in full or not; what is
    skipped is never read, not even in a crash that follows."""
    market = stopped(kernel, watermark=watermark, restore_max=restore_max)
    for at in (90, 100, 130, 140, 190):
        market.put(at)
    assert adopt(market, (6, None)).commit_offset == 6
    market.restart()
    market.owner.feed_all()
    market.restart()
    market.owner.feed_all()
    market.commit()
    market.restart()
    market.tick(250)
    assert bars(market) == [(0, 1, False), (60, 2, True), (120, 1, True), (180, 1, False)]


@pytest.mark.parametrize("offset", [0, 2, 99])
def test_an_offset_that_is_not_followed(kernel: type[Kernel], offset: int) -> None:
    """Back would write twice, and behind the log there is nothing: C stays, nothing is partial."""
    market = stopped(kernel)
    plan = adopt(market, (offset, None))
    assert plan.commit_offset == 3
    assert "is not followed" in plan.says[0]
    market.restart()
    market.tick(130)
    assert bars(market) == [(0, 1, False), (60, 2, False)]


@pytest.mark.parametrize("anew_at", [0, 1])
@pytest.mark.parametrize("restore_max", [0, 100])
def test_another_log(kernel: type[Kernel], anew_at: int, restore_max: int) -> None:
    """Floors stay, so ticks of closed buckets are late; offsets of the old log are forgotten."""
    market = stopped(kernel, restore_max=restore_max)
    market.put(85, schema_id=LEARNED_ID)
    market.owner.feed_all()
    market.commit()
    assert market.world.store.image().rejected
    market.world.log.entries.clear()
    market.world.log.end = 0
    market.put(20)
    market.put(90)

    adopt(market, anew_at=anew_at)

    image = market.world.store.image()
    assert not image.rejected
    assert not image.windows
    market.restart()
    market.owner.feed_all()
    market.tick(130)
    assert bars(market) == [(0, 1, False), (60, 1, True)]
    assert [one.offset for one in market.late] == [0][anew_at:]


def test_lost_commits(kernel: type[Kernel]) -> None:
    """A group offset of a later commit is followed, and its seq is never used again."""
    market = stopped(kernel)
    for at in (130, 140, 190):
        market.put(at)
    plan = adopt(market, (5, 9))
    assert (plan.commit_offset, plan.seq) == (5, 10)
    market.restart()
    market.owner.feed_all()
    market.tick(250)
    assert bars(market) == [(0, 1, False), (180, 1, True)]


def test_other_settings_hold_from_low_water_on(kernel: type[Kernel]) -> None:
    """[L, C) is read again; buckets that begin before closed_through lack ticks, others do not."""
    market = stopped(kernel)
    [stored] = [market.world.store.image().partition]
    assert stored is not None
    plan = plan_adopt(
        replace(
            market.world.store.image(), partition=stored._replace(fingerprint='{"WINDOW": "9s"}')
        ),
        LogRange(0, 3),
        FINGERPRINT,
        None,
        0,
    )
    assert plan is not None
    image = StateImage.read(plan.records)
    assert image.partition is not None
    assert json.loads(image.partition.fingerprint) == FINGERPRINT
    assert (image.partition.commit_offset, image.partition.low_water) == (3, 1)
    [before] = market.world.store.image().brokers.values()
    assert image.brokers["a"].begin_ns == before.closed_through_ns - 1


def adopted(stored: dict[str, str], now: dict[str, str]) -> StateImage:
    """A state that was written with other settings, and is adopted with these."""
    broker = BrokerState("a", 100, 90, 100, 60, NEVER, 0)
    own = PartitionRecord(3, 1, 1, True, json.dumps(stored))
    image = StateImage.read([broker_record(broker), partition_record(own)])
    plan = plan_adopt(image, LogRange(0, 3), now, None, 0)
    assert plan is not None
    return StateImage.read(plan.records)


@pytest.mark.parametrize("name", ["FIELD_PRICE", "INPUT_SCHEMA"])
def test_what_reads_ticks_otherwise_leaves_no_open_window_whole(name: str) -> None:
    """Whether each tick can be read under other fields or another schema nobody knows: all are
    partial."""
    assert adopted({name: "bid"}, {name: "ask"}).brokers["a"].begin_ns == 100


@pytest.mark.parametrize("besides", [{}, {"WINDOW": "5s"}])
def test_a_book_of_another_watermark_is_not_adopted(besides: dict[str, str]) -> None:
    """Its bars would leave twice; what else has changed makes no difference, and is named too."""
    stored = {"WATERMARK": "series", "WINDOW": "1s"}
    message = "WATERMARK was series, is now broker.* set it back, or give the new one a CONTEXT"
    with pytest.raises(StateError, match=message):
        adopted(stored, stored | {"WATERMARK": "broker"} | besides)
    assert adopted(stored, {"WINDOW": "1m"}).partition is not None  # no book any more


def test_a_schema_that_was_not_stored_yet_is_no_change() -> None:
    """Beside another window of a state of an earlier release it leaves whole what that leaves so,
    and from then on it is stored."""
    now = {"WINDOW": "9s", "INPUT_SCHEMA": "a"}
    image = adopted({"WINDOW": "1s"}, now)
    assert image.brokers["a"].begin_ns == 59
    assert image.partition is not None
    assert json.loads(image.partition.fingerprint) == now


def test_roll_up_that_lost_an_open_window(kernel: type[Kernel]) -> None:
    """It is partial though no base bar comes any more to tell it; the next one is whole."""
    #    x |5m  |1m   |1m x lost |5m  y  |5m
    #    0      301   361  390   600
    market = Market(kernel, rollups="5m")
    for at in (0, 301, 361, 390):
        market.tick(at)
    market.commit()
    market.world.log.start = 4
    adopt(market)
    market.restart()
    for at in (601, 910):
        market.tick(at, symbol="y")
    market.commit()
    rollups = [bar for commit in market.world.commits for _, _, bar in commit.others]
    assert [(bar.series, bar.row["tick_count"], bar.row["partial"]) for bar in rollups[1:]] == [
        (("a", "x"), 1, True),
        (("a", "y"), 1, False),
    ]


def test_no_state(kernel: type[Kernel]) -> None:
    """Begun in the middle of something: the first bars are partial, be it at offset 0."""
    market = Market(kernel)
    write(market, plan_begin(0, 4, FINGERPRINT))
    market.restart()
    for at in (10, 70, 130):
        market.tick(at)
    assert bars(market) == [(0, 1, True), (60, 1, False)]


@pytest.mark.parametrize("whole", [True, False])
def test_reset_forgets_everything(kernel: type[Kernel], whole: bool) -> None:
    """Every record that is there, readable or not, goes; seq goes on behind the largest."""
    market = stopped(kernel, watermark=Watermark.SERIES)
    records = [
        *market.world.store._state,
        StateRecord(b"who knows", b"\xff"),
        StateRecord(b"broker|a", b"\x09"),
        StateRecord(PARTITION_KEY, b"\x01\xff"),
    ]
    with pytest.raises(UnreadableStateError):
        StateImage.read(records)
    assert newest_seq(records) == 1

    plan = plan_reset(records, 2, 7, FINGERPRINT, whole=whole)

    image = StateImage.read([*records, *plan.records])
    assert image == StateImage(PartitionRecord(2, 2, 8, whole, '{"WINDOW": "1s"}'))
    assert image == StateImage.read(plan.records), "the same when the log cleaner was there"
