"""What ``_payloads`` gives, in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from barengine.codec.records import Header, encode_record


@dataclass(frozen=True, slots=True)
class EncodedRecords:
    """Records of one output batch, ready for compression and a batch header."""

    payload: bytes
    count: int
    base_time_ms: int
    max_time_ms: int


class Payloads:
    """Records for one partition of one topic, back to back in as few batches as hold them.

    A broker takes the batches of a partition one after the other, and who reads a transaction
    waits for all of them.

    Args:
        max_bytes: of one batch's records, not compressed; a single one that is larger has a batch
            of its own.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._full: list[EncodedRecords] = []
        self._parts: list[bytes] = []
        self._size = self._base_ms = self._max_ms = 0

    def add(
        self, key: bytes | None, value: bytes | None, headers: Sequence[Header], time_ms: int
    ) -> None:
        """One more record; without a value it is a tombstone."""
        if self._parts:
            record = encode_record(len(self._parts), time_ms - self._base_ms, key, value, headers)
            if self._size + len(record) > self._max_bytes:
                self._full, self._parts, self._size = self.encoded(), [], 0
        if not self._parts:
            self._base_ms = self._max_ms = time_ms
            record = encode_record(0, 0, key, value, headers)
        self._parts.append(record)
        self._size += len(record)
        self._max_ms = max(self._max_ms, time_ms)

    def encoded(self) -> list[EncodedRecords]:
        """All so far; offset deltas count from 0 in each, times from its first record's."""
        if not self._parts:
            return self._full
        payload = b"".join(self._parts)
        last = EncodedRecords(payload, len(self._parts), self._base_ms, self._max_ms)
        return [*self._full, last]
