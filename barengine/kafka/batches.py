"""The bytes of a fetch, split into record batches. Synchronous; no network.

A fetch is batches back to back, the last one possibly cut off. All formats begin alike:

    base offset        int64       (formats 0 and 1: offset of the last message inside)
    length             int32       bytes behind this number
    leader epoch       int32       (formats 0 and 1: CRC-32)
    magic              int8        format

Format 2 (KIP-98) goes on with:

    CRC-32C            uint32      of everything behind it
    attributes         int16       bits 0-2 codec, 3 LogAppendTime, 4 transactional, 5 control
    last offset delta  int32       survives compaction: it says where the next batch begins
    base timestamp     int64       ms
    max timestamp      int64       ms; the append time under LogAppendTime
    producer id        int64
    producer epoch     int16
    base sequence      int32
    record count       int32
    records            compressed as one block

https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from google_crc32c import value as crc32c

from barengine.codec.records import iter_records
from barengine.errors import CorruptBatchError
from barengine.kafka.compression import CODECS, decompress
from barengine.kafka.legacy import read_message_set
from barengine.kernel import RecordBatch

PREFIX: Final = struct.Struct(">qi")
HEADER: Final = struct.Struct(">qiibIhiqqqhii")
CRC_AT: Final = 17
ATTRIBUTES_AT: Final = 21

CODEC_MASK: Final = 0x07
LOG_APPEND_TIME: Final = 0x08
TRANSACTIONAL: Final = 0x10
CONTROL: Final = 0x20

_MAGIC_AT: Final = 16
_OFFSETS: Final = struct.Struct(">q15xi")
"""Base offset and last offset delta of format 2."""

_MIN_LENGTH: Final = 14
"""Smallest message of format 0 behind its length: CRC, magic, attributes, two empty lengths."""

_ABORT: Final = 0
_CONTROL_KEY: Final = struct.Struct(">hh")


class BatchRead(NamedTuple):
    """One batch of a fetch; ``batch`` is None where it holds no record for us."""

    batch: RecordBatch | None
    next_offset: int
    """Where the log goes on behind it; not always the last record's offset + 1 (compaction)."""


class _Header(NamedTuple):
    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_time_ms: int
    max_time_ms: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    records: int

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1


def end_of(data: bytes, offset: int) -> int:
    """The offset behind the last whole batch; ``offset`` where there is none. Checks nothing.

    Runs over all of a fetch at a stretch, which may be tens of thousands of small batches.
    """
    last = None
    for last in _spans(data):  # noqa: B007 - the last one is what is wanted
        pass
    if last is None:
        return offset
    start, stop, magic = last
    base: int
    delta: int
    if magic < 2:
        (base,) = struct.unpack_from(">q", data, start)
        return max(offset, base + 1)
    if stop - start < HEADER.size:
        return offset
    base, delta = _OFFSETS.unpack_from(data, start)
    return max(offset, base + delta + 1)


def read_batches(
    data: bytes, aborted: Sequence[tuple[int, int]], offset: int
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
    stop = 0
    for start, stop, magic in _spans(data):
        if magic > 2:
            raise CorruptBatchError(f"a batch of unknown format {magic} at byte {start}")
        if magic < 2:
            batch, next_offset = read_message_set(data[start:stop])
            offset = max(offset, next_offset)
            yield BatchRead(batch, offset)
            continue
        header = _checked_header(data, start, stop)
        wanted = filter_.wants(header, data, start, stop) and header.records > 0
        offset = max(offset, header.next_offset)
        yield BatchRead(_decompressed(header, data, start, stop) if wanted else None, offset)
    if data and not stop:
        raise CorruptBatchError(f"{len(data)} bytes at offset {offset} hold no whole record batch")


def _spans(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Start, end and format of each whole batch; stops before one that is cut or nonsense."""
    start, size = 0, len(data)
    while start + _MAGIC_AT < size:
        _, length = PREFIX.unpack_from(data, start)
        stop = start + PREFIX.size + length
        if length < _MIN_LENGTH or stop > size:
            return
        yield start, stop, data[start + _MAGIC_AT]
        start = stop


def _checked_header(data: bytes, start: int, stop: int) -> _Header:
    if stop - start < HEADER.size:
        raise CorruptBatchError(f"a record batch of {stop - start} bytes at byte {start}")
    header = _Header._make(HEADER.unpack_from(data, start))
    if crc32c(data[start + ATTRIBUTES_AT : stop]) != header.crc:
        raise CorruptBatchError(f"wrong CRC in the record batch at offset {header.base_offset}")
    return header


def _decompressed(header: _Header, data: bytes, start: int, stop: int) -> RecordBatch:
    codec = header.attributes & CODEC_MASK
    if codec >= len(CODECS):
        raise CorruptBatchError(f"unknown codec {codec} at offset {header.base_offset}")
    try:
        payload = decompress(CODECS[codec], memoryview(data)[start + HEADER.size : stop])
    except ValueError as error:
        raise CorruptBatchError(
            f"the record batch at offset {header.base_offset} is no {CODECS[codec]}: {error}"
        ) from error
    append_time_ms = header.max_time_ms if header.attributes & LOG_APPEND_TIME else None
    return RecordBatch(
        payload, header.records, header.base_offset, header.base_time_ms, append_time_ms
    )


class _AbortFilter:
    """Knows at each batch which producers are inside an aborted transaction.

    The broker lists every aborted transaction that touches the fetch. One is open from its first
    offset to the abort marker of the same producer.
    """

    def __init__(self, aborted: Sequence[tuple[int, int]]) -> None:
        self._coming = sorted(aborted, key=lambda one: one[1], reverse=True)
        self._open: set[int] = set()

    def wants(self, header: _Header, data: bytes, start: int, stop: int) -> bool:
        """Whether a reader of committed records gets this batch."""
        while self._coming and self._coming[-1][1] < header.next_offset:
            self._open.add(self._coming.pop()[0])
        if header.attributes & CONTROL:
            if _is_abort(data[start + HEADER.size : stop], header.records):
                self._open.discard(header.producer_id)
            return False
        return not (header.attributes & TRANSACTIONAL and header.producer_id in self._open)


def _is_abort(payload: bytes, count: int) -> bool:
    try:
        keys = [record.key for record in iter_records(payload, count)]
        return any(key and _CONTROL_KEY.unpack_from(key)[1] == _ABORT for key in keys)
    except (ValueError, struct.error) as error:
        raise CorruptBatchError(f"a control batch cannot be read: {error}") from error
