"""The record layout, against the encoder and decoder of aiokafka."""

from __future__ import annotations

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from barengine.codec.records import (
    encode_record,
    encode_varint,
    iter_records,
    parse_headers,
    read_varint,
)

HEADER_BYTES = 61
"""Of a v2 record batch, before its records."""

Record = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]
NULLABLE = st.none() | st.binary(max_size=200)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
RECORDS: st.SearchStrategy[list[Record]] = st.lists(
    st.tuples(
        st.integers(0, 2**40), NULLABLE, NULLABLE, st.lists(st.tuples(KEYS, NULLABLE), max_size=3)
    ),
    min_size=1,
    max_size=5,
)


def built(records: list[Record]) -> bytes:
    """The whole batch as aiokafka writes it; timestamps count from 0."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for offset, (time_ms, key, value, headers) in enumerate(records):
        builder.append(offset, time_ms, key, value, headers)
    return bytes(builder.build())


def encoded(records: list[Record]) -> bytes:
    """The same records as a payload of ours, after the first one's timestamp."""
    base = records[0][0]
    return b"".join(
        encode_record(offset, time_ms - base, key, value, headers)
        for offset, (time_ms, key, value, headers) in enumerate(records)
    )


@given(RECORDS)
def test_records_are_written_as_kafka_clients_do(records: list[Record]) -> None:
    """Byte by byte the payload that aiokafka builds from the same records."""
    assert encoded(records) == built(records)[HEADER_BYTES:]


@given(RECORDS)
def test_records_are_read_as_they_were_written(records: list[Record]) -> None:
    """Every part of every record comes back, nulls as nulls."""
    batch = built(records)
    base = records[0][0]
    read = [
        (record.timestamp_delta + base, record.key, record.value, parse_headers(record.headers))
        for record in iter_records(batch[HEADER_BYTES:], len(records))
    ]
    assert read == records
    by_aiokafka = [(r.timestamp, r.key, r.value, r.headers) for r in DefaultRecordBatch(batch)]
    assert read == by_aiokafka


@given(RECORDS)
def test_a_cut_payload_is_an_error(records: list[Record]) -> None:
    """A payload that breaks off anywhere raises ValueError, never anything else."""
    payload = encoded(records)
    for size in range(len(payload)):
        with pytest.raises(ValueError, match="byte"):
            list(iter_records(payload[:size], len(records)))


@given(RECORDS, st.data())
def test_a_mutated_payload_is_read_or_an_error(records: list[Record], data: st.DataObject) -> None:
    """Any bytes give records that cover the payload exactly, or ValueError."""
    payload = bytearray(encoded(records))
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = list(iter_records(bytes(payload), len(records)))
    except ValueError:
        return
    assert len(read) == len(records)


@pytest.mark.parametrize(
    "record",
    [
        b"\x00",
        b"\x01",
        b"\x0c\x00\x00\x00\x03\x01\x00",
        b"\x0c\x00\x00\x00\x01\x03\x00",
        b"\x0c\x00\x00\x00\x02\x01\x00",
        b"\x0c\x00\x00\x00\x01\x01\x01",
        b"\x0e\x00\x00\x00\x01\x01\x00\x00",
        b"\x10\x00\x00\x00\x01\x01\x02\x01\x01",
        b"\x10\x00\x00\x00\x01\x01\x02\x00\x03",
        b"\x0c\x00\x00\x00\x01\x01" + b"\xff" * 11,
    ],
)
def test_lengths_that_contradict_each_other_are_errors(record: bytes) -> None:
    """Negative lengths, lengths over the record's end, bytes left over inside it."""
    with pytest.raises(ValueError, match=r"."):
        list(iter_records(record, 1))


def test_the_count_is_believed_exactly() -> None:
    """Records missing or left over are errors, and no records are no bytes."""
    payload = encode_record(0, 0, None, b"v") + encode_record(1, 0, None, b"w")
    assert [record.value for record in iter_records(payload, 2)] == [b"v", b"w"]
    assert list(iter_records(b"", 0)) == []
    for count in (0, 1, 3):
        with pytest.raises(ValueError, match="byte"):
            list(iter_records(payload, count))


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\x02", b"\x02\x01\x01", b"\x00!"])
def test_broken_headers_are_errors(raw: bytes) -> None:
    """Headers without a key, cut or with bytes behind raise ValueError."""
    with pytest.raises(ValueError, match=r"."):
        parse_headers(raw)


def test_header_key_that_is_no_text() -> None:
    """A header key need not be UTF-8; what is not becomes U+FFFD, and its value stays."""
    assert parse_headers(b"\x02\x04k\xff\x01") == [("k\ufffd", None)]


@given(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=3))
def test_varints_go_there_and_back(value: int, rest: bytes) -> None:
    """Every int64 takes at most ten bytes and leaves what follows alone."""
    data = encode_varint(value)
    assert len(data) <= 10
    assert read_varint(data + rest, 0) == (value, len(data))
    with pytest.raises(ValueError, match="varint"):
        read_varint(data + rest, 0, len(data) - 1)
