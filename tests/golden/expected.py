"""The lines of ``bars.txt`` computed from the ticks, by nothing of the engine's.

Tick by tick: what has closed is told, and a late tick makes everything of its series be told again
that is different now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from tests.expected_bars import DAY_MS, HOUR_MS, Bar, Market, Rules, Session, Tick, key_of
from tests.golden.day import PARTITIONS, Row, bar_line, letter_line, rows

MINUTE_MS: Final = 60_000
GRACE_MS: Final = 2_000
HORIZON_MS: Final = 30 * MINUTE_MS


def _utc(day: int, time: str, month: int = 11) -> int:
    """A time of 2025."""
    hour, minute = map(int, time.split(":"))
    moment = datetime(2025, month, day, hour, minute, tzinfo=UTC)
    return int(moment.timestamp()) * 1000


def _session(day: int, opens: str, closes: str, *pause: str, month: int = 11) -> Session:
    breaks = [(_utc(day, pause[0], month), _utc(day, pause[1], month))] if pause else []
    own = date(2025, month, day)
    return Session(_utc(day, opens, month), _utc(day, closes, month), own, breaks)


_PERIODS: Final = {"1m": MINUTE_MS, "5m": 5 * MINUTE_MS, "1h": HOUR_MS, "1d": DAY_MS}
_HALT: Final = (_utc(28, "00:40"), _utc(28, "00:55"))


def _rules(sessions: list[Session], *halts: tuple[int, int]) -> Rules:
    return Rules(_PERIODS, frozenset(("1m", "1d")), sessions, halts, 10 * MINUTE_MS, sized=True)


RULES: Final = {
    "TOKYO": _rules(
        [
            _session(27, "00:00", "06:30", "02:30", "03:30"),
            _session(28, "00:00", "06:30", "02:30", "03:30"),
            _session(1, "00:00", "06:30", "02:30", "03:30", month=12),
        ],
        _HALT,
    ),
    "EVENING": _rules(
        [
            _session(26, "01:00", "07:00"),
            _session(28, "01:00", "05:30"),
            _session(1, "01:00", "07:00", month=12),
        ]
    ),
}
"""The hours of markets.yaml, looked up by hand: Tokyo is UTC+9, New York in winter UTC-5."""

Line = tuple[tuple[object, ...], str]
"""A line and what it is sorted by."""


class _Partition:
    def __init__(self, number: int) -> None:
        self._number = number
        self._markets: dict[str, Market] = {}
        self._clock: dict[str, int] = {}
        self._told: dict[tuple[str, str, str, int], tuple[Bar, int]] = {}
        """The newest of each broker, symbol, period and start, and its revision."""

    def take(self, offset: int, row: Row) -> Iterator[Line]:
        """What one record gives."""
        dead = _dead(row)
        if dead:
            yield self._letter("tick_dead", offset, dead)
            return
        market = self._markets.setdefault(row.broker, Market(row.broker, RULES[row.broker]))
        size = Decimal(row.size) if row.size else None
        tick = Tick(row.time_ms, offset, Decimal(row.price), size)
        start_ms, closed_ms = row.time_ms - row.time_ms % MINUTE_MS, self._closed(row.broker)
        if start_ms + MINUTE_MS > closed_ms:
            market.add(row.symbol, tick)
            self._clock[row.broker] = max(row.time_ms, self._clock.get(row.broker, 0))
            yield from self._close(market, closed_ms)
        elif start_ms + MINUTE_MS > closed_ms - HORIZON_MS:
            market.add(row.symbol, tick)
            yield from self._correct(market, row.symbol, closed_ms)
        else:
            late_ms = self._clock[row.broker] - row.time_ms
            yield self._letter("tick_late", offset, "watermark", str(start_ms), str(late_ms))

    def _closed(self, broker: str) -> int:
        through_ms = self._clock.get(broker, GRACE_MS) - GRACE_MS
        return through_ms - through_ms % MINUTE_MS

    def _close(self, market: Market, before_ms: int) -> Iterator[Line]:
        closed_ms = self._closed(market.name)
        if closed_ms == before_ms:
            return
        for symbol in market.ticks:
            for (period, start_ms), bar in market.bars(symbol, before_ms, closed_ms).items():
                name = (market.name, symbol, period, start_ms)
                assert name not in self._told
                yield self._tell(name, bar, 0)

    def _correct(self, market: Market, symbol: str, closed_ms: int) -> Iterator[Line]:
        now = market.bars(symbol, 0, closed_ms, told_ms=closed_ms)
        for (period, start_ms), bar in now.items():
            name = (market.name, symbol, period, start_ms)
            before, revision = self._told.get(name, ({}, 0))
            if _news(bar) != _news(before):
                yield self._tell(name, bar, revision + 1)

    def _tell(self, name: tuple[str, str, str, int], bar: Bar, revision: int) -> Line:
        self._told[name] = (bar, revision)
        topic = f"bar_{bar['period']}" + ("_corrections" if revision else "")
        key = key_of(bar)
        line = bar_line(topic, self._number, key, bar | {"revision": revision})
        return (topic, key, revision), line

    def _letter(
        self, topic: str, offset: int, reason: str, bucket: str = "", lateness: str = ""
    ) -> Line:
        line = letter_line(topic, self._number, offset, reason, bucket, lateness)
        return (topic, self._number, offset), line


def _news(bar: Bar) -> tuple[object, ...]:
    """What a correction is for; a flat bar's cause stays as it was told."""
    return tuple(bar.get(name) for name in ("tick_count", "open", "high", "low", "close"))


def _dead(row: Row) -> str | None:
    if not row.broker:
        return "null_value"
    if not row.symbol:
        return "empty_name"
    if row.price == "nan":
        return "price_not_finite"
    return "size_range" if row.size.startswith("-") else None


def expected_lines() -> list[str]:
    """What bars.txt must hold."""
    partitions = [_Partition(number) for number in range(PARTITIONS)]
    offsets: dict[int, int] = defaultdict(int)
    found: list[Line] = []
    for row in rows():
        found += partitions[row.partition].take(offsets[row.partition], row)
        offsets[row.partition] += 1
    return [line for _, line in sorted(found, key=lambda one: one[0])]
