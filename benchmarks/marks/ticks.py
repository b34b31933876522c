"""Ticks of the built-in schema in whole record batches, laid out by numpy.

Every name has the same length, so all records of a batch are one matrix of bytes, but for the
offset delta, whose length in bytes changes at 64 and at 8192.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from barengine.kafka.output import PrebuiltBatch
from barengine.kernel import EncodedRecords

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

FRAME: Final = b"\0\0\0\0\1"
_TIME_BYTES: Final = 6
"""Of a zigzag varint that holds milliseconds since 1970, from 1987 to 2039."""

_DELTA_STEPS: Final = (0, 64, 8192, 1048576)
"""Offset deltas from here on take one byte more as a zigzag varint."""


@dataclass(frozen=True)
class Universe:
    """Series, the same number for each partition and broker in it.

    Series n is in partition n modulo ``partitions``.
    """

    series: int
    partitions: int
    brokers: int = 4

    def of_partition(self, partition: int) -> Numbers:
        """Numbers of the series in it."""
        return np.arange(partition, self.series, self.partitions, dtype=np.int64)

    def broker_of(self, series: Numbers) -> Numbers:
        """Which broker each of the series belongs to."""
        return series // self.partitions % self.brokers

    def name(self, series: int) -> tuple[str, str]:
        """Broker and symbol."""
        return f"B{series // self.partitions % self.brokers}", f"S{series:06}"

    @cached_property
    def _heads(self) -> Bytes:
        """Of every series, the record from its key to its value's time."""
        rows = []
        for number in range(self.series):
            broker, symbol = (name.encode() for name in self.name(number))
            key = broker + b"|" + symbol
            names = bytes([2 * len(broker)]) + broker + bytes([2 * len(symbol)]) + symbol
            size = len(FRAME) + len(names) + _TIME_BYTES + 8
            rows.append(bytes([2 * len(key)]) + key + bytes([2 * size]) + FRAME + names)
        joined = np.frombuffer(b"".join(rows), np.uint8)
        return joined.reshape(self.series, -1)

    def batch(self, series: Numbers, times_ms: Numbers, prices: Any, stamp_ms: int) -> bytes:
        """One lz4 record batch of a tick each, all under the record timestamp ``stamp_ms``."""
        count = len(series)
        tails = np.empty((count, _TIME_BYTES + 9), np.uint8)
        tails[:, :_TIME_BYTES] = _varints(2 * times_ms, _TIME_BYTES)
        tails[:, _TIME_BYTES:-1] = np.asarray(prices, "<f8").reshape(-1, 1).view(np.uint8)
        tails[:, -1] = 0  # no headers
        rows = np.concatenate((self._heads[series], tails), axis=1)
        payload = b"".join(
            _numbered(rows[begin:end], begin, width)
            for width, (begin, end) in enumerate(_spans(count), 1)
        )
        records = EncodedRecords(payload, count, stamp_ms, stamp_ms)
        return PrebuiltBatch(records, "lz4", transactional=False)._build()


def _spans(count: int) -> Sequence[tuple[int, int]]:
    ends = (*_DELTA_STEPS[1:], 2**31)
    return [
        (begin, min(end, count))
        for begin, end in zip(_DELTA_STEPS, ends, strict=True)
        if begin < count
    ]


def _numbered(rows: Bytes, first: int, width: int) -> bytes:
    """The records in full: length, attributes, time delta and offset delta in front."""
    body = 2 + width + rows.shape[1]
    length = struct.pack("B", 2 * body) if body < 64 else bytes([2 * body & 0x7F | 0x80, body >> 6])
    fixed = np.frombuffer(length + b"\0\0", np.uint8)
    fronts = np.empty((len(rows), len(fixed) + width), np.uint8)
    fronts[:, : len(fixed)] = fixed
    deltas = np.arange(first, first + len(rows), dtype=np.int64)
    fronts[:, len(fixed) :] = _varints(2 * deltas, width)
    return np.concatenate((fronts, rows), axis=1).tobytes()


def _varints(numbers: Numbers, width: int) -> Bytes:
    """Zigzagged numbers as varints that are known to take ``width`` bytes."""
    shifts = np.arange(0, 7 * width, 7, dtype=np.int64)
    septets = (numbers.reshape(-1, 1) >> shifts & 0x7F).astype(np.uint8)
    septets[:, :-1] |= 0x80
    return septets
