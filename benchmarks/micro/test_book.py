"""From final base bars to roll-ups, flat bars and corrections."""

from __future__ import annotations

from functools import cache

import pytest

from barengine.codec.compile import compile_plan
from barengine.codec.fields import TICK_SCHEMA, Fields
from barengine.codec.records import encode_record
from barengine.engine.turns import Turns
from barengine.kernel import (
    BlockForm,
    BookConfig,
    KernelConfig,
    Kind,
    RecordBatch,
    Rung,
    around_the_clock,
    book_class,
    kernel_class,
)
from barengine.model import HOUR_NS, Period
from benchmarks.micro.conftest import Meter
from benchmarks.micro.ticks import ALWAYS, NOON_MS, Ticks, one_each, tick_value

SERIES = 100_000
LADDER = "1m,5m,15m,1h,1d"


def booked(ladder: str, flat: str = "", horizon_ns: int | None = None) -> Turns:
    """A kernel without grace and the book above it; ``ladder`` of one period: no book."""
    periods = [Period.parse(one) for one in ladder.split(",")]
    with_book = len(periods) > 1 or bool(flat) or horizon_ns is not None
    kernel = kernel_class()(KernelConfig(periods[0], 0, book=with_book))
    kernel.add_schema(0, compile_plan(TICK_SCHEMA, Fields()))
    rungs = tuple(Rung(one, one.name in flat.split(",")) for one in periods)
    forms = {(at, kind): BlockForm(one.name) for at, one in enumerate(periods) for kind in Kind}
    config = BookConfig(rungs, horizon_ns=horizon_ns, forms=forms)
    return Turns(
        kernel, book_class(kernel_class())(config, around_the_clock) if with_book else None
    )


def feed(turns: Turns, batch: RecordBatch) -> None:
    """All of a batch, with transactions wherever one is full."""
    position, stop = batch.base_offset, batch.base_offset + batch.records
    while position < stop:
        if turns.held:
            turns.take()
        position = turns._kernel.process(batch, position, stop, ALWAYS).next_offset
        turns.drain()


@cache
def first_minute() -> RecordBatch:
    """A tick of each series."""
    return one_each(SERIES)


@cache
def second_minute() -> RecordBatch:
    """One more, a minute later."""
    values = [tick_value("BRK", f"SYM{n:05}", NOON_MS + 60_000, 1.5) for n in range(SERIES)]
    parts = [encode_record(at, 0, None, value) for at, value in enumerate(values)]
    return RecordBatch(b"".join(parts), SERIES, 2 * SERIES, NOON_MS)


def closing(minute: int, offset: int) -> RecordBatch:
    """One tick of a series of its own."""
    value = tick_value("BRK", "CLOCK", NOON_MS + minute * 60_000, 1.0)
    return RecordBatch(encode_record(0, 0, None, value), 1, offset, NOON_MS)


def before_turn(
    ladder: str = LADDER, flat: str = "", horizon_ns: int | None = None
) -> tuple[Turns]:
    """100 000 base bars about to leave, of series that the book knows."""
    turns = booked(ladder, flat, horizon_ns)
    feed(turns, first_minute())
    feed(turns, closing(1, SERIES))
    turns.take()
    feed(turns, second_minute())
    turns._kernel.process(closing(2, 3 * SERIES), 0, 2**62, ALWAYS)
    turns.drain()
    return (turns,)


@pytest.mark.parametrize("ladder", ["1m,5m", LADDER])
def test_turn(meter: Meter, ladder: str) -> None:
    """Merge base bars into open roll-ups, pages taken"""
    meter(lambda turns: turns.take(), lambda: before_turn(ladder), SERIES, "bar", 5)


def test_keep(meter: Meter) -> None:
    """The same with corrections."""
    meter(lambda turns: turns.take(), lambda: before_turn(LADDER, "", HOUR_NS), SERIES, "bar", 5)


def silent() -> tuple[Turns]:
    """100 000 series that had a bar, and a minute without any is about to end."""
    turns = booked("1m", "1m")
    feed(turns, first_minute())
    feed(turns, closing(1, SERIES))
    turns.take()
    turns._kernel.process(closing(2, SERIES + 1), 0, 2**62, ALWAYS)
    return (turns,)


def fill(turns: Turns) -> None:
    """What a commit does first."""
    turns.drain()
    assert sum(leaf.filled for leaf in turns.take().leaves) == SERIES


def test_fill(meter: Meter) -> None:
    """Flat bars of series without a tick."""
    meter(fill, silent, SERIES, "bar", 5)


@pytest.mark.parametrize("ladder", ["1m", "1m,5m", LADDER])
def test_ticks(meter: Meter, ladder: str) -> None:
    """Ticks with roll-ups, a commit every 40 000; periods"""
    count = 1_000_000
    batches = Ticks(count, 1_000, 12 * 60_000).batches()

    def work(turns: Turns) -> None:
        for number, batch in enumerate(batches):
            feed(turns, batch)
            if number % 20 == 0:
                turns.take()

    meter(work, lambda: (booked(ladder),), count, "tick", 5)
