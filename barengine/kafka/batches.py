"""The bytes of a fetch, split into record batches. Synchronous; no network.

The layout is told in ``kernel/_pure_fetched.py``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from google_crc32c import value as crc32c

from barengine.codec.records import iter_records
from barengine.errors import CorruptBatchError
from barengine.kafka.compression import CODECS, LZ4_BLOCK, decompress
from barengine.kafka.legacy import read_message_set
from barengine.kernel import (
    ATTRIBUTES_AT,
    BATCH_HEADER,
    BatchHeader,
    RecordBatch,
    header_at,
    part_of,
    plain_batch,
    record_batch,
)

CRC_AT: Final = 17

CODEC_MASK: Final = 0x07
TRANSACTIONAL: Final = 0x10
CONTROL: Final = 0x20
_OF_TRANSACTIONS: Final = TRANSACTIONAL | CONTROL

_ABORT: Final = 0
_CONTROL_KEY: Final = struct.Struct(">hh")


class BatchRead(NamedTuple):
    """One batch of a fetch; ``batch`` is None where it holds no record for us."""

    batch: RecordBatch | None
    next_offset: int
    """Where the log goes on behind it; not always the last record's offset + 1 (compaction)."""


def read_batches(
    data: bytes | memoryview, aborted: Sequence[tuple[int, int]], offset: int
) -> Iterator[BatchRead]:
    """The batches of a fetch from ``offset``, one at a time, checked and decompressed.

    Control batches and those of aborted transactions come as None. The first batch may hold
    records below ``offset``, any batch may have gaps. Batches before a faulty one are yielded.

    Args:
        data: what the broker sent for one partition, whole.
        aborted: producer id and first offset of each aborted transaction, as the broker sent it.
        offset: the offset that was asked for.

    Raises:
        CorruptBatchError: CRC, lengths or compressed data are wrong, or no batch is whole.
    """
    filter_ = _AbortFilter(aborted)
    start = 0
    while True:
        found = plain_batch(data, start, crc32c, LZ4_BLOCK)
        if found is not None:  # nearly always
            batch, next_offset, start = found
            offset = max(offset, next_offset)
            yield BatchRead(batch, offset)
            continue
        header = header_at(data, start)
        if header is None:
            break
        if header.magic > 2:
            raise CorruptBatchError(f"a batch of unknown format {header.magic} at byte {start}")
        if header.magic < 2:
            old, next_offset = read_message_set(bytes(data[start : header.stop]))
            offset = max(offset, next_offset)
            yield BatchRead(old, offset)
        else:
            if crc32c(part_of(data, start + ATTRIBUTES_AT, header.stop)) != header.crc:
                raise CorruptBatchError(
                    f"wrong CRC in the record batch at offset {header.base_offset}"
                )
            plain = not header.attributes & _OF_TRANSACTIONS
            wanted = (plain or filter_.wants(header, data, start)) and header.records > 0
            offset = max(offset, header.next_offset)
            yield BatchRead(_decompressed(header, data, start) if wanted else None, offset)
        start = header.stop
    if data and not start:
        raise CorruptBatchError(f"{len(data)} bytes at offset {offset} hold no whole record batch")


def _decompressed(header: BatchHeader, data: bytes | memoryview, start: int) -> RecordBatch:
    codec = header.attributes & CODEC_MASK
    if codec >= len(CODECS):
        raise CorruptBatchError(f"unknown codec {codec} at offset {header.base_offset}")
    try:
        payload = decompress(
            CODECS[codec], memoryview(data)[start + BATCH_HEADER.size : header.stop]
        )
    except ValueError as error:
        raise CorruptBatchError(
            f"the record batch at offset {header.base_offset} is no {CODECS[codec]}: {error}"
        ) from error
    return record_batch(header, payload, data, start)


class _AbortFilter:
    """Knows at each batch which producers are inside an aborted transaction.

    The broker lists every aborted transaction that touches the fetch. One is open from its first
    offset to the abort marker of the same producer.
    """

    def __init__(self, aborted: Sequence[tuple[int, int]]) -> None:
        self._coming = sorted(aborted, key=lambda one: one[1], reverse=True)
        self._open: set[int] = set()

    def wants(self, header: BatchHeader, data: bytes | memoryview, start: int) -> bool:
        """Whether a reader of committed records gets this batch, of a transaction or its end."""
        while self._coming and self._coming[-1][1] < header.next_offset:
            self._open.add(self._coming.pop()[0])
        if header.attributes & CONTROL:
            records = bytes(data[start + BATCH_HEADER.size : header.stop])
            if _is_abort(records, header.records):
                self._open.discard(header.producer_id)
            return False
        return not (header.attributes & TRANSACTIONAL and header.producer_id in self._open)


def _is_abort(payload: bytes, count: int) -> bool:
    try:
        keys = [record.key for record in iter_records(payload, count)]
        return any(key and _CONTROL_KEY.unpack_from(key)[1] == _ABORT for key in keys)
    except (ValueError, struct.error) as error:
        raise CorruptBatchError(f"a control batch cannot be read: {error}") from error
