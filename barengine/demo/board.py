"""What the live view shows, kept up to date by what was sent and what was seen committed."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from barengine.demo.ticks import Planned
from barengine.model import NS_PER_MS, Period, Watermark

_RATE_S: Final = 3.0
"""Ticks a second are those of the last few seconds."""
_LATENCIES: Final = 1_000
_CLOSINGS: Final = 1_000
_QUARANTINE_MS: Final = 300_000
"""Ticks further ahead than MAX_FUTURE move no clock."""


@dataclass(slots=True)
class Candle:
    """A bar as it is shown: of one bucket, prices as numbers."""

    start_ms: int
    open: float
    high: float
    low: float
    close: float
    ticks: int = 1
    cause: str = ""
    """Why it is empty; of a filled bar alone."""
    first_ms: int = field(default=0, compare=False)
    last_ms: int = field(default=0, compare=False)

    def add(self, event_ms: int, price: float) -> None:
        """One more tick; like the engine, by event time and among equals by arrival."""
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        if event_ms < self.first_ms:
            self.open, self.first_ms = price, event_ms
        if event_ms >= self.last_ms:
            self.close, self.last_ms = price, event_ms
        self.ticks += 1


@dataclass(slots=True)
class Line:
    """One series."""

    broker: str
    symbol: str
    current: Candle | None = None
    """From the live topic; without one from the ticks that were sent, before any engine has seen
    them."""
    finals: dict[str, Candle] = field(default_factory=dict)
    """The last of each period, from the bar topics, read committed."""

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.broker} {self.symbol}"


@dataclass(slots=True)
class Counts:
    """What was seen committed of one period."""

    bars: int = 0
    filled: int = 0
    corrections: int = 0


@dataclass(slots=True)
class _Closings:
    """When a market clock passed which time: (watermark in ms, seconds), both rising."""

    clock_ms: int | None = None
    watermarks: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_CLOSINGS))


class Board:
    """Totals, rates and one line per series.

    Args:
        watermark: whose clock closes, to tell which tick closed a bar.
        rollups: the longer periods, ascending.
        live: there is a live topic.
    """

    def __init__(
        self,
        period: Period,
        grace_ns: int,
        price_scale: int,
        watermark: Watermark,
        rollups: Sequence[Period] = (),
        *,
        live: bool = False,
    ) -> None:
        self.lines: dict[tuple[str, str], Line] = {}
        self.sent = self.late = self.dead = self.updates = 0
        self.has_live = live
        self.counts = {one.name: Counts() for one in (period, *rollups)}
        self.corrected: tuple[Line, str, int, Candle] | None = None
        """The last correction: series, period, revision, bar."""
        self._base = period.name
        self._period_ms = period.length_ns // NS_PER_MS
        self._grace_ms = grace_ns // NS_PER_MS
        self._scale = 10**price_scale
        self._by_broker = watermark is Watermark.BROKER
        self._closings: dict[tuple[int, str, str], _Closings] = {}
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._rates: deque[tuple[float, int]] = deque()

    # -- what was sent ---------------------------------------------------------------------

    def tick(self, partition: int, tick: Planned, now_s: float, wall_ms: int) -> None:
        """One tick is on its way."""
        self.sent += 1
        if tick.price is None or tick.event_ms > wall_ms + _QUARANTINE_MS:
            return
        line = self._line(tick.broker, tick.symbol)
        if not self.has_live:
            self._add(line, tick.event_ms, tick.price)
        self._clock(partition, tick.broker, tick.symbol, tick.event_ms, now_s)

    def _add(self, line: Line, at: int, price: float) -> None:
        start_ms = at - at % self._period_ms
        candle = line.current
        if candle is None or start_ms > candle.start_ms:
            line.current = Candle(start_ms, price, price, price, price, 1, "", at, at)
        elif start_ms == candle.start_ms:
            candle.add(at, price)

    def _line(self, broker: str, symbol: str) -> Line:
        line = self.lines.get((broker, symbol))
        if line is None:
            line = self.lines[broker, symbol] = Line(broker, symbol)
        return line

    def _clock(self, partition: int, broker: str, symbol: str, event_ms: int, now_s: float) -> None:
        key = self._clock_key(partition, broker, symbol)
        closings = self._closings.setdefault(key, _Closings())
        if closings.clock_ms is not None and event_ms <= closings.clock_ms:
            return
        closings.clock_ms = event_ms
        watermark_ms = event_ms - self._grace_ms
        watermark_ms -= watermark_ms % self._period_ms
        if not closings.watermarks or watermark_ms > closings.watermarks[-1][0]:
            closings.watermarks.append((watermark_ms, now_s))

    def _clock_key(self, partition: int, broker: str, symbol: str) -> tuple[int, str, str]:
        return (partition, broker, "" if self._by_broker else symbol)

    # -- what was seen committed -----------------------------------------------------------

    def bar(self, partition: int, bar: dict[str, Any], now_s: float) -> None:
        """A final bar was read. ``bar`` as :class:`bar_reader.BarReader` decodes it."""
        counts = self.counts[bar["period"]]
        counts.bars += 1
        counts.filled += bar["origin"] == "filled"
        line = self._line(bar["broker"], bar["symbol"])
        line.finals[bar["period"]] = self._candle(bar)
        if bar["period"] != self._base or bar["origin"] == "filled":
            return
        key = self._clock_key(partition, bar["broker"], bar["symbol"])
        closed_s = self._closed_at(key, bar["bucket_end"])
        if closed_s is not None:
            self._latencies.append(now_s - closed_s)

    def correction(self, bar: dict[str, Any]) -> None:
        """A correction was read."""
        self.counts[bar["period"]].corrections += 1
        line, candle = self._line(bar["broker"], bar["symbol"]), self._candle(bar)
        last = line.finals.get(bar["period"])
        if last is not None and last.start_ms == candle.start_ms:
            line.finals[bar["period"]] = candle
        if bar["origin"] != "filled":
            self.corrected = line, bar["period"], bar["revision"], candle

    def update(self, bar: dict[str, Any]) -> None:
        """A live bar was read."""
        self.updates += 1
        self._line(bar["broker"], bar["symbol"]).current = self._candle(bar)

    def _candle(self, bar: dict[str, Any]) -> Candle:
        first, high, low, close = (
            bar[name] / self._scale for name in ("open", "high", "low", "close")
        )
        start_ms, cause = bar["bucket_start"], bar["cause"] or ""
        return Candle(start_ms, first, high, low, close, bar["tick_count"], cause)

    @property
    def bars(self) -> int:
        """Final bars of all periods."""
        return sum(one.bars for one in self.counts.values())

    def _closed_at(self, key: tuple[int, str, str], end_ms: int) -> float | None:
        """When the tick was sent that closed the bucket; None: silence has closed it."""
        watermarks = self._closings.get(key, _Closings()).watermarks
        place = bisect.bisect_left(watermarks, end_ms, key=lambda each: each[0])
        known = place < len(watermarks) and (place > 0 or len(watermarks) < _CLOSINGS)
        return watermarks[place][1] if known else None

    # -- what is shown ---------------------------------------------------------------------

    def rate(self, now_s: float) -> float:
        """Ticks sent a second, lately; to be asked often."""
        self._rates.append((now_s, self.sent))
        while now_s - self._rates[0][0] > _RATE_S and len(self._rates) > 2:
            self._rates.popleft()
        then_s, then = self._rates[0]
        return (self.sent - then) / (now_s - then_s) if now_s > then_s else 0.0

    def latency(self) -> tuple[float, float] | None:
        """Median and 99th percentile of the time from a bar's closing tick being sent to the
        bar being read committed, in seconds, over the last bars; None: no bar as yet."""
        if not self._latencies:
            return None
        ordered = sorted(self._latencies)
        return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
