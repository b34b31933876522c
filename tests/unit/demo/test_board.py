"""What the live view shows follows what was sent and what was committed."""

from __future__ import annotations

from typing import Any

import pytest

from barengine.demo.board import Board, Candle, Counts
from barengine.demo.ticks import Planned
from barengine.model import Period, Watermark

T0 = 1_790_000_000_000
SCALE = 10**9


def board(watermark: Watermark = Watermark.BROKER) -> Board:
    return Board(Period.parse("5s"), 10**9, 9, watermark)


def send(
    to: Board, symbol: str, at_ms: int, price: float | None, now_s: float = 0.0, partition: int = 0
) -> None:
    tick = Planned(0.0, "a", symbol, T0 + at_ms, price, b"")
    to.tick(partition, tick, now_s, T0)


def bar(symbol: str, start_ms: int, price: int = 1) -> dict[str, Any]:
    prices = dict.fromkeys(("open", "high", "low", "close"), price * SCALE)
    times = {"bucket_start": T0 + start_ms, "bucket_end": T0 + start_ms + 5_000}
    kind = {"period": "5s", "origin": "ticks", "cause": None, "revision": 0}
    return {"broker": "a", "symbol": symbol, "tick_count": 3} | prices | times | kind


def test_the_current_bar_is_that_of_the_newest_bucket() -> None:
    """A tick of a later bucket begins a new bar; one of an earlier bucket is not shown."""
    shown = board()
    for at_ms, price in ((0, 2.0), (1, 3.0), (2, 1.0), (5_000, 7.0), (4_999, 9.0), (5_001, 6.0)):
        send(shown, "x", at_ms, price)
    assert shown.sent == 6
    assert shown.lines["a", "x"].current == Candle(T0 + 5_000, 7.0, 7.0, 6.0, 6.0, 2)


def test_bad_records_and_wrong_clocks_are_counted_only() -> None:
    """They make no bar and move no clock."""
    shown = board()
    send(shown, "x", 0, None)
    send(shown, "x", 10**10, 1.0)
    assert (shown.sent, shown.lines) == (2, {})


def test_a_final_bar_is_shown_with_its_prices() -> None:
    """Unscaled integers become the numbers that they stand for."""
    shown = board()
    shown.bar(0, bar("x", 0, price=2), 0.0)
    assert shown.bars == 1
    assert shown.lines["a", "x"].finals == {"5s": Candle(T0, 2.0, 2.0, 2.0, 2.0, 3)}


def test_each_period_has_its_last_bar() -> None:
    """Filled bars and corrections are counted by period; a correction replaces the bar that is
    shown, if it is that one."""
    shown = Board(Period.parse("5s"), 10**9, 9, Watermark.BROKER, [Period.parse("1m")])
    shown.bar(0, bar("x", 0, price=2), 0.0)
    shown.bar(0, bar("x", 5_000, price=2) | {"origin": "filled", "cause": "quiet"}, 0.0)
    shown.bar(0, bar("x", 0, price=4) | {"period": "1m"}, 0.0)
    shown.correction(bar("x", 0, price=6) | {"revision": 1})
    shown.correction(bar("x", 0, price=7) | {"period": "1m", "revision": 2})
    line = shown.lines["a", "x"]
    assert {period: (one.close, one.cause) for period, one in line.finals.items()} == {
        "5s": (2.0, "quiet"),
        "1m": (7.0, ""),
    }
    assert shown.counts == {"5s": Counts(2, 1, 1), "1m": Counts(1, 0, 1)}
    assert shown.bars == 3
    assert shown.corrected == (line, "1m", 2, Candle(T0, 7.0, 7.0, 7.0, 7.0, 3))


def test_with_a_live_topic_the_current_bar_is_the_engines() -> None:
    """What was sent is not shown before the engine says so."""
    shown = Board(Period.parse("5s"), 10**9, 9, Watermark.BROKER, live=True)
    send(shown, "x", 0, 2.0)
    assert shown.lines["a", "x"].current is None
    shown.update(bar("x", 0, price=2))
    assert shown.updates == 1
    assert [line.current for line in shown.lines.values()] == [Candle(T0, 2, 2, 2, 2, 3)]


def test_latency_runs_from_the_closing_tick_to_the_committed_bar() -> None:
    """The closing tick is the first of the broker at or behind the bucket's end plus grace."""
    shown = board()
    send(shown, "x", 0, 1.0, now_s=10.0)
    send(shown, "y", 5_999, 1.0, now_s=15.9)
    send(shown, "y", 6_000, 1.0, now_s=16.0)
    send(shown, "y", 6_500, 1.0, now_s=16.5)
    shown.bar(0, bar("x", 0), 16.25)
    assert shown.latency() == (0.25, 0.25)


@pytest.mark.parametrize(
    ("watermark", "partition", "symbol"),
    [(Watermark.BROKER, 1, "x"), (Watermark.SERIES, 0, "y")],
)
def test_another_clock_closes_nothing(watermark: Watermark, partition: int, symbol: str) -> None:
    """A bar that silence has closed has no closing tick, and is not counted."""
    shown = board(watermark)
    send(shown, symbol, 60_000, 1.0, partition=partition)
    shown.bar(0, bar("x", 0), 1.0)
    assert shown.latency() is None


def test_percentiles_are_of_the_last_bars() -> None:
    """Median and 99th percentile."""
    shown = board()
    send(shown, "x", 6_000, 1.0, now_s=0.0)
    for hundredth in range(100):
        shown.bar(0, bar("x", 0), hundredth / 100)
    assert shown.latency() == (0.5, 0.99)


def test_closings_are_kept_for_the_recent_past() -> None:
    """Of a bar older than what is kept nothing is claimed."""
    shown = board()
    for bucket in range(2_000):
        at_ms = 5_000 * bucket
        tick = Planned(0.0, "a", "x", T0 + 6_000 + at_ms, 1.0, b"")
        shown.tick(0, tick, float(bucket), T0 + at_ms)
    shown.bar(0, bar("x", 0), 2_000.0)
    assert shown.latency() is None
    shown.bar(0, bar("x", 5_000 * 1_999), 2_000.0)
    assert shown.latency() == (1.0, 1.0)


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """Ticks of long ago do not count."""
    shown = board()
    assert shown.rate(0.0) == 0.0
    for second in range(1, 11):
        for _ in range(100 if second <= 5 else 10):
            send(shown, "x", second, 1.0)
        rate = shown.rate(float(second))
    assert rate == 10.0
