"""Whole record batches for output, built in bulk and handed to aiokafka as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from google_crc32c import value as crc32c

from barengine.kafka.batches import CRC_AT, TRANSACTIONAL
from barengine.kafka.compression import CODECS, compress
from barengine.kernel import ATTRIBUTES_AT, BATCH_HEADER, BATCH_PREFIX, EncodedRecords, Payloads

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
    payloads = Payloads(max_bytes)
    for record in records:
        payloads.add(*record)
    return payloads.encoded()


def built_size(record: OutRecord, codec: str = "none") -> int:
    """Bytes of a batch that holds this record alone."""
    [encoded] = build_records([record], 0)
    return PrebuiltBatch(encoded, codec).size()
