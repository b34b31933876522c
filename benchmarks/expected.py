"""The bars that a load must become, computed from its ticks by sorting: no code of the engine."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from benchmarks.ticks import BROKER, MINUTE_MS, START_MS, Chunk, Ints, Load, chunks


class Bar(NamedTuple):
    """Prices in units of 0.00001."""

    open: int
    high: int
    low: int
    close: int
    ticks: int


class _Part(NamedTuple):
    """Bars of some ticks, one array a field, by code: minute number * series + series number."""

    code: Ints
    first_ms: Ints
    last_ms: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    ticks: Ints


_BLANK_BITS: Final = 16
"""Milliseconds within a minute."""


@lru_cache(maxsize=2)  # what rounds and scaled-down contenders take turns with
def expected(load: Load) -> dict[bytes, Bar]:
    """Every bar by its key, ``broker|symbol|bucket start in ms``."""
    parts = [
        _bars(load, chunk)
        for partition in range(load.partitions)
        for chunk in chunks(load, partition)
    ]
    bars = _merged(parts)
    minute, series = np.divmod(bars.code, load.series)
    keys = (
        f"{BROKER}|SYM{number:05}|{start}".encode()
        for number, start in zip(
            series.tolist(), (START_MS + minute * MINUTE_MS).tolist(), strict=True
        )
    )
    columns = (bars.open, bars.high, bars.low, bars.close, bars.ticks)
    rows = map(Bar, *(column.tolist() for column in columns))
    return dict(zip(keys, rows, strict=True))


def _bars(load: Load, chunk: Chunk) -> _Part:
    """Bars of one chunk. Code, time and position in one number: sorting it orders all three."""
    minute, ms = np.divmod(chunk.time_ms - START_MS, MINUTE_MS)
    position_bits = len(ms).bit_length()
    packed = (minute * load.series + chunk.series) << _BLANK_BITS | ms
    packed = np.sort(packed << position_bits | np.arange(len(ms)))
    price = chunk.price[packed & ((1 << position_bits) - 1)]
    packed >>= position_bits
    code, ms = packed >> _BLANK_BITS, packed & ((1 << _BLANK_BITS) - 1)
    starts = _starts(code)
    ends = np.append(starts[1:], len(code))
    return _Part(
        code[starts],
        ms[starts],
        ms[ends - 1],
        price[starts],
        np.maximum.reduceat(price, starts),
        np.minimum.reduceat(price, starts),
        price[ends - 1],
        ends - starts,
    )


def _merged(parts: list[_Part]) -> _Part:
    """One bar a code. Parts of a series stand in the order of their offsets."""
    every = _Part(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    order = np.arange(len(every.code))
    by_first = np.lexsort((order, every.first_ms, every.code))
    by_last = np.lexsort((order, every.last_ms, every.code))
    starts = _starts(every.code[by_first])
    firsts, lasts = by_first[starts], by_last[np.append(starts[1:], len(order)) - 1]
    return _Part(
        every.code[firsts],
        every.first_ms[firsts],
        every.last_ms[lasts],
        every.open[firsts],
        np.maximum.reduceat(every.high[by_first], starts),
        np.minimum.reduceat(every.low[by_first], starts),
        every.close[lasts],
        np.add.reduceat(every.ticks[by_first], starts),
    )


def _starts(code: Ints) -> Ints:
    """Where another code begins."""
    return np.flatnonzero(np.append(True, code[1:] != code[:-1]))
