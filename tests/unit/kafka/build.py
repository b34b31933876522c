"""Record batches by hand, field by field, apart from the code under test."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from barengine.codec.records import encode_record, iter_records
from barengine.kafka.batches import BatchRead, read_batches
from barengine.kafka.compression import CODECS, compress

LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 0x08, 0x10, 0x20


def batch(
    base_offset: int,
    values: Sequence[bytes],
    *,
    deltas: Sequence[int] | None = None,
    last_delta: int | None = None,
    codec: str = "none",
    attributes: int = 0,
    producer_id: int = -1,
    base_time_ms: int = 1000,
    max_time_ms: int = 2000,
    body: bytes | None = None,
) -> bytes:
    """A format 2 batch whose records hold these values, by default one offset each."""
    places = list(range(len(values))) if deltas is None else list(deltas)
    payload = b"".join(
        encode_record(place, 10 * place, b"k", value)
        for place, value in zip(places, values, strict=True)
    )
    packed = compress(codec, payload) if body is None else body
    covered = (
        struct.pack(
            ">hiqqqhii",
            attributes | CODECS.index(codec),
            (places[-1] if places else 0) if last_delta is None else last_delta,
            base_time_ms,
            max_time_ms,
            producer_id,
            0,
            0,
            len(values),
        )
        + packed
    )
    behind_length = struct.pack(">ibI", 0, 2, calc_crc32c(covered)) + covered
    return struct.pack(">qi", base_offset, len(behind_length)) + behind_length


def marker(offset: int, producer_id: int, *, commit: bool) -> bytes:
    """The control batch that ends a transaction."""
    record = encode_record(0, 0, struct.pack(">hh", 0, int(commit)), struct.pack(">hi", 0, 0))
    payload = batch(offset, [b""], attributes=CONTROL | TRANSACTIONAL, producer_id=producer_id)
    return with_body(payload, record)


def with_body(whole: bytes, body: bytes) -> bytes:
    """The same batch around another body, with length and CRC to match."""
    covered = whole[21:61] + body
    behind_length = whole[12:17] + struct.pack(">I", calc_crc32c(covered)) + covered
    return whole[:8] + struct.pack(">i", len(behind_length)) + behind_length


def message_set(magic: int, first_offset: int, values: Sequence[bytes], codec: int = 0) -> bytes:
    """Messages of format 0 or 1; compressed ones (1 gzip, 2 snappy, 3 lz4) inside of one."""
    builder = LegacyRecordBatchBuilder(magic, codec, 1 << 20)
    for place, value in enumerate(values):
        # inside of a compressed message of format 1 offsets count from 0
        offset = place if codec and magic else first_offset + place
        builder.append(offset, 5000 + place, b"k", value)
    built = bytes(builder.build())
    if not codec:
        return built
    # the outer offset is that of the last message inside; the CRC does not cover it
    return struct.pack(">q", first_offset + len(values) - 1) + built[8:]


def read(data: bytes, aborted: Sequence[tuple[int, int]] = (), offset: int = 0) -> list[BatchRead]:
    """The batches of a fetch, which are the same where it is a part of a larger answer."""
    part = memoryview(b"before" + data + b"behind")[6:-6]
    found = list(read_batches(data, aborted, offset))
    assert list(read_batches(part, aborted, offset)) == found
    return found


def values(reads: Sequence[BatchRead]) -> list[tuple[int, bytes | None]]:
    """Offset and value of every record, in order."""
    found = []
    for one, _ in reads:
        if one is not None:
            found += [
                (one.base_offset + record.offset_delta, record.value)
                for record in iter_records(one.payload, one.records)
            ]
    return found
