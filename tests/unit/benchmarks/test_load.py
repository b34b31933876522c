"""The ticks of a load and the bytes they are sent as."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, NamedTuple

import fastavro
import pytest

from barengine.codec.fields import TICK_SCHEMA
from barengine.codec.framing import HEADER_SIZE
from barengine.codec.records import iter_records
from benchmarks.contender import GRACE_MS
from benchmarks.encode import batches
from benchmarks.load import Load, schema_path
from benchmarks.rounds import at_most_ticks
from benchmarks.ticks import BROKER, MINUTE_MS, START_MS, UNITS, chunks, closing

SMALL = Load(4_001, series=30, partitions=3, minutes=3)
KINDS = [
    SMALL,
    Load(4_001, series=30, partitions=3, minutes=3, price="decimal"),
    Load(4_001, series=1, partitions=1, minutes=3, nullable=True),
    Load(500, series=99_999, partitions=1, minutes=3, price="decimal", nullable=True, padding=300),
]
named = pytest.mark.parametrize("load", KINDS, ids=lambda load: load.name)


class Read(NamedTuple):
    key: bytes
    value: dict[str, Any]
    time_ms: int
    size: int


def sent(load: Load, partition: int) -> Iterator[Read]:
    """The records of a partition, decoded by fastavro."""
    schema = fastavro.parse_schema(load.schema)
    for chunk in [*chunks(load, partition), closing(load, partition)]:
        for batch in batches(load, chunk):
            records = list(iter_records(batch.payload, batch.count))
            assert [record.offset_delta for record in records] == list(range(batch.count))
            times = [batch.base_time_ms + record.timestamp_delta for record in records]
            assert max(times) == batch.max_time_ms
            for record, time_ms in zip(records, times, strict=True):
                assert record.key is not None
                assert record.value is not None
                body = io.BytesIO(record.value[HEADER_SIZE:])
                value: Any = fastavro.schemaless_reader(body, schema, None)
                assert body.read() == b""
                yield Read(record.key, value, time_ms, len(record.value))


@named
def test_fastavro_reads_the_ticks_that_were_made(load: Load) -> None:
    """Whatever the schema, key, value and timestamp of a record are those of its tick."""
    for partition in range(load.partitions):
        records = sent(load, partition)
        for chunk in [*chunks(load, partition), closing(load, partition)]:
            columns = (chunk.series.tolist(), chunk.time_ms.tolist(), chunk.price.tolist())
            for series, time_ms, price in zip(*columns, strict=True):
                key, value, record_ms, _ = next(records)
                symbol = f"{chunk.symbol.decode()}{series:05}"
                assert key.decode() == f"{BROKER}|{symbol}"
                assert (value["broker"], value["symbol"]) == (BROKER, symbol)
                assert round(value["timestamp"].timestamp() * 1000) == time_ms == record_ms
                assert float(value["bid"]) == float(f"{price / UNITS:.5f}")
                assert len(value.get("note", "")) == load.padding
        assert next(records, None) is None


@named
def test_a_load_has_as_many_ticks_as_it_says(load: Load) -> None:
    """Over all partitions, each with its closing tick on top."""
    records = sum(len(list(sent(load, partition))) for partition in range(load.partitions))
    assert records == load.ticks + load.partitions


def test_no_tick_is_late_and_yet_they_are_out_of_order() -> None:
    """Each is less than the grace behind the latest before it, and some are behind at all."""
    behind = [0]
    for partition in range(SMALL.partitions):
        latest = 0
        for tick in sent(SMALL, partition):
            latest = max(latest, tick.time_ms)
            behind.append(latest - tick.time_ms)
    assert 0 < max(behind) <= SMALL.disorder_ms < GRACE_MS


def test_the_closing_tick_closes_every_window() -> None:
    """Its time is past the grace of the last window that a tick of the load can be in."""
    *ticks, last = sent(SMALL, 0)
    assert max(tick.time_ms for tick in ticks) < START_MS + SMALL.minutes * MINUTE_MS
    assert last.time_ms >= START_MS + SMALL.minutes * MINUTE_MS + GRACE_MS
    assert last.key.startswith(b"BRK|END")


def test_a_series_stays_in_its_partition() -> None:
    """No symbol is found in two of them."""
    keys = [{tick.key for tick in sent(SMALL, part)} for part in range(SMALL.partitions)]
    assert sum(map(len, keys)) == len(set.union(*keys)) == SMALL.series + SMALL.partitions


def test_the_same_load_is_the_same_bytes() -> None:
    """Nothing but the load goes into its ticks: topics of an earlier run can be used again."""
    again = Load(4_001, series=30, partitions=3, minutes=3)
    assert list(sent(SMALL, 1)) == list(sent(again, 1))
    assert SMALL.name == again.name
    assert len({load.name for load in KINDS}) == len(KINDS)


def test_padding_is_the_size_of_a_value() -> None:
    """A padded value is larger by the padding and its length, no more."""
    plain, padded = Load(100), Load(100, padding=444)
    sizes = [next(sent(load, 0)).size for load in (plain, padded)]
    assert sizes[1] - sizes[0] == 444 + 2


def test_only_other_schemas_need_a_file() -> None:
    """The default load is of the schema that barengine has built in."""
    assert SMALL.schema == TICK_SCHEMA
    assert schema_path(SMALL) is None


def test_a_part_of_a_load_is_as_dense() -> None:
    """Fewer ticks are the beginning of the same market: as many of them a minute."""
    whole = Load(5_000_000)
    assert at_most_ticks(whole, 500_000) == Load(500_000, minutes=6)
    assert at_most_ticks(whole, 5_000_000) is whole
