"""Bars computed from ticks with dictionaries and integers: the plainest way there is."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Clock:
    """The largest event time accepted so far, of one broker or of one series, in a partition."""

    ms: int | None = None


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
    """How many bars with its key were read back."""


@dataclass(slots=True)
class Series:
    """One (partition, broker, symbol)."""

    partition: int
    broker: str
    symbol: str
    clock: Clock
    problem: str | None
    """Why its names make every tick of it a dead letter; None if they are good."""
    windows: dict[int, Window] = field(default_factory=dict)
    """By start of the bucket in ms."""
    last_start_ms: int | None = None
    """Start of the bar read back last."""

    def key(self, start_ms: int) -> str:
        """The key that the bar of this bucket must have."""
        return f"{_escape(self.broker)}|{_escape(self.symbol)}|{start_ms}"


def add_tick(
    windows: dict[int, Window],
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


def _escape(name: str) -> str:
    return name.replace("\\", "\\\\").replace("|", "\\|")
