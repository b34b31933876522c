"""Snapshots become record batches."""

from __future__ import annotations

import random

import pytest

from barengine.codec.records import iter_records, parse_headers
from barengine.engine.snapshot import Snapshot
from barengine.engine.state import StateRecord
from barengine.engine.stored import StoredWindows
from barengine.kafka.output import PrebuiltBatch
from barengine.kafka.sink import OutBatch
from barengine.kernel import BlockForm, KernelConfig, Kind, Leaf, PureKernel, Reject, SeriesState
from barengine.kernel._pure_block import PureBarBlock, PureSeriesBlock
from barengine.model import NS_PER_MS, Period, Reason
from barengine.service.outbox import Outbox
from barengine.service.topics import Topics
from barengine.settings import load_settings
from tests.unit.kernel.test_merge import of_tick

LIMIT = 64 * 1024
NO_HEADERS = b"\x00"
SECOND = 10**9


def outbox() -> Outbox:
    settings = load_settings(None, {"BARENGINE_OUTPUT_TOPIC": "bars", "BARENGINE_WINDOW": "5s"})
    names = (
        "bars",
        "bars_corrections",
        settings.late_topic,
        settings.dead_topic,
        settings.state_topic,
    )
    return Outbox(settings, Topics(4, dict.fromkeys(names, LIMIT)), 3)


def snapshot(
    *,
    late: list[Reject] | None = None,
    dead: list[Reject] | None = None,
    state: list[StateRecord] | None = None,
    leaves: list[Leaf] | None = None,
) -> Snapshot:
    kernel = PureKernel(KernelConfig(Period.parse("5s"), 0))
    series = PureSeriesBlock([SeriesState("a", "b", 1, 2)])
    gone = [StateRecord(b"series|a|b", None)]
    state = state or [StateRecord(b"partition", b"value")]
    bars = leaves or [Leaf(0, Kind.FINAL, kernel.take_bars())]
    windows = StoredWindows(kernel, {}, 5, 100).take(10, 5, may_store=True)
    return Snapshot(
        *(10, 5, 1, bars, late or [], dead or [], [], []),
        *(gone, [series], None, windows, state),
    )


def letters(batches: list[OutBatch], topic: str) -> list[tuple[bytes | None, bytes | None, dict]]:
    return [
        (record.key, record.value, dict(parse_headers(record.headers)))
        for batch in batches
        if batch.topic == topic
        for record in iter_records(batch.records.payload, batch.records.count)
    ]


def test_a_late_tick_says_which_bucket_it_missed() -> None:
    """A late tick leaves untouched, with bucket, lateness and source in its headers."""
    late = Reject(
        42, 7, b"k", b"v", NO_HEADERS, Reason.WATERMARK, 10 * SECOND, 2_500_000_000, "BRK"
    )
    batches = outbox().batches(snapshot(late=[late]), 0)
    [(key, value, headers)] = letters(batches, "tick_late")
    assert (key, value) == (b"k", b"v")
    assert headers == {
        "reason": b"watermark",
        "source_topic": b"ticks",
        "source_partition": b"3",
        "source_offset": b"42",
        "bucket_start": b"10000",
        "bucket_end": b"15000",
        "lateness_ms": b"2500",
    }


def test_the_records_own_headers_travel_along() -> None:
    """Headers of the input record stand behind ours."""
    own = b"\x02" + b"\x06" + b"abc" + b"\x02" + b"x"
    dead = Reject(1, 0, None, None, own, Reason.NULL_VALUE)
    [(key, value, headers)] = letters(outbox().batches(snapshot(dead=[dead]), 0), "tick_dead")
    assert (key, value) == (None, None)
    assert headers["abc"] == b"x"
    assert headers["reason"] == b"null_value"


def test_every_batch_goes_to_the_input_partitions_number_and_the_state_comes_last() -> None:
    """Output is co-partitioned; the state record is behind what it accounts for, and a series
    that was forgotten and came back is forgotten first."""
    dead = Reject(1, 0, b"k", b"v", NO_HEADERS, Reason.UNDECODABLE)
    batches = outbox().batches(snapshot(dead=[dead]), 7 * NS_PER_MS)
    assert {batch.partition for batch in batches} == {3}
    [letters, *state] = batches
    assert letters.topic == "tick_dead"
    assert {batch.topic for batch in state} == {"barengine.ticks.state"}
    records = [
        one for batch in state for one in iter_records(batch.records.payload, batch.records.count)
    ]
    assert [(one.key, one.value is None) for one in records] == [
        (b"series|a|b", True),
        (b"series|a|b", False),
        (b"partition", False),
    ]
    assert {batch.records.base_time_ms for batch in state} == {7}


def test_a_topic_gets_few_batches() -> None:
    """The broker takes one batch of a partition after the other: bars of several closes are in one,
    and so is all state, unless that would be larger than the topic takes."""
    block = PureBarBlock(BlockForm("5s"), [of_tick(0, 7, 1)])
    twice = [Leaf(0, Kind.FINAL, block), Leaf(0, Kind.CORRECTION, block)] * 2
    batches = outbox().batches(snapshot(leaves=twice), 0)
    assert [(one.topic, one.records.count) for one in batches] == [
        ("bars", 2),
        ("bars_corrections", 2),
        ("barengine.ticks.state", 3),
    ]
    large = StateRecord(b"partition", bytes(LIMIT))
    [rest, own] = outbox().batches(snapshot(state=[large]), 0)
    assert (rest.records.count, own.records.count) == (2, 1)


@pytest.mark.parametrize("part", ["key", "value"])
def test_a_letter_that_the_broker_would_refuse_is_cut_and_says_so(part: str) -> None:
    """Only what does not fit even compressed is cut; the header tells the size it had."""
    noise = random.Random(1).randbytes(LIMIT)
    key, value = (noise, b"v") if part == "key" else (b"k", noise)
    dead = Reject(1, 0, key, value, NO_HEADERS, Reason.UNDECODABLE)
    batches = outbox().batches(snapshot(dead=[dead]), 0)
    [(kept_key, kept_value, headers)] = letters(batches, "tick_dead")
    assert headers["truncated"] == b"%d" % len(value)
    assert key.startswith(kept_key or b"")
    assert value.startswith(kept_value or b"")
    assert len(kept_key or b"") + len(kept_value or b"") > LIMIT // 2
    [batch] = [batch for batch in batches if batch.topic == "tick_dead"]
    assert PrebuiltBatch(batch.records, "zstd").size() <= LIMIT


def test_a_letter_that_fits_once_compressed_is_not_cut() -> None:
    """The broker's limit is for the batch as it is sent."""
    dead = Reject(1, 0, b"k", bytes(10 * LIMIT), NO_HEADERS, Reason.UNDECODABLE)
    [(_, value, headers)] = letters(outbox().batches(snapshot(dead=[dead]), 0), "tick_dead")
    assert value == bytes(10 * LIMIT)
    assert "truncated" not in headers
