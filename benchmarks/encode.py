"""Ticks as Kafka records, a hundred thousand at a time.

A column is a matrix of bytes, one row a record, with a mask of those that are really there.
Columns beside each other make the records; the mask takes out what is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from barengine.codec.framing import confluent_header
from barengine.codec.varint import encode_varint
from barengine.kernel import EncodedRecords
from benchmarks.ticks import BROKER, UNITS, Chunk, Ints, Load

SCHEMA_ID: Final = 1

_DIGITS: Final = 10 ** np.arange(4, -1, -1)
_NOT_NULL: Final = encode_varint(1)
_LETTERS: Final = 16
"""So many different ones: as text goes, hard to compress."""


class _Column(NamedTuple):
    data: NDArray[np.uint8]
    kept: NDArray[np.bool_]

    def lengths(self) -> Ints:
        lengths: Ints = self.kept.sum(axis=1, dtype=np.int64)
        return lengths


def batches(load: Load, chunk: Chunk) -> Iterator[EncodedRecords]:
    """The records of a chunk, cut into batches; all but the last are full."""
    size = load.batch_records
    first = np.arange(len(chunk.time_ms)) // size * size
    value, key = _value(load, chunk), _key(chunk)
    body = _beside(
        _same(value, b"\0"),  # attributes
        _varint(chunk.time_ms - chunk.time_ms[first]),
        _varint(np.arange(len(first)) - first),
        _with_length(key),
        _with_length(value),
        _same(value, b"\0"),  # no headers
    )
    records = _with_length(body)
    payload = records.data[records.kept]
    ends = np.concatenate(([0], np.cumsum(records.lengths())))
    for start in range(0, len(first), size):
        times = chunk.time_ms[start : start + size]
        part = payload[ends[start] : ends[start + len(times)]]
        yield EncodedRecords(part.tobytes(), len(times), int(times[0]), int(times.max()))


def _key(chunk: Chunk) -> _Column:
    symbol = _symbol(chunk)
    return _beside(_same(symbol, f"{BROKER}|".encode()), symbol)


def _value(load: Load, chunk: Chunk) -> _Column:
    symbol = _symbol(chunk)
    fields = [
        _same(symbol, encode_varint(len(BROKER)) + BROKER.encode()),
        _with_length(symbol),
        _varint(chunk.time_ms),
        _double(chunk.price) if load.price == "double" else _with_length(_decimal(chunk.price)),
    ]
    if load.padding:
        fields.insert(0, _with_length(_note(load, chunk)))
    if load.nullable:
        fields = [_beside(_same(symbol, _NOT_NULL), field) for field in fields]
    return _beside(_same(symbol, confluent_header(SCHEMA_ID)), *fields)


def _symbol(chunk: Chunk) -> _Column:
    digits = _all(chunk.series[:, None] // _DIGITS % 10 + ord("0"))
    return _beside(_same(digits, chunk.symbol), digits)


def _double(price: Ints) -> _Column:
    return _all((price / UNITS).astype("<f8").view(np.uint8).reshape(-1, 8))


def _decimal(price: Ints) -> _Column:
    """Big-endian, as short as a positive number can be in two's complement."""
    data = price.astype(">i8").view(np.uint8).reshape(-1, 8)
    kept = np.ones(data.shape, dtype=bool)
    for byte in range(7):
        kept[:, byte] = price >> (8 * (7 - byte) - 1) > 0
    return _Column(data, kept)


def _note(load: Load, chunk: Chunk) -> _Column:
    rng = np.random.default_rng((load.seed, int(chunk.series[0]), chunk.offset))
    return _all(ord("a") + rng.integers(0, _LETTERS, (len(chunk.series), load.padding), np.uint8))


def _varint(values: Ints) -> _Column:
    """Zigzag, seven bits a byte, the smallest first."""
    raw = (values << 1) ^ (values >> 63)
    width = max(1, -(-int(raw.max()).bit_length() // 7))
    shifted = raw[:, None] >> 7 * np.arange(width + 1)
    data = (shifted & 0x7F) | np.where(shifted > 0x7F, 0x80, 0)
    kept = shifted > 0
    kept[:, 0] = True
    return _Column(data[:, :width].astype(np.uint8), kept[:, :width])


def _with_length(column: _Column) -> _Column:
    return _beside(_varint(column.lengths()), column)


def _same(like: _Column, data: bytes) -> _Column:
    """The same bytes in every record."""
    row = np.frombuffer(data, dtype=np.uint8)
    return _all(np.broadcast_to(row, (len(like.data), len(row))))


def _all(data: NDArray[np.int64] | NDArray[np.uint8]) -> _Column:
    return _Column(data.astype(np.uint8, copy=False), np.ones(data.shape, dtype=bool))


def _beside(*columns: _Column) -> _Column:
    return _Column(
        np.hstack([column.data for column in columns]),
        np.hstack([column.kept for column in columns]),
    )
