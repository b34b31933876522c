"""What must hold after every history, whatever befell the owner: E1 to E5.

Nothing here asks the engine: ticks come from the log, output from the store.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from barengine.engine.state import StateImage
from barengine.kernel import Reject
from barengine.kernel._pure_stored import unpack
from barengine.model import MAX_EVENT_NS, LatePolicy, Order, Reason
from tests.unit.engine.log import Tick
from tests.unit.engine.run import Run
from tests.unit.engine.sim import committed_offsets, uninterrupted
from tests.unit.engine.spec import Spec, told
from tests.unit.engine.store import BarRecord, Commit, Series, Store

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Numbered = tuple[int, Tick]
"""A tick and its offset."""


def check_ladder(run: Run) -> None:
    """E1, E2 and E4 of a run with bars beyond the base window, where late ticks may correct bars;
    of each whatever the plan can promise."""
    if not run.plan.rules.skip_partial:
        _counted_once(run)
    if not run.plan.forgetful:
        _finals_once(run)
    if not (run.changed or run.plan.forgetful):
        like_uninterrupted(run)


def _counted_once(run: Run) -> None:
    newest: dict[tuple[Series, int], int] = {}
    total = 0
    for commit in run.world.commits:
        corrections = [bar for rung, kind, bar in commit.others if (rung, kind) == (0, 1)]
        for bar in [*commit.bars, *corrections]:
            name, count = (bar.series, bar.bucket_ms), bar.row["tick_count"]
            # a series that was forgotten may bring a second one, of its other ticks
            total += count - (newest.get(name, 0) if bar.row["revision"] else 0)
            newest[name] = count
    rejected = {one.offset for one in _rejects(run)}
    records = {offset for offset in committed_offsets(run.world) if offset < run.flushed_from}
    assert total == len(records - rejected), "E1 ticks are missing or doubled"


def _finals_once(run: Run) -> None:
    """Nothing leaves twice but as a correction, whose revision grows."""
    newest: dict[tuple[int, bytes], int] = {}
    for commit in run.world.commits:
        others = sorted(commit.others, key=lambda one: one[1])
        for rung, kind, bar in [*((0, 0, bar) for bar in commit.bars), *others]:
            name, revision = (rung, bar.key), bar.row["revision"]
            assert (revision > 0) == (kind == 1), f"E2 {bar.row}"
            assert revision > newest.get(name, -1), f"E2 {bar.row}"
            newest[name] = revision


def check(run: Run) -> None:
    """Whatever of E1 to E5 the plan can promise.

    A series forgotten before its time may bring the same bar again (not E2), and who restarts
    with other settings is no engine that never crashed (not E4, E5).

    Raises:
        AssertionError: one does not hold.
    """
    accounted_once(run)
    bars_are_their_ticks(run)
    if not run.plan.forgetful:
        in_order(run)
    if not (run.changed or run.plan.forgetful):
        like_uninterrupted(run)
        as_designed(run)


def _bars(run: Run) -> list[BarRecord]:
    return [bar for commit in run.world.commits for bar in commit.bars]


def _rejects(run: Run) -> list[Reject]:
    return [
        one for commit in run.world.commits for one in (*commit.late, *commit.dead, *commit.dropped)
    ]


def _bucket_ms(run: Run, tick: Tick) -> int:
    length = run.rules.period.length_ns // 1_000_000
    return tick.time_ms // length * length


def _by_bucket(run: Run) -> dict[tuple[Series, int], list[Numbered]]:
    """The ticks of each series and bucket that were not rejected."""
    rejected = {one.offset for one in _rejects(run)}
    found: dict[tuple[Series, int], list[Numbered]] = defaultdict(list)
    for offset, entry in run.world.log.entries.items():
        if entry.tick is not None and offset not in rejected:
            tick = entry.tick
            found[(tick.broker, tick.symbol), _bucket_ms(run, tick)].append((offset, tick))
    return found


def _with_ticks(run: Run) -> Iterator[tuple[BarRecord, list[Numbered]]]:
    """Each bar and the ticks in its audit range."""
    buckets = _by_bucket(run)
    for bar in _bars(run):
        offsets = range(bar.row["first_offset"], bar.row["last_offset"] + 1)
        yield bar, [one for one in buckets[bar.series, bar.bucket_ms] if one[0] in offsets]


def accounted_once(run: Run) -> None:
    """E1: every record is in one bar, or late, or dead, and in one of them once."""
    seen = Counter(one.offset for one in _rejects(run))
    for bar, ticks in _with_ticks(run):
        assert bar.row["tick_count"] == len(ticks), f"E1 {bar.row} is not of {ticks}"
        seen.update(offset for offset, _ in ticks)
    for offset in committed_offsets(run.world):
        if offset < run.flushed_from:
            assert seen[offset] == 1, f"E1 offset {offset} is accounted for {seen[offset]} times"
    for one in _rejects(run):
        _check_reject(run, one)


def _check_reject(run: Run, one: Reject) -> None:
    entry = run.world.log.entries[one.offset]
    if one.reason.late and run.plan.rules.late_policy is LatePolicy.DROP:
        return
    assert (one.key, one.value, one.time_ms) == (entry.key, entry.value, entry.time_ms)
    valid = entry.tick is not None
    assert valid == (one.reason.late or one.reason.revocable), f"E1 {one} for {entry}"
    assert valid or one.reason is not Reason.UNKNOWN_SCHEMA


def in_order(run: Run) -> None:
    """E2: no bar leaves twice, and those of a series leave in the order of their buckets."""
    last: dict[Series, int] = {}
    for bar in _bars(run):
        assert bar.bucket_ms > last.get(bar.series, bar.bucket_ms - 1), f"E2 {bar.row}"
        last[bar.series] = bar.bucket_ms


def bars_are_their_ticks(run: Run) -> None:
    """E3: a bar is what its own ticks make it, aggregated anew, and its audit range is theirs."""
    for bar, ticks in _with_ticks(run):
        expected = _aggregate(run, ticks)
        got = {name: bar.row[name] for name in expected}
        assert got == expected, f"E3 {got} should be {expected}"
        assert bar.timestamp_ms == bar.bucket_ms


def _aggregate(run: Run, ticks: list[Numbered]) -> dict[str, Any]:
    by_time = run.rules.order is Order.EVENT_TIME
    ordered = sorted(ticks, key=lambda one: (one[1].time_ms if by_time else 0, one[0]))
    prices = [Decimal(tick.price) for _, tick in ordered]
    times = [tick.time_ms for _, tick in ticks]
    offsets = [offset for offset, _ in ticks]
    start = _bucket_ms(run, ticks[0][1])
    return {
        "broker": ticks[0][1].broker,
        "symbol": ticks[0][1].symbol,
        "period": run.rules.period.name,
        "bucket_start": _at(start),
        "bucket_end": _at(start + run.rules.period.length_ns // 1_000_000),
        "open": prices[0],
        "high": max(prices),
        "low": min(prices),
        "close": prices[-1],
        "tick_count": len(ticks),
        "first_event_time": _at(min(times)),
        "last_event_time": _at(max(times)),
        "first_offset": min(offsets),
        "last_offset": max(offsets),
        "revision": 0,
        "final": True,
        "origin": "ticks",
    }


def _at(time_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=time_ms)


def like_uninterrupted(run: Run) -> None:
    """E4: an engine that never crashed gives the same transactions and the same state."""
    reference = uninterrupted(run.world, run.rules)
    assert len(reference.commits) == len(run.world.commits)
    for expected, got in zip(reference.commits, run.world.commits, strict=True):
        assert _content(got) == _content(expected), f"E4 commit {got.seq}"
    _same_state(reference, run.world.store)


def _content(commit: Commit) -> dict[str, Any]:
    bars: dict[Series, list[tuple[bytes, bytes]]] = defaultdict(list)
    for bar in commit.bars:
        bars[bar.series].append((bar.key, bar.value))
    others: dict[tuple[int, int, Series], list[tuple[bytes, bytes]]] = defaultdict(list)
    for rung, kind, bar in commit.others:
        others[rung, kind, bar.series].append((bar.key, bar.value))
    return {
        "offsets": (commit.commit_offset, commit.low_water, commit.seq),
        "bars": dict(bars),
        "others": dict(others),
        "late": commit.late,
        "dead": commit.dead,
        "dropped": commit.dropped,
    }


def _same_state(expected: Store, got: Store) -> None:
    assert got.image() == expected.image(), "E4 state"


def as_designed(run: Run) -> None:
    """E5: each commit closes, rejects and goes back to what the design's own words say."""
    expected = Spec(run.world, run.rules).run()
    image = StateImage()
    for commit, said in zip(run.world.commits, expected, strict=True):
        for record in commit.state:
            image.apply(*record)
        assert told(commit, _stored(run, image)) == said, f"E5 commit {commit.seq}"


def _stored(run: Run, image: StateImage) -> set[tuple[Series, int]]:
    """The windows that a state holds."""
    blocks = [block.windows for _, block in sorted(image.windows.items())]
    try:
        content = list(unpack(blocks, MAX_EVENT_NS, run.rules.period, run.rules.order, sizes=False))
    except ValueError as error:
        raise AssertionError("E5 the blocks are not of one storing") from error
    found = [((one.broker.decode(), one.symbol.decode()), one.window.start) for one in content]
    assert len(found) == len(set(found)), "E5 a window is stored twice"
    return set(found)
