"""Bars against two that know nothing of the book: all ticks looked through for each bucket, and
pandas.

Whatever was late, and wherever commits fell: the newest of each key is what the ticks say.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barengine.kernel import Hours, Kernel, Rung, around_the_clock, kernel_class
from barengine.model import DAY_NS, NS_PER_S, Order
from tests.unit.kernel.build import NOON_NS
from tests.unit.kernel.stage import Name, Stage, book_config, hours, rungs

MOST_NS: Final = 25 * NS_PER_S
TABLE: Final = hours((-7197, 17), (23, 60), (65, 4000), breaks=[(30, 37)], halts=[(40, 50)])


class Tick(NamedTuple):
    at: float
    offset: int
    price: float
    symbol: str
    broker: str
    size: int | None = None
    touch: int = 3

    @property
    def ns(self) -> int:
        return NOON_NS + round(self.at * 1000) * 10**6


Told = tuple[object, ...]
"""Origin, prices, ticks, bucket end, volume and turnover."""


class Reference:
    """Bars of some ticks, of the slowest making."""

    def __init__(
        self, ladder: tuple[Rung, ...], table: Hours | None, order: Order, *, sized: bool
    ) -> None:
        self.ladder, self.table, self.order, self.sized = ladder, table, order, sized
        self.base = ladder[0].period

    def bars(self, ticks: list[Tick], closed: dict[str, int]) -> dict[Name, Told]:
        """Everything that ends by what is closed of each broker."""
        out: dict[Name, Told] = {}
        for broker, symbol in {(tick.broker, tick.symbol) for tick in ticks}:
            own = [
                tick
                for tick in ticks
                if (tick.broker, tick.symbol) == (broker, symbol)
                and self.base.floor(tick.ns) + self.base.length_ns <= closed[broker]
            ]
            for rung in range(len(self.ladder)):
                for start, bar in self._rung(rung, own, closed[broker]):
                    out[rung, broker, symbol, start] = bar
        return out

    def _rung(self, rung: int, ticks: list[Tick], closed: int) -> Iterator[tuple[int, Told]]:
        groups: dict[tuple[int, int], list[Tick]] = {}
        for tick in ticks:
            span = self._span(rung, self.base.floor(tick.ns))
            if span and span[1] <= closed:
                groups.setdefault(span, []).append(tick)
        for (start, end), group in groups.items():
            prices = [tick.price for tick in self._priced(group)]
            low, high = min(prices), max(prices)
            sizes = [(tick.size, tick.price) for tick in group if tick.touch & 2]
            known = [(size, round(size * price)) for size, price in sizes if size is not None]
            sums = [sum(column) for column in zip(*known, strict=True)] or [None, None]
            told = ("ticks", prices[0], high, low, prices[-1], len(group), end, *sums)
            yield start, told
        if self.ladder[rung].continuous and ticks:
            yield from self._flat(rung, ticks, closed, {start for start, _ in groups})

    def _priced(self, ticks: list[Tick]) -> list[Tick]:
        """Those that make its prices, in the order that counts."""
        chosen = [tick for tick in ticks if tick.touch & 1] or ticks
        return sorted(chosen, key=self._key)

    def _key(self, tick: Tick) -> tuple[float, int]:
        return (tick.at if self.order is Order.EVENT_TIME else 0, tick.offset)

    def _flat(
        self, rung: int, ticks: list[Tick], closed: int, real: set[int]
    ) -> Iterator[tuple[int, Told]]:
        time = self.base.floor(min(tick.ns for tick in ticks))
        while time < closed:
            span = self._span(rung, time)
            time = span[1] if span else time + self.base.length_ns
            if span is None or span[1] > closed or span[0] in real or not self._trades(*span):
                continue
            before = [tick for tick in ticks if self.base.floor(tick.ns) < span[0]]
            if before:
                last = max(self.base.floor(tick.ns) for tick in before)
                end = last + self.base.length_ns
                if span[1] - end <= MOST_NS:
                    newest = [tick for tick in before if self.base.floor(tick.ns) == last]
                    price = self._priced(newest)[-1].price
                    sums = (0, 0) if self.sized else (None, None)
                    yield span[0], ("filled", *[price] * 4, 0, span[1], *sums)

    def _span(self, rung: int, time: int) -> tuple[int, int] | None:
        period = self.ladder[rung].period
        if self.table is None or not rung or not self.ladder[rung].by_session:
            return period.floor(time), period.floor(time) + period.length_ns
        for opens, closes in zip(self.table.opens, self.table.closes, strict=True):
            if opens <= time < closes and period.length_ns == DAY_NS:
                return opens, closes
            if opens <= time < closes:
                start = opens + (time - opens) // period.length_ns * period.length_ns
                return start, min(start + period.length_ns, closes)
        return None

    def _trades(self, start: int, end: int) -> bool:
        """Whether any second of it is trading time."""
        if self.table is None:
            return True
        table, seconds = self.table, range(start, end, NS_PER_S)
        return any(
            any(o <= at < c for o, c in zip(table.opens, table.closes, strict=True))
            and not any(
                b <= at < e for b, e in zip(table.break_starts, table.break_ends, strict=True)
            )
            for at in seconds
        )


def random_ticks(rng: Random) -> list[Tick]:
    now, ticks = 0.0, []
    for offset in range(rng.randrange(5, 50)):
        now += rng.choice((0.1, 0.3, 1, 2, 9, 31)) * rng.random()
        late = rng.choice((0, 0, 0, 0.5, 3, 8, 20)) * rng.random()
        at = round(max(-5, now - late), 3)
        size, touch = rng.choice((None, 0, 1, rng.randrange(10**12))), rng.choice((1, 2, 3, 3))
        names = rng.choice("XY"), rng.choice("AB")
        ticks.append(Tick(at, offset, rng.randrange(1, 50), *names, size, touch))
    return ticks


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["pure", "compiled"]))
def test_the_newest_of_each_key_is_what_the_ticks_say(seed: int, name: str) -> None:
    """Roll-ups, sessions, flat bars and corrections together, against all ticks at once."""
    rng = Random(seed)
    order, sized = rng.choice(list(Order)), rng.random() < 0.5
    flat = rng.choice(("", "1s", "5s,1h", "1s,5s,15s,1h"))
    ladder, table = rungs("1s,5s,15s,1h", flat), rng.choice((None, TABLE))
    config = book_config(
        ladder,
        horizon_ns=10**6 * NS_PER_S,
        continuous_max_ns=MOST_NS,
        order=order,
        sized=sized,
    )
    calendar = around_the_clock if table is None else lambda _broker, _time: table
    stage = Stage(kernel_class(name), config, grace_s=rng.choice((0, 1, 2.5)), calendar=calendar)
    ticks = random_ticks(rng)
    if not sized:
        ticks = [tick._replace(size=None, touch=3) for tick in ticks]
    for tick in ticks:
        stage.tick(tick.at, tick.price, tick.symbol, tick.broker, tick.size, tick.touch)
        if rng.random() < 0.2:
            stage.commit()
    stage.commit()
    closed = {state.broker: state.closed_through_ns for state in stage.kernel.brokers()}
    assert told(stage) == Reference(ladder, table, order, sized=sized).bars(ticks, closed)
    assert stage.refused == []


def told(stage: Stage) -> dict[Name, Told]:
    found: dict[Name, Told] = {}
    for name, bar in stage.newest().items():
        prices = (price / 10**9 for price in (bar.open, bar.high, bar.low, bar.close))
        turnover = None if bar.turnover is None else bar.turnover // 10**9
        rest = bar.tick_count, bar.bucket_end_ns, bar.volume, turnover
        found[name] = (bar.origin.value, *prices, *rest)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_plain_periods_are_those_of_pandas(kernel: type[Kernel], seed: int) -> None:
    """resample().ohlc() and count() of a day of ticks, for 1m, 5m, 15m, 1h and 1d."""
    rng = Random(seed)
    stage = Stage(kernel, book_config(rungs("1m,5m,15m,1h,1d")))
    times = sorted({rng.randrange(86_400_000) for _ in range(400)})
    ticks = [(ms / 1000, rng.randrange(1, 10_000) / 8) for ms in times]
    for at, price in ticks:
        stage.tick(at, price)
    stage.tick(3 * 86_400, 1)
    stage.commit()
    index = pd.to_datetime([NOON_NS + round(at * 1000) * 10**6 for at, _ in ticks], unit="ns")
    series = pd.Series([price for _, price in ticks], index=index)
    for at, rung in enumerate(stage.config.rungs):
        groups = series.resample(rung.period.name.replace("m", "min").replace("d", "D"))
        expected = groups.ohlc()[groups.count() > 0]
        starts = expected.index.to_numpy("datetime64[ns]").astype("int64")
        counts = groups.count()[groups.count() > 0]
        rows = zip(starts, expected.to_numpy(), counts, strict=True)
        assert [
            (int(start), *(float(price) for price in prices), int(count))
            for start, prices, count in rows
        ] == [
            (
                bar.bucket_start_ns,
                *(price / 10**9 for price in (bar.open, bar.high, bar.low, bar.close)),
                bar.tick_count,
            )
            for of, _, bar in stage.left
            if of == at
        ]
