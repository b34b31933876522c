"""The bars that a load must become."""

from __future__ import annotations

import pytest

from benchmarks.expected import Bar, expected
from benchmarks.ticks import MINUTE_MS, Load, chunks


def by_brute_force(load: Load) -> dict[bytes, Bar]:
    """The same with dictionaries, tick by tick."""
    ticks: dict[bytes, list[tuple[int, int, int]]] = {}
    for partition in range(load.partitions):
        offset = 0
        for chunk in chunks(load, partition):
            columns = (chunk.series.tolist(), chunk.time_ms.tolist(), chunk.price.tolist())
            for series, time_ms, price in zip(*columns, strict=True):
                key = f"BRK|SYM{series:05}|{time_ms // MINUTE_MS * MINUTE_MS}".encode()
                ticks.setdefault(key, []).append((time_ms, offset, price))
                offset += 1
    return {key: bar_of(window) for key, window in ticks.items()}


def bar_of(window: list[tuple[int, int, int]]) -> Bar:
    prices = [price for _, _, price in window]
    return Bar(min(window)[2], max(prices), min(prices), max(window)[2], len(window))


@pytest.mark.parametrize(
    "load",
    [
        Load(1, partitions=1, series=1),
        Load(20_000, series=100, partitions=4, minutes=7),
        Load(9_000, series=3, partitions=2, minutes=1, padding=5_000),  # many chunks, one window
        Load(9_000, series=3, partitions=1, minutes=2, disorder_ms=60_000, padding=5_000),
    ],
    ids=lambda load: load.name,
)
def test_bars_are_those_of_brute_force(load: Load) -> None:
    """Open is the price of the smallest (time, offset), close of the largest, over all chunks."""
    assert expected(load) == by_brute_force(load)


def test_order_matters_in_a_load() -> None:
    """First and last by arrival give other bars: who ignores event time is found out."""
    load = Load(20_000, series=20, partitions=1, minutes=5)
    by_arrival = {
        key: window[0][2] == bar.open and window[-1][2] == bar.close
        for key, (window, bar) in _with_windows(load).items()
    }
    assert not all(by_arrival.values())


def _with_windows(load: Load) -> dict[bytes, tuple[list[tuple[int, int, int]], Bar]]:
    windows: dict[bytes, list[tuple[int, int, int]]] = {}
    for chunk in chunks(load, 0):
        columns = (chunk.series.tolist(), chunk.time_ms.tolist(), chunk.price.tolist())
        for index, (series, time_ms, price) in enumerate(zip(*columns, strict=True)):
            key = f"BRK|SYM{series:05}|{time_ms // MINUTE_MS * MINUTE_MS}".encode()
            windows.setdefault(key, []).append((time_ms, chunk.offset + index, price))
    bars = expected(load)
    return {key: (window, bars[key]) for key, window in windows.items()}
