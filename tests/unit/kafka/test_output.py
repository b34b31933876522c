"""Building record batches for output."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import strategies as st

from barengine.codec.records import encode_record, iter_records, parse_headers
from barengine.kafka.compression import CODECS
from barengine.kafka.output import OutRecord, PrebuiltBatch, build_records, built_size
from barengine.kernel import EncodedRecords

RECORDS = [OutRecord(b"key %d" % n, b"value" * 20, (), 1000 + n) for n in range(50)]

out_records = st.builds(
    OutRecord,
    st.none() | st.binary(max_size=20),
    st.none() | st.binary(max_size=200),
    st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=9)), max_size=3),
    st.integers(-1, 2**42),
)


def as_records(batches: list[EncodedRecords]) -> list[OutRecord]:
    return [
        OutRecord(one.key, one.value, parse_headers(one.headers), batch.base_time_ms + one[1])
        for batch in batches
        for one in iter_records(batch.payload, batch.count)
    ]


def built(batch: PrebuiltBatch) -> Any:
    batch._set_producer_state(77, 3, 5)
    return MemoryRecords(batch._build()).next_batch()


def test_no_records_are_no_batches() -> None:
    """Nothing becomes nothing."""
    assert build_records([], 1000) == []


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_is_what_kafka_expects(codec: str) -> None:
    """Another implementation finds CRC, producer, sequence, times and records as they should be."""
    [records] = build_records(RECORDS, 100_000)
    found = built(PrebuiltBatch(records, codec))
    assert found.validate_crc()
    assert (found.producer_id, found.is_transactional) == (77, True)
    assert (found.producer_epoch, found.base_sequence) == (3, 5)
    assert (found.base_offset, found.next_offset) == (0, 50)
    assert (found.first_timestamp, found.max_timestamp) == (1000, 1049)
    assert found.compression_type == CODECS.index(codec)
    assert [(one.key, one.value, one.timestamp) for one in found] == [
        (one.key, one.value, one.timestamp_ms) for one in RECORDS
    ]


def test_what_does_not_shrink_is_sent_as_it_is() -> None:
    """A codec that gains nothing is not used, so that no batch grows by it."""
    [records] = build_records([OutRecord(None, b"x", (), 1)], 1000)
    batch = PrebuiltBatch(records, "gzip")
    assert built(batch).compression_type == 0
    assert batch.size() == 61 + len(records.payload) == len(batch._build())


def test_a_batch_outside_of_transactions() -> None:
    """The transactional flag is the caller's choice."""
    [records] = build_records(RECORDS, 100_000)
    assert not built(PrebuiltBatch(records, "none", transactional=False)).is_transactional


def test_building_again_gives_the_same_bytes() -> None:
    """A batch that is sent again is the batch that was sent."""
    [records] = build_records(RECORDS, 100_000)
    batch = PrebuiltBatch(records, "zstd")
    batch._set_producer_state(1, 2, 3)
    assert batch._build() == batch._build()
    assert len(batch._build()) == batch.size()


def test_size_of_a_record_alone() -> None:
    """built_size is what the broker will measure."""
    record = OutRecord(b"k", b"v" * 5000, [("reason", b"late")], 1)
    plain = len(encode_record(0, 0, b"k", b"v" * 5000, record.headers)) + 61
    assert built_size(record) == plain
    assert built_size(record, "zstd") < plain
