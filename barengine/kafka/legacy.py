"""Message sets of formats 0 and 1 (Kafka before 0.11), rewritten as records of format 2.

The slow path: old topics that were never rewritten still hold them.
"""

from __future__ import annotations

import struct

import cramjam
from aiokafka.errors import KafkaError
from aiokafka.record.memory_records import MemoryRecords

from barengine.codec.records import encode_record
from barengine.errors import CorruptBatchError
from barengine.kernel import RecordBatch

_NO_TIME_MS = -1
"""What a consumer shows for a message of format 0, which has no timestamp."""

_UNREADABLE = (
    KafkaError,
    cramjam.DecompressionError,
    struct.error,
    AssertionError,
    IndexError,
    ValueError,
    OSError,  # gzip
    EOFError,
    SystemError,  # a negative length in a key or value
)


def read_message_set(data: bytes) -> tuple[RecordBatch, int]:
    """One message, or the compressed set inside it, and the offset behind it.

    Raises:
        CorruptBatchError: the CRC is wrong or the messages cannot be read.
    """
    try:
        messages = MemoryRecords(data).next_batch()
        if not messages.validate_crc():
            raise CorruptBatchError("wrong CRC in an old message set")
        next_offset: int = messages.next_offset
        rows = [(one.offset, _time(one.timestamp), one.key, one.value) for one in messages]
        base_offset, base_time_ms, *_ = rows[0]
    except _UNREADABLE as error:
        raise CorruptBatchError(f"an old message set cannot be read: {error!r}") from error
    payload = b"".join(
        encode_record(offset - base_offset, time_ms - base_time_ms, key, value)
        for offset, time_ms, key, value in rows
    )
    return RecordBatch(payload, len(rows), base_offset, base_time_ms), next_offset


def _time(timestamp: int | None) -> int:
    return _NO_TIME_MS if timestamp is None else timestamp
