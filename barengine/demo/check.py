"""The independent check: bars recomputed from the ticks, and every tick accounted for.

Shares nothing with the engine but the Bar schema: ticks are decoded by :mod:`tick_reader`, bars
by fastavro, and put together with dictionaries and integers. No I/O: whoever has the records,
from whatever client, can ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from barengine.demo.expected import Clock, Series, Windows, add_tick
from barengine.demo.letters import (
    FUTURE,
    Letter,
    Letters,
    check_beyond,
    check_copy,
    check_dead,
    check_late,
    grace_in_ms,
    is_late,
    read_letters,
)
from barengine.demo.live_check import LiveCheck
from barengine.demo.records import InputRecord, OutputRecord
from barengine.demo.report import Difference, Kind, Report
from barengine.demo.rules import Rules
from barengine.demo.rung import RungCheck
from barengine.demo.tick_reader import (
    NoTick,
    RawTick,
    check_names,
    check_time,
    exact_price,
    read_names,
    read_tick,
)
from barengine.model import NS_PER_MS, Order, Period, Watermark

_SURE_PRICE: Final = 0.9
"""At scale 18 decimal(18) ends below 1; ten times that for each decimal less, never too high."""
_SURE_TIME_MS: Final = 2**42
"""Until the year 2109, and far inside what fits."""


def check_bars(
    ticks: Iterable[InputRecord],
    bars: Iterable[OutputRecord],
    late: Iterable[OutputRecord],
    dead: Iterable[OutputRecord],
    *,
    period: Period,
    grace_ns: int,
    order: Order,
    price_scale: int,
    watermark: Watermark = Watermark.BROKER,
) -> Report:
    """Recompute every bar from the ticks and compare.

    Args:
        ticks: the whole input, each partition in offset order.
        bars, late, dead: everything committed.

    Raises:
        ValueError: a partition's ticks are not in offset order.
    """
    rules = Rules(period, grace_ns, order, price_scale, watermark)
    checker = Checker(rules, late, dead)
    checker.add_ticks(ticks)
    return checker.finish(bars)


class Checker:
    """The same in steps, for input that is too large to hold: letters, then ticks, then bars."""

    def __init__(
        self, rules: Rules, late: Iterable[OutputRecord], dead: Iterable[OutputRecord]
    ) -> None:
        self._rules = rules
        self._lengths_ms = rules.lengths_ms
        self._period_ms = self._lengths_ms[0]
        self._corrects = rules.horizon_ns is not None
        self._grace_ms = grace_in_ms(rules.grace_ns)
        self._by_offset = rules.order is Order.OFFSET
        self._sure_price = _SURE_PRICE * 10.0 ** (18 - rules.price_scale)
        self._report = Report()
        self._letters: Letters = {}
        self._series: dict[tuple[int, str, str], Series] = {}
        self._by_names: dict[int, dict[bytes, Series]] = {}
        self._clocks: dict[tuple[int, str], Clock] = {}
        self._offsets: dict[int, int] = {}
        self._read_letters(late, dead)

    def _read_letters(self, late: Iterable[OutputRecord], dead: Iterable[OutputRecord]) -> None:
        for records, is_late_topic in ((late, True), (dead, False)):
            for difference in read_letters(records, is_late_topic, self._letters):
                self._report.add(difference)
        for letters in self._letters.values():
            for letter in letters.values():
                self._report.late += letter.late
                self._report.dead += not letter.late

    # -- ticks -----------------------------------------------------------------------------

    def add_ticks(self, ticks: Iterable[InputRecord]) -> None:
        """Take input records; those of one partition in offset order.

        Raises:
            ValueError: they are not.
        """
        offsets, letters = self._offsets, self._letters
        nothing: dict[int, Letter] = {}
        for record in ticks:
            partition, offset = record.partition, record.offset
            if offset <= offsets.get(partition, -1):
                raise ValueError(f"offset {offset} of partition {partition} comes out of order")
            offsets[partition] = offset
            self._report.ticks_in += 1
            letter = letters.get(partition, nothing).get(offset)
            if letter is None:
                self._accept(record)
            else:
                self._reject(record, letter)

    def _accept(self, record: InputRecord) -> None:
        """A record without a letter is in its bar."""
        try:
            series, tick = self._read(record)
        except NoTick as no_tick:
            self._report.unaccounted += 1
            self._wrong_tick(record, f"a dead letter, {no_tick}", "none")
            return
        time_ms, clock = tick.time_ms, series.clock
        end_ms = time_ms - time_ms % self._period_ms + self._period_ms
        if clock.ms is None or time_ms > clock.ms:
            self._check_future(record, time_ms)
            clock.ms = time_ms
        elif not self._corrects and is_late(end_ms, self._grace_ms, clock.ms):
            self._wrong_tick(record, f"late, the clock being {clock.ms}", "none")
        for length_ms, windows in zip(self._lengths_ms, series.rungs, strict=True):
            start_ms = time_ms - time_ms % length_ms
            add_tick(windows, start_ms, time_ms, tick.price, record.offset, self._by_offset)

    def _read(self, record: InputRecord) -> tuple[Series, RawTick]:
        """The tick and its series.

        Raises:
            NoTick: the first of the reasons why it must be a dead letter.
        """
        tick = read_tick(record.value)
        known = self._by_names.setdefault(record.partition, {})
        series = known.get(tick.names)
        if series is None:
            series = known[tick.names] = self._find(record.partition, *read_names(tick.names))
        if not -_SURE_TIME_MS < tick.time_ms < _SURE_TIME_MS:
            check_time(tick.time_ms)
        if not -self._sure_price < tick.price < self._sure_price:
            exact_price(tick.price, self._rules.price_scale)
        if series.problem is not None:
            raise NoTick(series.problem)
        return series, tick

    def _find(self, partition: int, broker: str, symbol: str) -> Series:
        series = self._series.get((partition, broker, symbol))
        if series is None:
            by_broker = self._rules.watermark is Watermark.BROKER
            clock = Clock()
            if by_broker:
                clock = self._clocks.setdefault((partition, broker), clock)
            problem = _problem(broker, symbol)
            rungs: tuple[Windows, ...] = tuple({} for _ in self._lengths_ms)
            series = Series(partition, broker, symbol, clock, problem, rungs)
            self._series[partition, broker, symbol] = series
        return series

    def _reject(self, record: InputRecord, letter: Letter) -> None:
        """A record with a letter is in no bar, for a reason that holds."""
        letter.seen = True
        self._add_all(check_copy(letter, record))
        try:
            series, tick = self._read(record)
        except NoTick as no_tick:
            self._add_all(check_dead(letter, str(no_tick)))
            return
        if letter.late:
            self._add_all(
                check_late(letter, tick.time_ms, self._period_ms, self._grace_ms, series.clock.ms)
            )
            if self._rules.horizon_ns is not None:
                self._add_all(check_beyond(letter, self._rules.horizon_ns // NS_PER_MS))
            return
        self._add_all(check_dead(letter, None))
        earliest_ns = self._rules.began_ns
        if letter.reason == FUTURE and earliest_ns is not None:
            limit_ms = (earliest_ns + self._rules.max_future_ns) // NS_PER_MS
            if tick.time_ms <= limit_ms:
                self._report.add(letter.wrong("event time", f"over {limit_ms}", tick.time_ms))

    def _check_future(self, record: InputRecord, time_ms: int) -> None:
        if self._rules.ended_ns is not None:
            limit_ms = (self._rules.ended_ns + self._rules.max_future_ns) // NS_PER_MS
            if time_ms > limit_ms:
                self._wrong_tick(record, f"quarantined, {time_ms} being over {limit_ms}", "none")

    def _wrong_tick(self, record: InputRecord, expected: str, got: str) -> None:
        where = f"partition {record.partition} offset {record.offset}"
        self._report.add(Difference(Kind.TICK, where, "letter", expected, got))

    def _add_all(self, differences: Iterable[Difference]) -> None:
        for difference in differences:
            self._report.add(difference)

    # -- bars ------------------------------------------------------------------------------

    def finish(
        self,
        bars: Iterable[OutputRecord],
        *rollups: Iterable[OutputRecord],
        corrections: Sequence[Iterable[OutputRecord]] = (),
        live: Iterable[OutputRecord] = (),
    ) -> Report:
        """Compare all bars with what the ticks make, and say what is left over.

        Args:
            bars: finals of the base window.
            rollups: finals of every roll-up, in the order of the rules.
            corrections: of the base window and of every roll-up.
            live: bars so far.
        """
        for letters in self._letters.values():
            for letter in letters.values():
                if not letter.seen:
                    self._report.add(letter.wrong("input record", "one", "none there"))
        checks = [
            RungCheck(self._rules, rung, self._report, self._known)
            for rung in range(len(self._rules.periods))
        ]
        for check, records in zip(checks, corrections, strict=False):
            check.add_corrections(records)
        for check, records in zip(checks, (bars, *rollups), strict=True):
            check.add_finals(records)
        for check in checks:
            check.finish(self._series.values())
        LiveCheck(self._rules, self._report, self._known).add(live)
        return self._report

    def _known(self, partition: int, broker: str, symbol: str) -> Series | None:
        return self._series.get((partition, broker, symbol))


def _problem(broker: str, symbol: str) -> str | None:
    try:
        check_names(broker, symbol)
    except NoTick as no_tick:
        return str(no_tick)
    return None
