"""What ``_fetched`` finds in the bytes of a fetch, in Python: headers of batches, frames of LZ4.

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
from collections.abc import Callable
from typing import Any, Final

from barengine.errors import CorruptBatchError
from barengine.kernel._protocol import BatchHeader, RecordBatch
from barengine.kernel._pure_fresh import Fresh

BATCH_PREFIX: Final = struct.Struct(">qi")
BATCH_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
_MAGIC_AT: Final = 16
ATTRIBUTES_AT: Final = 21
"""What the CRC is of begins with them."""
_MIN_LENGTH: Final = 14
"""Smallest message of format 0 behind its length: CRC, magic, attributes, two empty lengths."""

_LOG_APPEND_TIME: Final = 0x08
_LZ4: Final = 3

_LZ4_START: Final = struct.Struct("<IBB")
_LZ4_HEADER: Final = _LZ4_START.size + 1
"""Magic number, flags, size of a block; a checksum of them, which the batch's CRC covers, too."""

_LZ4_MAGIC: Final = 0x184D2204
_LZ4_FLAGS: Final = 0x60
_LZ4_BLOCK_CHECKSUM: Final = 0x10
_LZ4_CHECKSUM: Final = 0x04
_LZ4_SIZE: Final = struct.Struct("<I")
_LZ4_AS_IS: Final = 1 << 31
_LZ4_BLOCK: Final = {4: 64 * 1024, 5: 256 * 1024, 6: 1024 * 1024, 7: 4 * 1024 * 1024}
"""Most bytes of a block by the number that stands for it."""

_LZ4_RATIO: Final = 255
"""No byte of a block can stand for more."""


def header_at(data: bytes | memoryview, start: int) -> BatchHeader | None:
    """What a whole batch at ``start`` says of itself; None where it is cut off, or nonsense.

    Of a format other than 2 it is what all have in common. Checks no CRC.

    Raises:
        CorruptBatchError: shorter than its header.
    """
    if start + _MAGIC_AT >= len(data):
        return None
    base, length = BATCH_PREFIX.unpack_from(data, start)
    stop = start + BATCH_PREFIX.size + length
    magic = data[start + _MAGIC_AT]
    if length < _MIN_LENGTH or stop > len(data):
        return None
    if magic != 2:
        return BatchHeader(stop, magic, 0, 0, base, base, 0, 0, 0, 0)
    if stop - start < BATCH_HEADER.size:
        raise CorruptBatchError(f"a record batch of {stop - start} bytes at byte {start}")
    _, _, _, _, crc, attributes, delta, base_ms, max_ms, producer, _, _, records = (
        BATCH_HEADER.unpack_from(data, start)
    )
    return BatchHeader(
        stop, magic, crc, attributes, base, base + delta + 1, base_ms, max_ms, producer, records
    )


def end_of(data: bytes | memoryview, offset: int) -> int:
    """The offset behind the last whole batch; ``offset`` where there is none. Checks nothing.

    Runs over all of a fetch at a stretch, which may be tens of thousands of small batches.
    """
    start = 0
    try:
        last = found = header_at(data, start)
        while found is not None:
            last, start = found, found.stop
            found = header_at(data, start)
    except CorruptBatchError:
        return offset
    if last is None:
        return offset
    return max(offset, last.next_offset if last.magic == 2 else last.base_offset + 1)


def part_of(data: bytes | memoryview, start: int, stop: int) -> bytes:
    """``data[start:stop]`` for a library that wants bytes and no view of them.

    Compiled, it is something that such a library takes all the same, without a copy.
    """
    return bytes(data[start:stop])


def plain_batch(
    data: bytes | memoryview,
    start: int,
    crc32c: Callable[..., int],
    decompress_block_into: Callable[..., int],
) -> tuple[RecordBatch, int, int] | None:
    """A batch as most are: whole and sound, LZ4, of no transaction, with records.

    Args:
        crc32c: ``google_crc32c``'s ``value``.
        decompress_block_into: ``cramjam.lz4``'s.

    Returns:
        The batch, the offset behind it and the byte behind it. None where what is at ``start`` is
        no such batch, or none at all: it takes a closer look then.
    """
    try:
        found = header_at(data, start)
    except CorruptBatchError:
        return None
    if found is None or found.magic != 2 or found.records <= 0:
        return None
    if found.attributes & ~_LOG_APPEND_TIME != _LZ4:
        return None
    if crc32c(part_of(data, start + ATTRIBUTES_AT, found.stop)) != found.crc:
        return None
    frame = memoryview(data)[start + BATCH_HEADER.size : found.stop]
    try:
        payload = lz4_frame(frame, decompress_block_into)
    except Exception:  # whoever looks closely meets it again
        return None
    if payload is None:
        return None
    return record_batch(found, payload, data, start), found.next_offset, found.stop


def record_batch(
    header: BatchHeader, payload: bytes, data: bytes | memoryview, start: int
) -> RecordBatch:
    """The batch at ``start``, of format 2, once its records are unpacked."""
    return RecordBatch(
        payload,
        header.records,
        header.base_offset,
        header.base_time_ms,
        header.max_time_ms if header.attributes & _LOG_APPEND_TIME else None,
        memoryview(data)[header.stop : 2 * header.stop - start],
    )


def lz4_frame(data: memoryview, decompress_block_into: Callable[..., int]) -> bytes | None:
    """A whole frame as Kafka's clients write it, block by block into the place where each belongs.

    Args:
        decompress_block_into: ``cramjam.lz4``'s; what it raises comes out of here.

    Returns:
        None where it is no such frame, or not whole.

    https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
    """
    blocks = _lz4_blocks(data)
    if not blocks:
        return None
    largest = _LZ4_BLOCK[data[5] >> 4 & 7]
    rooms = [min(largest, (stop - start) * _LZ4_RATIO) for start, stop, _ in blocks]
    fresh = Fresh(sum(rooms))
    end = _fill(fresh.view(), data, blocks, rooms, decompress_block_into)
    return fresh.taken(end)


def _fill(
    out: memoryview,
    data: memoryview,
    blocks: list[tuple[int, int, bool]],
    rooms: list[int],
    decompress_block_into: Callable[..., Any],
) -> int:
    end = 0
    for (start, stop, as_is), room in zip(blocks, rooms, strict=True):
        if as_is:
            size = stop - start
            out[end : end + size] = data[start:stop]
        else:
            size = decompress_block_into(data[start:stop], out[end : end + room], output_len=room)
        end += size
    return end


def _lz4_blocks(data: memoryview) -> list[tuple[int, int, bool]]:
    """Start and end of each block of one whole frame, and whether it is as it was; else none."""
    if len(data) < _LZ4_HEADER:
        return []
    magic, flags, block = _LZ4_START.unpack_from(data)
    checks = flags & (_LZ4_BLOCK_CHECKSUM | _LZ4_CHECKSUM)
    if magic != _LZ4_MAGIC or flags != _LZ4_FLAGS | checks or block >> 4 & 7 not in _LZ4_BLOCK:
        return []
    blocks: list[tuple[int, int, bool]] = []
    start, gap = _LZ4_HEADER, 4 if flags & _LZ4_BLOCK_CHECKSUM else 0
    while start + _LZ4_SIZE.size <= len(data):
        (size,) = _LZ4_SIZE.unpack_from(data, start)
        start += _LZ4_SIZE.size
        if size == 0:
            whole = start + (4 if flags & _LZ4_CHECKSUM else 0) == len(data)
            return blocks if whole else []
        stop = start + (size & ~_LZ4_AS_IS)
        if size & _LZ4_AS_IS and stop - start > _LZ4_BLOCK[block >> 4 & 7]:
            return []
        blocks.append((start, stop, bool(size & _LZ4_AS_IS)))
        start = stop + gap
    return []
