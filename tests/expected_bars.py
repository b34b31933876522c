"""The bars that ticks must make, told in the plainest way: keep every tick, sort, look it all up.

Shares no code with the engine. Times are ms. Sessions are a plain table: nobody here knows time
zones. One instance is one broker in one partition under WATERMARK=broker; a bar is made from all
ticks of its bucket each time that one is asked for.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, NamedTuple

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PRICE: Final = Decimal("0.000000001")

Bar = dict[str, Any]
"""By field name, as fastavro reads it."""


class Tick(NamedTuple):
    """One that is in time order by itself."""

    time_ms: int
    offset: int
    price: Decimal
    size: Decimal | None = None


class Session(NamedTuple):
    """[open, close) of a trading date, without its breaks."""

    open_ms: int
    close_ms: int
    date: date
    breaks: Sequence[tuple[int, int]] = ()

    def trades_in(self, start_ms: int, end_ms: int) -> bool:
        """Whether there is trading time in [start, end)."""
        start_ms, end_ms = max(start_ms, self.open_ms), min(end_ms, self.close_ms)
        for begin_ms, until_ms in self.breaks:
            if begin_ms <= start_ms < until_ms:
                start_ms = until_ms
        return start_ms < end_ms


class Span(NamedTuple):
    """A bucket."""

    start_ms: int
    end_ms: int
    date: date | None = None


@dataclass(frozen=True)
class Rules:
    """What the engine was told."""

    periods: Mapping[str, int]
    """Length by name, the base window first."""
    continuous: frozenset[str] = frozenset()
    sessions: Sequence[Session] | None = None
    """Ascending, all that matter; None: the broker has no market."""
    halts: Sequence[tuple[int, int]] = ()
    feed_timeout_ms: int = 30_000
    continuous_max_ms: int = 7 * DAY_MS
    sized: bool = False

    @property
    def base_ms(self) -> int:
        return next(iter(self.periods.values()))

    def by_session(self, period: str) -> bool:
        """Whether sessions cut its buckets."""
        length_ms = self.periods[period]
        return self.sessions is not None and length_ms >= max(HOUR_MS, self.base_ms + 1)

    def span_at(self, period: str, time_ms: int) -> Span | None:
        """The bucket that holds a time; None outside sessions, where these cut it."""
        length_ms = self.periods[period]
        if not self.by_session(period):
            start_ms = time_ms - time_ms % length_ms
            of_day = (_EPOCH + timedelta(milliseconds=start_ms)).date()
            return Span(start_ms, start_ms + length_ms, of_day if length_ms == DAY_MS else None)
        for session in self.sessions or ():
            if session.open_ms <= time_ms < session.close_ms:
                return _piece(session, length_ms, time_ms)
        return None

    def to_fill(self, period: str, after_ms: int, through_ms: int) -> Iterator[Span]:
        """The buckets with trading time that end in (after, through]."""
        length_ms = self.periods[period]
        if self.sessions is None:
            first = (after_ms // length_ms + 1) * length_ms
            for end_ms in range(first, through_ms + 1, length_ms):
                yield self._at(period, end_ms - length_ms)
            return
        seen: set[Span] = set()
        for session in self.sessions:
            if session.close_ms <= after_ms - length_ms or session.open_ms >= through_ms:
                continue
            step_ms = min(length_ms, session.close_ms - session.open_ms)
            begin_ms = max(session.open_ms, after_ms - after_ms % step_ms - 2 * step_ms)
            for time_ms in range(begin_ms, min(session.close_ms, through_ms), self.base_ms):
                span = self._at(period, time_ms)
                if span not in seen and after_ms < span.end_ms <= through_ms:
                    seen.add(span)
                    if session.trades_in(span.start_ms, span.end_ms):
                        yield span

    def _at(self, period: str, time_ms: int) -> Span:
        span = self.span_at(period, time_ms)
        assert span is not None
        return span


def _piece(session: Session, length_ms: int, time_ms: int) -> Span:
    if length_ms == DAY_MS:
        return Span(session.open_ms, session.close_ms, session.date)
    start_ms = session.open_ms + (time_ms - session.open_ms) // length_ms * length_ms
    return Span(start_ms, min(start_ms + length_ms, session.close_ms), session.date)


@dataclass
class Market:
    """One broker of one partition: what was accepted so far, in any order."""

    name: str
    rules: Rules
    ticks: dict[str, list[Tick]] = field(default_factory=lambda: defaultdict(list))
    """By symbol, in order of time and offset."""
    _times: list[int] = field(default_factory=list)

    def add(self, symbol: str, tick: Tick) -> None:
        """One more tick."""
        insort(self.ticks[symbol], tick)
        insort(self._times, tick.time_ms)

    def add_all(self, ticks: Iterable[tuple[str, Tick]]) -> None:
        """Many more, by symbol."""
        for symbol, tick in ticks:
            self.ticks[symbol].append(tick)
            self._times.append(tick.time_ms)
        self._times.sort()
        for own in self.ticks.values():
            own.sort()

    def newest_ms(self, before_ms: int) -> int:
        """The newest tick before a time; one must be there."""
        return self._times[bisect_left(self._times, before_ms) - 1]

    def bars(
        self, symbol: str, after_ms: int, through_ms: int, told_ms: int | None = None
    ) -> dict[tuple[str, int], Bar]:
        """The bars of a series that end in (after, through], by period and bucket start.

        Args:
            told_ms: flat bars are told now, everything before that time being known; None: each
                when it ends.
        """
        found: dict[tuple[str, int], Bar] = {}
        ticks = self.ticks[symbol]
        for period in self.rules.periods:
            for span in self._with_ticks(period, ticks, after_ms, through_ms):
                inside = _between(ticks, span.start_ms, span.end_ms)
                found[period, span.start_ms] = self._real(symbol, period, span, inside)
            if period in self.rules.continuous:
                for span in self.rules.to_fill(period, after_ms, through_ms):
                    before = _between(ticks, -(2**62), span.end_ms)[-1:]
                    if (period, span.start_ms) not in found and self._fills(before, span):
                        flat = self._flat(symbol, period, span, before[0], told_ms)
                        found[period, span.start_ms] = flat
        return found

    def _with_ticks(
        self, period: str, ticks: Sequence[Tick], after_ms: int, through_ms: int
    ) -> set[Span]:
        near = _between(ticks, after_ms - 2 * self.rules.periods[period], through_ms)
        spans = {self.rules.span_at(period, tick.time_ms) for tick in near}
        return {span for span in spans if span and after_ms < span.end_ms <= through_ms}

    def _fills(self, before: Sequence[Tick], span: Span) -> bool:
        if not before:
            return False
        base_ms = self.rules.base_ms
        real_end_ms = before[0].time_ms // base_ms * base_ms + base_ms
        return span.end_ms - real_end_ms <= self.rules.continuous_max_ms

    def _real(self, symbol: str, period: str, span: Span, ticks: Sequence[Tick]) -> Bar:
        prices = [tick.price for tick in ticks]
        times = [tick.time_ms for tick in ticks]
        offsets = [tick.offset for tick in ticks]
        own = {
            **_ohlc(prices[0], max(prices), min(prices), prices[-1]),
            **_sums(ticks),
            "tick_count": len(ticks),
            "first_event_time": at(min(times)),
            "last_event_time": at(max(times)),
            "first_offset": min(offsets),
            "last_offset": max(offsets),
            "origin": "ticks",
            "cause": None,
        }
        return self._named(symbol, period, span) | own

    def _flat(self, symbol: str, period: str, span: Span, last: Tick, told_ms: int | None) -> Bar:
        none = Decimal(0) if self.rules.sized else None
        newest_ms = self.newest_ms(told_ms if told_ms is not None else span.end_ms)
        cause = "feed_down" if span.end_ms - newest_ms > self.rules.feed_timeout_ms else "quiet"
        if any(a <= span.start_ms and span.end_ms <= b for a, b in self.rules.halts):
            cause = "halted"
        own = {
            **_ohlc(*(last.price,) * 4),
            "volume": none,
            "turnover": none,
            "vwap": None,
            "tick_count": 0,
            "first_offset": -1,
            "last_offset": -1,
            "first_event_time": at(span.start_ms),
            "last_event_time": at(span.start_ms),
            "origin": "filled",
            "cause": cause,
        }
        return self._named(symbol, period, span) | own

    def _named(self, symbol: str, period: str, span: Span) -> Bar:
        return {
            "broker": self.name,
            "symbol": symbol,
            "period": period,
            "bucket_start": at(span.start_ms),
            "bucket_end": at(span.end_ms),
            "final": True,
            "partial": False,
            "trading_date": span.date,
        }


def _between(ticks: Sequence[Tick], start_ms: int, end_ms: int) -> Sequence[Tick]:
    low, high = (bisect_left(ticks, (time_ms,)) for time_ms in (start_ms, end_ms))
    return ticks[low:high]


def _ohlc(first: Decimal, high: Decimal, low: Decimal, last: Decimal) -> Bar:
    return {"open": first, "high": high, "low": low, "close": last}


def _sums(ticks: Iterable[Tick]) -> Bar:
    sized = [(tick.price, tick.size) for tick in ticks if tick.size is not None]
    if not sized:
        return {"volume": None, "turnover": None, "vwap": None}
    volume = sum((size for _, size in sized), Decimal(0))
    turnover = sum((price * size for price, size in sized), Decimal(0))
    vwap = (turnover / volume).quantize(_PRICE, ROUND_HALF_EVEN) if volume else None
    return {"volume": volume, "turnover": turnover, "vwap": vwap}


def at(time_ms: int) -> datetime:
    """As fastavro reads a time."""
    return _EPOCH + timedelta(milliseconds=time_ms)


def key_of(bar: Bar) -> str:
    """The key of its record."""
    names = (bar[name].replace("\\", "\\\\").replace("|", "\\|") for name in ("broker", "symbol"))
    start_ms = (bar["bucket_start"] - _EPOCH) // timedelta(milliseconds=1)
    return "|".join((*names, str(start_ms)))
