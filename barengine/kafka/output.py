"""Whole record batches for output, built in bulk and handed to aiokafka as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from google_crc32c import value as crc32c

from barengine.kafka.batches import CRC_AT, TRANSACTIONAL
from barengine.kafka.compression import CODECS, compress
from barengine.kernel import ATTRIBUTES_AT, BATCH_HEADER, BATCH_PREFIX, EncodedRecords

_MAGIC: Final = 2
_NO_LEADER_EPOCH: Final = -1
_NO_PRODUCER: Final = (-1, -1, -1)


class OutRecord(NamedTuple):
    """A record on its way out; a value of None is a tombstone."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp_ms: int


class PrebuiltBatch:
    """Encoded records as a record batch of format 2, in the shape of aiokafka's batch builder.

    ``send_batch`` calls these six methods and no other. Records are compressed when the batch is
    made (unless that gains nothing), the header is written when it is sent.
    """

    def __init__(self, records: EncodedRecords, codec: str, transactional: bool = True) -> None:
        self._records = records
        packed = compress(codec, records.payload)
        gains = len(packed) < len(records.payload)
        self._body = packed if gains else records.payload
        self._attributes = (CODECS.index(codec) if gains else 0) | (
            TRANSACTIONAL if transactional else 0
        )
        self._producer: tuple[int, int, int] = _NO_PRODUCER
        self._built: bytes | None = None

    def __repr__(self) -> str:
        return f"<PrebuiltBatch {self._records.count} records, {self.size()} bytes>"

    def close(self) -> None:
        """It never was open."""

    def closed(self) -> bool:
        return True

    def record_count(self) -> int:
        return self._records.count

    def size(self) -> int:
        """Bytes of the whole batch as the broker counts them."""
        return BATCH_HEADER.size + len(self._body)

    def _set_producer_state(self, producer_id: int, epoch: int, base_sequence: int) -> None:
        self._producer = (producer_id, epoch, base_sequence)
        self._built = None

    def _build(self) -> bytes:
        if self._built is None:
            self._built = self._assemble()
        return self._built

    def _assemble(self) -> bytes:
        records = self._records
        header = bytearray(
            BATCH_HEADER.pack(
                0,  # the broker sets the base offset
                self.size() - BATCH_PREFIX.size,
                _NO_LEADER_EPOCH,
                _MAGIC,
                0,  # the CRC follows when all that it covers is there
                self._attributes,
                records.count - 1,
                records.base_time_ms,
                records.max_time_ms,
                *self._producer,
                records.count,
            )
        )
        batch = header + self._body
        crc = crc32c(bytes(batch[ATTRIBUTES_AT:]))
        batch[CRC_AT:ATTRIBUTES_AT] = crc.to_bytes(4, "big")
        return bytes(batch)


def build_records(records: Iterable[OutRecord], max_bytes: int) -> list[EncodedRecords]:
    """Pack records into payloads of at most ``max_bytes`` before compression.

    A single record that is larger gets a payload of its own.
    """
    packer = _Packer(max_bytes)
    done = [full for record in records if (full := packer.add(record)) is not None]
    last = packer.take()
    return done if last is None else [*done, last]


def built_size(record: OutRecord, codec: str = "none") -> int:
    """Bytes of a batch that holds this record alone."""
    [encoded] = build_records([record], 0)
    return PrebuiltBatch(encoded, codec).size()


class _Packer:
    """Fills one payload after the other with aiokafka's compiled encoder.

    It writes the layout of :func:`barengine.codec.records.encode_record`, ten times as fast:
    thousands of state records leave at once.
    """

    def __init__(self, max_bytes: int) -> None:
        self._limit = max_bytes + BATCH_HEADER.size
        self._builder: Any = None
        self._count = 0
        self._base_ms = 0
        self._max_ms = 0

    def add(self, record: OutRecord) -> EncodedRecords | None:
        """Take a record; returns the payload that was full, if one was."""
        if self._builder is not None and self._append(record):
            return None
        full = self.take()
        self._builder = DefaultRecordBatchBuilder(_MAGIC, 0, 0, -1, -1, -1, self._limit)
        self._base_ms = self._max_ms = record.timestamp_ms
        self._append(record)
        return full

    def take(self) -> EncodedRecords | None:
        """What is packed so far; None where that is nothing."""
        if self._builder is None:
            return None
        payload = bytes(memoryview(self._builder.build())[BATCH_HEADER.size :])
        done = EncodedRecords(payload, self._count, self._base_ms, self._max_ms)
        self._builder, self._count = None, 0
        return done

    def _append(self, record: OutRecord) -> bool:
        """False: full. The first record always fits."""
        key, value, headers, timestamp_ms = record
        # The builder takes a first time of -1 (Kafka's "none") for no time yet: count from 0.
        delta_ms = timestamp_ms - self._base_ms
        if self._builder.append(self._count, delta_ms, key, value, list(headers)) is None:
            return False
        self._count += 1
        self._max_ms = max(self._max_ms, timestamp_ms)
        return True
