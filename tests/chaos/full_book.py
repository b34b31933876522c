"""Everything that bars can be at once: roll-ups, flat bars, corrections, sessions; the verdict.

The verdict reads what left with librdkafka, computes all of it anew (tests/expected_bars.py), and
asks the engine for one thing alone: how far it has closed each broker.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, Final

from barengine.demo.records import InputRecord
from barengine.demo.report import Difference, Kind, PeriodCount, Report
from barengine.demo.tick_reader import NoTick, check_names, read_names, read_tick
from barengine.model import NS_PER_MS
from barengine.naming import split
from tests.broker.records import read_input
from tests.broker.scene import Scene, decode_bar
from tests.chaos.feed import Mix
from tests.expected_bars import DAY_MS, HOUR_MS, Bar, Market, Rules, Session, Tick, at, key_of

SETTINGS: Final = {
    "ROLLUPS": "5s,1h,1d",
    "CONTINUOUS": "1s,5s",
    "LATE_POLICY": "correct",
    "CORRECTION_HORIZON": "5s",
    "SCHEDULE": str(Path(__file__).with_name("markets.yaml")),
}
NOON_MS: Final = int(datetime(2025, 6, 16, 12, tzinfo=UTC).timestamp()) * 1000
CLOSE_MS: Final = NOON_MS + 13_000

MIX: Final = Mix(symbols=600, late_ms=6_000, late_one_in=100, begins_ms=NOON_MS)
"""A tick a second for each series, so that many buckets are empty. Of the late ones some
are corrected, others too late for that."""

RATE: Final = 600

_BREAK: Final = (NOON_MS + 6_000, NOON_MS + 8_000)
_SESSION: Final = Session(NOON_MS - HOUR_MS // 2, CLOSE_MS, date(2025, 6, 16), (_BREAK,))
RULES: Final = Rules(
    {"1s": 1000, "5s": 5000, "1h": HOUR_MS, "1d": DAY_MS}, frozenset(("1s", "5s")), [_SESSION]
)
_GRACE_MS: Final = 1000
_HORIZON_MS: Final = 5000
_STEP: Final = Decimal("0.000000001")

Name = tuple[int, str, str, str, int]
"""Partition, broker, symbol, period and start of a bar."""


class Verdict:
    """What a scene with these settings must have made of its input."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._report = Report()
        self._clocks: dict[tuple[int, str], int] = {}
        self._ticks: dict[tuple[int, str], list[tuple[str, Tick]]] = defaultdict(list)
        self._letters = {
            (letter.partition, int(letter.header("source_offset") or -1)): letter
            for letter in (*scene.late(), *scene.dead())
        }

    def check(self) -> Report:
        """Compare everything."""
        scene, report = self._scene, self._report
        report.late, report.dead = len(scene.late()), len(scene.dead())
        if report.late + report.dead != len(self._letters):
            self._wrong(Kind.LETTER, "letters", "one each", "some twice")
        for record in read_input(scene.bootstrap, scene.settings.input_topic):
            report.ticks_in += 1
            self._take(record)
        expected, newest = dict(self._expected()), self._newest()
        for name in expected.keys() - newest.keys():
            self._wrong(Kind.MISSING, str(name), "a bar", "none")
        for name in newest.keys() - expected.keys():
            self._wrong(Kind.EXTRA, str(name), "none", str(newest[name]))
        for name in expected.keys() & newest.keys():
            self._compare(name, expected[name], newest[name])
        report.bars_expected = len(expected)
        return report

    # -- input -----------------------------------------------------------------------------

    def _take(self, record: InputRecord) -> None:
        """Every record is in a letter that says so rightly, or in its bars."""
        letter = self._letters.pop((record.partition, record.offset), None)
        reason = None if letter is None else (letter.header("reason") or b"").decode()
        try:
            tick = read_tick(record.value)
            broker, symbol = read_names(tick.names)
            check_names(broker, symbol)
            wanted = self._fate(record, broker, tick.time_ms, tick.price)
        except NoTick as no_tick:
            wanted = str(no_tick)
        if reason != wanted:
            where = f"partition {record.partition} offset {record.offset}"
            self._wrong(Kind.TICK, where, str(wanted), str(reason))
        elif wanted is None:
            price = Decimal(tick.price).quantize(_STEP, ROUND_HALF_EVEN)
            own = Tick(tick.time_ms, record.offset, price)
            self._ticks[record.partition, broker].append((symbol, own))

    def _fate(self, record: InputRecord, broker: str, time_ms: int, price: float) -> str | None:
        """Why a tick is in no bar, by the clock of its broker; None: it is in one."""
        if price != price:
            return "price_not_finite"
        if time_ms > NOON_MS + DAY_MS:
            return "future"
        name = record.partition, broker
        end_ms = time_ms - time_ms % 1000 + 1000
        closed_ms = (self._clocks.get(name, 0) - _GRACE_MS) // 1000 * 1000
        if end_ms <= closed_ms - _HORIZON_MS:
            return "watermark"
        if end_ms > closed_ms:
            self._clocks[name] = max(time_ms, self._clocks.get(name, 0))
        return None

    # -- bars ------------------------------------------------------------------------------

    def _expected(self) -> Iterator[tuple[Name, Bar]]:
        for (partition, broker), ticks in self._ticks.items():
            market = Market(broker, RULES)
            market.add_all(ticks)
            state = self._scene.state(partition).brokers[broker]
            through_ms = state.closed_through_ns // NS_PER_MS
            assert through_ms > self._clocks[partition, broker], "windows are open"
            for symbol in market.ticks:
                begin_ms = market.ticks[symbol][0].time_ms - 10_000
                bars = market.bars(symbol, begin_ms, through_ms)
                for (period, start_ms), bar in bars.items():
                    yield (partition, broker, symbol, period, start_ms), bar

    def _newest(self) -> dict[Name, Bar]:
        """The newest revision of every bar that left, none being left out or there twice."""
        found: dict[Name, Bar] = {}
        settings = self._scene.settings
        for period in settings.periods:
            count = self._report.periods[period.name] = PeriodCount()
            topics = (settings.topic_of(period), settings.corrections_topic(period))
            for corrects, topic in enumerate(topics):
                for record in self._scene.records_of(topic):
                    self._report.bars_read += 1
                    bar = decode_bar(record.value or b"")
                    key = (record.key or b"").decode()
                    broker, symbol, start_ms = split(key)
                    name = (record.partition, broker, symbol, period.name, int(start_ms))
                    next_one = found[name]["revision"] + 1 if name in found else corrects
                    if bar["revision"] != next_one or key != key_of(bar):
                        self._wrong(Kind.DUPLICATE, f"{topic} {key}", str(next_one), str(bar))
                    found[name] = bar
                    count.corrections += corrects
                    count.finals += not corrects
                    count.filled += not corrects and bar["origin"] == "filled"
        return found

    def _compare(self, name: Name, expected: Bar, got: Bar) -> None:
        wanted: dict[str, Any] = dict(expected)
        if expected["origin"] == "filled" and got["revision"]:
            del wanted["cause"]  # told when the correction left
        wrong = {key: got[key] for key, value in wanted.items() if got[key] != value}
        if got["period"] == "1s":
            self._report.in_bars += got["tick_count"]
        if wrong:
            right = {key: wanted[key] for key in wrong}
            self._wrong(Kind.DIFFERENT, str(name), str(right), str(wrong))
        else:
            self._report.bars_exact += 1

    def _wrong(self, kind: Kind, where: str, expected: str, got: str) -> None:
        self._report.add(Difference(kind, where, "all", expected, got))


def check(scene: Scene) -> Report:
    """The verdict, and that the scene had what it is for."""
    report = Verdict(scene).check()
    if report.ok:
        assert report.in_bars + report.late + report.dead == report.ticks_in, report
        assert report.late > 0, "no tick was too late to be corrected"
        for name, count in report.periods.items():
            assert count.corrections, f"{name}: nothing was corrected"
            assert count.filled or name not in RULES.continuous, f"{name}: nothing was filled"
        days = scene.records_of(scene.settings.topic_of(scene.settings.periods[-1]))
        assert {decode_bar(day.value or b"")["bucket_end"] for day in days} == {at(CLOSE_MS)}
    return report
