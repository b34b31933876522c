"""What the fetch hook puts in the place of aiokafka's record classes, and what it hands out."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.structs import TopicPartition

from barengine.kafka.batches import BatchRead, read_batches
from barengine.kafka.silence import PartitionWatch
from barengine.kernel import end_of

_LARGE: Final = 64 * 1024
"""Smaller ones are copied: names are among them, and must be bytes."""

_SHARE: Final = 5
"""A large part of an answer stays where it is if it is at least so much of it: as long as somebody
holds the part, all of the answer stays in memory, so at most so many times as much."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """What one answer held for one partition: record batches as bytes, and what it showed.

    ``aborted`` are producer id and first offset of aborted transactions. ``end`` is the end of the
    log that the answer reported, for readers of committed records. ``observed_ns`` is the silence
    before the data: take it first. ``epoch`` counts seeks and assignments of the partition.
    """

    partition: int
    offset: int
    next_offset: int
    data: bytes | memoryview
    aborted: tuple[tuple[int, int], ...]
    end: int
    at_end: bool
    observed_ns: int
    epoch: int

    def __repr__(self) -> str:
        return (
            f"<Fetch {self.partition}: [{self.offset}, {self.next_offset}) of {self.end}, "
            f"{len(self.data)} bytes>"
        )

    def batches(self) -> Iterator[BatchRead]:
        """The batches one at a time; see :func:`barengine.kafka.batches.read_batches`.

        Raises:
            CorruptBatchError: seek to where you are and fetch again.
        """
        return read_batches(self.data, self.aborted, self.offset)


def end_of_log(state: Any) -> int:
    """The end that the newest answer reported: the last stable offset where there is one."""
    lso: int | None = state.lso
    return int(state.highwater) if lso is None or lso < 0 else lso


class InPlace:
    """In the place of a type of answers: the same answer, its large parts not copied out of it."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def decode(self, data: io.BytesIO) -> Any:
        """What the type itself makes of it."""
        return self._answer.decode(_Parts(data.getvalue(), data.tell()))


class _Parts:
    """In the place of the ``BytesIO`` that an answer is decoded from."""

    def __init__(self, answer: bytes, at: int) -> None:
        self._answer, self._at = answer, at

    def read(self, size: int) -> bytes | memoryview:
        start, self._at = self._at, min(self._at + size, len(self._answer))
        if size >= _LARGE and size * _SHARE >= len(self._answer):
            return memoryview(self._answer)[start : self._at]
        return self._answer[start : self._at]


class RawRecords:
    """In the place of ``MemoryRecords``: the bytes as they are."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = data

    def has_next(self) -> bool:
        # True for a lone cut batch, too: aiokafka would step over its first record.
        return bool(self.data)

    def size_in_bytes(self) -> int:
        return len(self.data)


class RawPartition:
    """In the place of ``PartitionRecords``: one partition's bytes and where they begin and end."""

    def __init__(
        self,
        tp: TopicPartition,
        records: RawRecords,
        aborted: list[tuple[int, int]] | None,
        offset: int,
        *_ignored: object,
    ) -> None:
        self.partition: int = tp.partition
        self.data = records.data
        self.aborted = tuple((producer, first) for producer, first in aborted or ())
        self.offset = offset
        self.next_offset = end_of(self.data, offset)


class RawResult:
    """In the place of ``FetchResult``: gives out its bytes once, if they are still wanted."""

    def __init__(
        self,
        tp: TopicPartition,
        *,
        assignment: Any,
        partition_records: RawPartition,
        backoff: float,
    ) -> None:
        self._tp = tp
        self._assignment = assignment
        self._records: RawPartition | None = partition_records
        self._deadline = time.monotonic() + backoff
        self._watch: PartitionWatch | None = None
        self._observed_ns = 0
        self._end = 0

    def calculate_backoff(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def has_more(self) -> bool:
        return self._records is not None

    def observe(self, watch: PartitionWatch, now_ns: int, end: int) -> None:
        """Attach what the answer showed."""
        if self._records is not None:
            self._watch, self._end = watch, end
            self._observed_ns = watch.answered(now_ns, self._records.next_offset >= end)

    def getall(self, _max_records: int | None = None) -> list[Fetch]:
        """The bytes as one Fetch; nothing after a seek, a pause or a revocation."""
        records, self._records = self._records, None
        watch, state = self._watch, self._assignment.state_value(self._tp)
        if records is None or watch is None or not self._wanted(records, state):
            return []
        state.consumed_to(records.next_offset)
        at_end = records.next_offset >= self._end
        watch.handed(self._observed_ns, at_end)
        return [
            Fetch(
                records.partition,
                records.offset,
                records.next_offset,
                records.data,
                records.aborted,
                self._end,
                at_end,
                self._observed_ns,
                watch.epoch,
            )
        ]

    def _wanted(self, records: RawPartition, state: Any) -> bool:
        return bool(
            self._assignment.active and not state.paused and state.position == records.offset
        )
