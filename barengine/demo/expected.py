"""Bars computed from ticks with dictionaries and integers: the plainest way there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest


@dataclass(slots=True)
class Clock:
    """The largest event time accepted so far, of one broker or of one series, in a partition."""

    ms: int | None = None
    through_ms: int | None = None
    """The largest bucket end of a final bar that it has closed, whatever its period."""


@dataclass(slots=True)
class Window:
    """One bar in the making, or what one must be. Prices as they were sent."""

    open: float
    high: float
    low: float
    close: float
    first_ms: int
    last_ms: int
    first_offset: int
    last_offset: int
    count: int = 1
    bars_read: int = 0
    """How many final bars with its key were read back."""


Windows = dict[int, Window]
"""By start of the bucket in ms."""


@dataclass(slots=True)
class Series:
    """One (partition, broker, symbol)."""

    partition: int
    broker: str
    symbol: str
    clock: Clock
    problem: str | None
    """Why its names make every tick of it a dead letter; None if they are good."""
    rungs: tuple[Windows, ...]
    """One for each period, the base window first."""

    def key(self, start_ms: int) -> str:
        """The key that the bar of this bucket must have."""
        return f"{_escape(self.broker)}|{_escape(self.symbol)}|{start_ms}"


def add_tick(
    windows: Windows,
    start_ms: int,
    time_ms: int,
    price: float,
    offset: int,
    by_offset: bool,
) -> None:
    """Put one tick into its window; ticks of a partition must come in offset order."""
    w = windows.get(start_ms)
    if w is None:
        windows[start_ms] = Window(price, price, price, price, time_ms, time_ms, offset, offset)
        return
    w.count += 1
    w.last_offset = offset
    if price > w.high:
        w.high = price
    elif price < w.low:
        w.low = price
    if time_ms < w.first_ms:
        w.first_ms = time_ms
        if not by_offset:
            w.open = price
    if time_ms >= w.last_ms:
        w.last_ms = time_ms
        w.close = price
    elif by_offset:
        w.close = price


@dataclass(frozen=True, slots=True)
class Flat:
    """What a bar of an empty bucket must be."""

    close: float
    """Of the last tick before it."""


def flats(
    series: Series, rung: int, lengths_ms: Sequence[int], through_ms: int, longest_ms: int
) -> Iterator[tuple[int, Flat]]:
    """Start and content of the bars of all empty buckets of a continuous rung.

    They follow each bar of the base window, up to the next one's bucket, to what is closed, or
    to ``longest_ms`` behind its end.
    """
    length_ms, base_ms = lengths_ms[rung], lengths_ms[0]
    base, own = series.rungs[0], series.rungs[rung]
    starts = sorted(base)
    for start_ms, following_ms in zip_longest(starts, starts[1:]):
        end_ms = min(through_ms, start_ms + base_ms + longest_ms)
        first_ms = start_ms - start_ms % length_ms + length_ms
        last_ms = end_ms if following_ms is None else min(end_ms, following_ms)
        for empty_ms in range(first_ms, last_ms - length_ms + 1, length_ms):
            if empty_ms not in own:
                yield empty_ms, Flat(base[start_ms].close)


def _escape(name: str) -> str:
    return name.replace("\\", "\\\\").replace("|", "\\|")
