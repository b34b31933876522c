"""The open-window table of the pure kernel: brokers, series, windows and their clocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from barengine.codec.tick import DecodedTick
from barengine.model import MAX_SUM, NEVER, Bar, Order, Period, Touch


@dataclass(slots=True)
class Window:
    """One open bucket of one series. Prices scaled, times in ns."""

    start: int
    open: int
    high: int
    low: int
    close: int
    count: int
    open_at: tuple[int, int]
    close_at: tuple[int, int]
    first_event: int
    last_event: int
    first_offset: int
    last_offset: int
    partial: bool
    volume: int | None = None
    turnover: int | None = None
    priced: bool = True
    """Whether a tick that may touch the price is among its ticks."""
    mixed: bool = False
    """Whether one of each kind is."""
    given: int = 0
    """Its count when it was last given as a live bar."""

    @classmethod
    def of_tick(cls, start: int, tick: DecodedTick, offset: int, partial: bool) -> Window:
        time, price, at = tick.time_ns, tick.price, (tick.time_ns, offset)
        window = cls(
            *(start, price, price, price, price, 1, at, at, time, time, offset, offset, partial),
            priced=Touch.PRICE in tick.touch,
        )
        window.volume, window.turnover = window.sums(tick)
        return window

    def add(self, tick: DecodedTick, offset: int, order: Order) -> None:
        """Take one more tick; offsets only grow from call to call."""
        self._add_price(tick, offset, order)
        self.first_event = min(self.first_event, tick.time_ns)
        self.last_event = max(self.last_event, tick.time_ns)
        self.last_offset = offset
        self.count += 1
        self.volume, self.turnover = self.sums(tick)

    def _add_price(self, tick: DecodedTick, offset: int, order: Order) -> None:
        price, at, priced = tick.price, (tick.time_ns, offset), Touch.PRICE in tick.touch
        if priced and not self.priced:
            self.open = self.high = self.low = self.close = price
            self.open_at = self.close_at = at
            self.priced = self.mixed = True
        if priced is not self.priced:
            self.mixed = True
            return
        if order is Order.EVENT_TIME and at < self.open_at:
            self.open, self.open_at = price, at
        if order is Order.OFFSET or at > self.close_at:
            self.close, self.close_at = price, at
        self.high = max(self.high, price)
        self.low = min(self.low, price)

    def sums(self, tick: DecodedTick) -> tuple[int | None, int | None]:
        """Volume and turnover with one more tick."""
        return sums(self.volume, self.turnover, tick)


def sums(
    volume: int | None, turnover: int | None, tick: DecodedTick
) -> tuple[int | None, int | None]:
    """Volume and turnover with one more tick."""
    if tick.size is None:
        return volume, turnover
    return (volume or 0) + tick.size, (turnover or 0) + tick.price * tick.size


def fits(window: Window | None, tick: DecodedTick) -> bool:
    """Whether the tick leaves the sums of its window, which may be a new one, below MAX_SUM."""
    volume, turnover = sums(None, None, tick) if window is None else window.sums(tick)
    return max(volume or 0, abs(turnover or 0)) < MAX_SUM


@dataclass(slots=True)
class Broker:
    """Clocks of one broker and, per bucket, its open windows in order of their first tick."""

    name: bytes
    clock: int = NEVER
    event_clock: int = NEVER
    arrival_clock: int = NEVER
    closed: int = NEVER
    begin: int = NEVER
    arrival_wall: int = NEVER
    hours: tuple[int, int, bool] = (0, 0, False)
    """Newest answer of ``KernelConfig.trading``."""
    mark: int = 0
    """Observed silence of the partition, in total, when this broker last sent something."""
    allowed: int = NEVER
    """With a book: how far it may be closed, if that is more than ``closed``."""
    buckets: dict[int, list[Series]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Series:
    """One series: its own clock, what is closed, its open windows by bucket start."""

    broker: Broker
    symbol: bytes
    clock: int = NEVER
    closed: int = NEVER
    mark: int = 0
    arrival_wall: int = NEVER
    last_offset: int = -1
    """Newest record of it that was a tick, replayed ones included: what recovery may read again."""
    dirty: bool = False
    stored: bool = False
    """A window of it was stored when windows were stored last, be it open or closed by now."""
    windows: dict[int, Window] = field(default_factory=dict)


def watermark(clock: int, grace: int, period: Period) -> int:
    """Everything that ends at or before floor(clock - grace) is closed; NEVER for no clock."""
    return NEVER if clock == NEVER else period.floor(clock - grace)


def as_bar(series: Series, window: Window, length_ns: int) -> Bar:
    """The closed window as a value."""
    return Bar(
        broker=series.broker.name.decode(),
        symbol=series.symbol.decode(),
        bucket_start_ns=window.start,
        bucket_end_ns=window.start + length_ns,
        open=window.open,
        high=window.high,
        low=window.low,
        close=window.close,
        tick_count=window.count,
        open_at=window.open_at,
        close_at=window.close_at,
        first_event_ns=window.first_event,
        last_event_ns=window.last_event,
        first_offset=window.first_offset,
        last_offset=window.last_offset,
        partial=window.partial,
        volume=window.volume,
        turnover=window.turnover,
        priced=window.priced,
    )


class Table:
    """All brokers and series of one partition, in order of their first appearance."""

    def __init__(self) -> None:
        self.brokers: dict[bytes, Broker] = {}
        self.series: dict[tuple[bytes, bytes], Series] = {}
        self.open_windows = 0

    def find(self, broker: bytes, symbol: bytes) -> Series:
        """The series, made on first sight."""
        series = self.series.get((broker, symbol))
        if series is None:
            owner = self.broker(broker)
            # met in recovery, it may have arrived as late as its broker did; live, it does now
            series = Series(owner, symbol, arrival_wall=owner.arrival_wall)
            self.series[broker, symbol] = series
        return series

    def broker(self, name: bytes) -> Broker:
        """The broker, made on first sight."""
        return self.brokers.setdefault(name, Broker(name))

    def open(self, series: Series, window: Window) -> None:
        series.windows[window.start] = window
        series.broker.buckets.setdefault(window.start, []).append(series)
        self.open_windows += 1

    def close_bucket(self, broker: Broker, start: int) -> Iterator[tuple[Series, Window]]:
        """Take out the windows of one bucket of a broker, in order of their first tick."""
        for series in broker.buckets.pop(start):
            self.open_windows -= 1
            yield series, series.windows.pop(start)

    def close_series(self, series: Series, through: int, length: int) -> Iterator[Window]:
        """Take out the windows of one series that end at or before ``through``, oldest first."""
        for start in sorted(start for start in series.windows if start + length <= through):
            bucket = series.broker.buckets[start]
            bucket.remove(series)
            if not bucket:
                del series.broker.buckets[start]
            self.open_windows -= 1
            yield series.windows.pop(start)

    def windows(self) -> Iterable[Window]:
        """Every open window, in no particular order."""
        return (window for series in self.series.values() for window in series.windows.values())
