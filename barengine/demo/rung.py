"""All bars of one period held against the ticks: finals, filled ones, corrections.

The newest revision of every key must be the bar of all ticks of its bucket, whenever they came;
revisions grow by one, each of a bar of ticks says something new; no bucket that must have a bar has
none.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import accumulate
from typing import Any, Final, NamedTuple

from barengine.demo.bar_reader import BarReader, Mismatch
from barengine.demo.expected import Flat, Series, Window, flats
from barengine.demo.records import OutputRecord
from barengine.demo.report import Difference, Kind, PeriodCount, Report
from barengine.demo.rules import Rules
from barengine.demo.tick_reader import exact_price
from barengine.model import DAY_NS, NS_PER_MS, Watermark

_DAY_MS: Final = DAY_NS // NS_PER_MS
_NONE: Final = {"volume": None, "turnover": None, "vwap": None, "final": True}
"""What every bar has whose ticks have no size."""

Find = Callable[[int, str, str], Series | None]
"""The series of a partition, broker and symbol, if a tick of it was sent."""


class _Told(NamedTuple):
    """What one record of a key says."""

    record: OutputRecord
    bar: dict[str, Any]

    @property
    def news(self) -> tuple[object, ...]:
        return tuple(self.bar[name] for name in ("tick_count", "open", "high", "low", "close"))


class RungCheck:
    """The bars of one period. Corrections first, then finals, then :meth:`finish`."""

    def __init__(self, rules: Rules, rung: int, report: Report, find: Find) -> None:
        self._rules = rules
        self._rung = rung
        self._length_ms = rules.lengths_ms[rung]
        self._report = report
        self._find = find
        self._reader = BarReader(rules.price_scale)
        self._name = rules.periods[rung].name
        self._count = report.periods[self._name] = PeriodCount()
        self._revised: dict[int, dict[int, list[_Told]]] = defaultdict(dict)
        """Corrections by series (its id) and start of the bucket."""
        self._first: dict[int, dict[int, _Told]] = defaultdict(dict)
        """Finals of keys with corrections."""
        self._flat: dict[int, dict[int, _Told]] = defaultdict(dict)
        """Filled finals."""
        self._last_start_ms: dict[int, int] = {}
        self._newest: dict[int, tuple[list[int], list[int]]] = {}
        """By clock (its id): ends of base windows, and the newest event time by then."""

    # -- reading ---------------------------------------------------------------------------

    def add_corrections(self, records: Iterable[OutputRecord]) -> None:
        """Take the corrections topic, each partition in order."""
        for record in records:
            self._count.corrections += 1
            told = self._told(record)
            if told is not None:
                one, series = told
                revisions = self._revised[id(series)].setdefault(one.bar["bucket_start"], [])
                revisions.append(one)

    def add_finals(self, records: Iterable[OutputRecord]) -> None:
        """Take the topic of final bars, each partition in order."""
        for record in records:
            self._count.finals += 1
            told = self._told(record)
            if told is not None:
                self._final(*told)

    def _told(self, record: OutputRecord) -> tuple[_Told, Series] | None:
        """The bar of a record and its series; None where that cannot be, which is reported."""
        self._report.bars_read += 1
        where = (record.key or b"").decode(errors="replace")
        try:
            bar = self._reader.decode(record.value)
        except ValueError as error:
            self._report.add(Difference(Kind.DIFFERENT, where, "value", "a bar", str(error)))
            return None
        series = self._find(record.partition, bar["broker"], bar["symbol"])
        if series is None or not self._is_bucket(series, bar["bucket_start"]):
            self._extra(_Told(record, bar))
            return None
        return _Told(record, bar), series

    def _is_bucket(self, series: Series, start_ms: int) -> bool:
        """Whether a bar of it can be, as far as that is known before all finals are read."""
        if start_ms in series.rungs[self._rung]:
            return True
        return self._rules.fills(self._rung) and start_ms % self._length_ms == 0

    def _extra(self, told: _Told) -> None:
        if self._rung == 0:
            self._report.in_bars += told.bar["tick_count"]
            self._report.counted_twice += told.bar["tick_count"]
        where = (told.record.key or b"").decode(errors="replace")
        place = f"partition {told.record.partition} offset {told.record.offset}"
        self._add(Kind.EXTRA, where, "ticks", "none of it", f"a bar at {place}")

    def _final(self, told: _Told, series: Series) -> None:
        start_ms = told.bar["bucket_start"]
        self._order(series, start_ms)
        end_ms = start_ms + self._length_ms
        series.clock.through_ms = max(end_ms, series.clock.through_ms or end_ms)
        window = series.rungs[self._rung].get(start_ms)
        corrected = start_ms in self._revised.get(id(series), {})
        seen = window.bars_read if window else start_ms in self._flat[id(series)]
        if seen:
            self._twice(told, series, seen + 1)
        elif window is None or (corrected and not told.bar["tick_count"]):
            self._count.filled += 1
            self._flat[id(series)][start_ms] = told
        if window is not None:
            window.bars_read += 1
        if seen:
            return
        if corrected:
            self._first[id(series)][start_ms] = told
        elif window is not None:
            self._compare(told, series, window)

    def _order(self, series: Series, start_ms: int) -> None:
        last_ms = self._last_start_ms.get(id(series))
        if last_ms is not None and start_ms < last_ms:
            where = series.key(start_ms)
            self._add(Kind.DIFFERENT, where, "place in the topic", f"before {last_ms}", "behind it")
        self._last_start_ms[id(series)] = start_ms

    def _twice(self, told: _Told, series: Series, times: int) -> None:
        if self._rung == 0:
            self._report.in_bars += told.bar["tick_count"]
            self._report.counted_twice += told.bar["tick_count"]
        where = series.key(told.bar["bucket_start"])
        self._add(Kind.DUPLICATE, where, "bars", "1", str(times))

    # -- comparing -------------------------------------------------------------------------

    def _compare(self, told: _Told, series: Series, window: Window, revision: int = 0) -> None:
        """The newest bar of a bucket with ticks."""
        if self._rung == 0:
            count = told.bar["tick_count"]
            self._report.in_bars += count
            self._report.unaccounted += max(0, window.count - count)
            self._report.counted_twice += max(0, count - window.count)
        expected = self._expected(series, told.bar["bucket_start"], window) | {
            "tick_count": window.count,
            "first_event_time": window.first_ms,
            "last_event_time": window.last_ms,
            "first_offset": window.first_offset,
            "last_offset": window.last_offset,
            "origin": "ticks",
            "cause": None,
            "revision": revision,
        }
        self._judge(told, series, expected)

    def _compare_flat(self, told: _Told, series: Series, flat: Flat, revision: int) -> None:
        start_ms = told.bar["bucket_start"]
        prices = Window(*(flat.close,) * 4, start_ms, start_ms, -1, -1, 0)
        expected = self._expected(series, start_ms, prices) | {
            "tick_count": 0,
            "first_event_time": start_ms,
            "last_event_time": start_ms,
            "first_offset": -1,
            "last_offset": -1,
            "origin": "filled",
            "revision": revision,
        }
        cause = self._cause(series, start_ms + self._length_ms)
        if self._rules.horizon_ns is None or told.bar["cause"] not in ("quiet", "feed_down"):
            expected["cause"] = cause  # else ticks that came late may have been late for it, too
        self._judge(told, series, expected)

    def _cause(self, series: Series, end_ms: int) -> str:
        """As everything tells it that closed by then: how long had the broker been silent?"""
        timeout_ms = self._rules.feed_timeout_ns / NS_PER_MS
        if self._rules.watermark is Watermark.SERIES:
            return "quiet"
        ends, newest = self._newest[id(series.clock)]
        silent_ms = end_ms - newest[bisect_right(ends, end_ms) - 1]
        return "feed_down" if silent_ms > timeout_ms else "quiet"

    def _note_events(self, every: Iterable[Series]) -> None:
        base_ms = self._rules.lengths_ms[0]
        events: dict[int, dict[int, int]] = defaultdict(dict)
        for series in every:
            by_end = events[id(series.clock)]
            for start_ms, window in series.rungs[0].items():
                end_ms = start_ms + base_ms
                by_end[end_ms] = max(window.last_ms, by_end.get(end_ms, window.last_ms))
        for clock, by_end in events.items():
            ends = sorted(by_end)
            self._newest[clock] = ends, list(accumulate((by_end[end] for end in ends), max))

    def _expected(self, series: Series, start_ms: int, prices: Window) -> dict[str, object]:
        scale = self._rules.price_scale
        values = (prices.open, prices.high, prices.low, prices.close)
        is_day = self._rung > 0 and self._length_ms == _DAY_MS
        return {
            "broker": series.broker,
            "symbol": series.symbol,
            "period": self._name,
            "bucket_end": start_ms + self._length_ms,
            **{
                name: exact_price(price, scale)
                for name, price in zip(("open", "high", "low", "close"), values, strict=True)
            },
            "trading_date": start_ms // _DAY_MS if is_day else None,
            **_NONE,
            **({"partial": False} if self._rules.whole else {}),
        }

    def _judge(self, told: _Told, series: Series, expected: dict[str, object]) -> None:
        where = series.key(told.bar["bucket_start"])
        wrong = list(self._reader.mismatches(told.record, told.bar, where, expected))
        self._report.bars_exact += not wrong
        self._tell(where, wrong)

    def _tell(self, where: str, wrong: list[Mismatch]) -> None:
        for number, mismatch in enumerate(wrong):
            difference = Difference(Kind.DIFFERENT, self._where(where), *mismatch)
            self._report.explain(difference) if number else self._report.add(difference)

    def _add(self, kind: Kind, where: str, field: str, expected: str, got: str) -> None:
        self._report.add(Difference(kind, self._where(where), field, expected, got))

    def _where(self, key: str) -> str:
        return key if len(self._rules.periods) == 1 else f"{self._name} {key}"

    # -- what is left ----------------------------------------------------------------------

    def finish(self, every: Collection[Series]) -> None:
        """Compare the newest revisions, and look for what is missing. All finals of all periods
        must have been added: they tell how far each clock has come."""
        fills = self._rules.fills(self._rung)
        if fills:
            self._note_events(every)
        for series in every:
            self._with_ticks(series)
            if fills:
                self._without_ticks(series)

    def _with_ticks(self, series: Series) -> None:
        through_ms = series.clock.through_ms
        revised = self._revised.get(id(series), {})
        for start_ms, window in series.rungs[self._rung].items():
            if self._rung and start_ms + self._length_ms > (through_ms or start_ms):
                self._count.open += 1
                continue
            self._report.bars_expected += 1
            if start_ms in revised:
                newest = self._chain(series, start_ms, revised[start_ms])
                self._compare(newest, series, window, newest.bar["revision"])
            elif not window.bars_read:
                self._missing(series, start_ms, window)

    def _without_ticks(self, series: Series) -> None:
        found, revised = self._flat[id(series)], self._revised.get(id(series), {})
        left = {start for start in (*found, *revised) if start not in series.rungs[self._rung]}
        for start_ms, flat in self._flats(series):
            self._report.bars_expected += 1
            left.discard(start_ms)
            if start_ms in revised:
                newest = self._chain(series, start_ms, revised[start_ms])
                self._compare_flat(newest, series, flat, newest.bar["revision"])
            elif start_ms in found:
                self._compare_flat(found[start_ms], series, flat, 0)
            else:
                what = "a filled bar"
                self._add(Kind.MISSING, series.key(start_ms), "bar", what, "none")
        for start_ms in sorted(left):
            self._extra((revised.get(start_ms) or [found[start_ms]])[-1])

    def _flats(self, series: Series) -> Iterator[tuple[int, Flat]]:
        through_ms = series.clock.through_ms
        if through_ms is None:
            return iter(())
        longest_ms = self._rules.continuous_max_ns // NS_PER_MS
        return flats(series, self._rung, self._rules.lengths_ms, through_ms, longest_ms)

    def _chain(self, series: Series, start_ms: int, revised: list[_Told]) -> _Told:
        """The newest of a key, after a look at how it came about."""
        where = series.key(start_ms)
        first = self._first.get(id(series), {}).get(start_ms)
        before = first
        for revision, told in enumerate(revised, 1):
            if told.bar["revision"] != revision:
                self._tell(where, [Mismatch("revision", str(revision), str(told.bar["revision"]))])
            # a flat bar leaves again with any new real bar before it, though the close be the same
            if before is not None and told.news == before.news and told.bar["tick_count"]:
                self._tell(where, [Mismatch("correction", "something new", "the same bar")])
            if before is not None and told.bar["tick_count"] < before.bar["tick_count"]:
                self._tell(where, [Mismatch("correction", "no tick less", str(told.news))])
            before = told
        if self._rung == 0:
            had = 0 if first is None else first.bar["tick_count"]
            self._report.corrected += revised[-1].bar["tick_count"] - had
        return revised[-1]

    def _missing(self, series: Series, start_ms: int, window: Window) -> None:
        if self._rung == 0:
            self._report.unaccounted += window.count
        offsets = f"offsets {window.first_offset} to {window.last_offset}"
        ticks = f"a bar of {window.count} ticks ({offsets})"
        self._add(Kind.MISSING, series.key(start_ms), "bar", ticks, "none")
