"""The records of a batch, as the pure kernel's rules see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from barengine.codec.records import iter_records
from barengine.kernel._protocol import RecordBatch, Reject
from barengine.model import Reason


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a batch."""

    offset: int
    time_ms: int
    key: bytes | None
    value: bytes | None
    headers: bytes

    def rejected(self, reason: Reason) -> Reject:
        """It goes into no window."""
        return Reject(self.offset, self.time_ms, self.key, self.value, self.headers, reason)


def records_of(batch: RecordBatch) -> Iterator[Record]:
    """Every record, in offset order.

    Raises:
        ValueError: the batch is malformed.
    """
    for offset_delta, time_delta, key, value, headers in iter_records(batch.payload, batch.records):
        time_ms = batch.append_time_ms
        if time_ms is None:
            time_ms = batch.base_time_ms + time_delta
        yield Record(batch.base_offset + offset_delta, time_ms, key, value, headers)
