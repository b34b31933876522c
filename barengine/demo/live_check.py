"""Live bars held against the ticks: each a part of its bar, each newer than the one before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from barengine.demo.bar_reader import BarReader, Mismatch
from barengine.demo.expected import Series
from barengine.demo.records import OutputRecord
from barengine.demo.report import Difference, Kind, Report
from barengine.demo.rules import Rules
from barengine.demo.rung import Find
from barengine.demo.tick_reader import exact_price

_ALWAYS: Final = {"final": False, "revision": 0, "origin": "ticks", "cause": None}


class LiveCheck:
    """The live topic of one engine that never restarted."""

    def __init__(self, rules: Rules, report: Report, find: Find) -> None:
        self._scale = rules.price_scale
        self._period = rules.period.name
        self._report = report
        self._find = find
        self._reader = BarReader(rules.price_scale)
        self._newest: dict[int, tuple[int, int]] = {}

    def add(self, records: Iterable[OutputRecord]) -> None:
        """Take the topic, each partition in order."""
        for record in records:
            self._report.live += 1
            where = f"live {(record.key or b'').decode(errors='replace')}"
            wrong = [Difference(Kind.DIFFERENT, where, *one) for one in self._wrong(record)]
            for number, difference in enumerate(wrong):
                report = self._report
                report.explain(difference) if number else report.add(difference)

    def _wrong(self, record: OutputRecord) -> Iterator[Mismatch]:
        try:
            bar = self._reader.decode(record.value)
        except ValueError as error:
            yield Mismatch("value", "a bar", str(error))
            return
        series = self._find(record.partition, bar["broker"], bar["symbol"])
        if series is None or bar["bucket_start"] not in series.rungs[0]:
            yield Mismatch("ticks", "some", "none was sent")
            return
        key = series.key(0).rpartition("|")[0]
        if record.key != key.encode():
            yield Mismatch("record key", key, repr(record.key))
        for name, value in {**_ALWAYS, "period": self._period}.items():
            if bar[name] != value:
                yield Mismatch(name, str(value), str(bar[name]))
        yield from self._part(series, bar)

    def _part(self, series: Series, bar: dict[str, Any]) -> Iterator[Mismatch]:
        window = series.rungs[0][bar["bucket_start"]]
        low, high = (exact_price(one, self._scale) for one in (window.low, window.high))
        if not low <= bar["low"] <= bar["high"] <= high:
            yield Mismatch("range", f"in {low} to {high}", f"{bar['low']} to {bar['high']}")
        if not 0 < bar["tick_count"] <= window.count:
            yield Mismatch("tick_count", f"1 to {window.count}", str(bar["tick_count"]))
        now = bar["bucket_start"], bar["tick_count"]
        before = self._newest.get(id(series))
        if before is not None and now <= before:
            yield Mismatch("bucket and ticks", f"more than {before}", str(now))
        self._newest[id(series)] = now
