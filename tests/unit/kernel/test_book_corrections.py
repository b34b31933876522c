"""Late ticks correct bars that have left. Times are seconds after NOON."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barengine.kernel import BookConfig, Calendar, Kernel, Kind, kernel_class
from barengine.model import MAX_SIZE, MAX_SUM, NS_PER_S, Order, Origin, Reason, Watermark
from barengine.naming import split
from tests.unit.kernel.build import NOON_NS
from tests.unit.kernel.stage import Stage, book_config, hours, rungs

S = NS_PER_S
LONG = 10**6 * S


class C(NamedTuple):
    """A correction: its rung, start, open, close, ticks, revision."""

    rung: int
    start: float
    open: float
    close: float
    ticks: int
    revision: int


def corrections(stage: Stage) -> list[C]:
    return [
        C(
            rung,
            (bar.bucket_start_ns - NOON_NS) / S,
            bar.open / 10**9,
            bar.close / 10**9,
            bar.tick_count,
            bar.revision,
        )
        for rung, kind, bar in stage.left
        if kind is Kind.CORRECTION
    ]


def stage_of(
    kernel: type[Kernel], ladder: str = "1s,5s", flat: str = "", horizon_s: int = 10**6
) -> Stage:
    return Stage(kernel, book_config(rungs(ladder, flat), horizon_ns=horizon_s * S))


def play(stage: Stage, *ticks: tuple[float, float]) -> Stage:
    for at, price in ticks:
        stage.tick(at, price)
    stage.commit()
    return stage


def test_every_bar_that_holds_it_leaves_again(kernel: type[Kernel]) -> None:
    """The base bar and each roll-up, in one turn, in full, under revision 1."""
    # 1s |1|2|...|.|3|     the tick at 1.5 comes when all of 0..5 has left
    stage = play(stage_of(kernel), (0, 1), (1, 2), (6, 3))
    play(stage, (1.5, 9))
    assert corrections(stage) == [C(0, 1, 2, 9, 2, 1), C(1, 0, 1, 9, 3, 1)]


def test_an_open_roll_up_just_takes_it(kernel: type[Kernel]) -> None:
    """Only the base bar has left, so only it is corrected."""
    stage = play(stage_of(kernel), (0, 1), (2, 2), (0.5, 9))
    assert corrections(stage) == [C(0, 0, 1, 9, 2, 1)]
    play(stage, (6, 3))
    (bar,) = [bar for rung, _, bar in stage.left if rung == 1]
    assert (bar.tick_count, bar.high, bar.revision) == (3, 9 * 10**9, 0)


def test_revisions_count_up(kernel: type[Kernel]) -> None:
    """Each late tick is one more, also within one turn and behind a restart."""
    stage = play(stage_of(kernel, "1s"), (0, 1), (6, 3), (0.1, 2), (0.2, 2))
    stage.restart()
    play(stage, (0.3, 2))
    assert [one.revision for one in corrections(stage)] == [1, 2, 3]
    assert [one.ticks for one in corrections(stage)] == [2, 3, 4]


def test_where_there_was_no_bar_it_makes_one(kernel: type[Kernel]) -> None:
    """Of revision 1, on each rung that has closed there."""
    stage = play(stage_of(kernel), (0, 1), (12, 3), (6.5, 9))
    assert corrections(stage) == [C(0, 6, 9, 9, 1, 1), C(1, 5, 9, 9, 1, 1)]


def test_it_replaces_a_flat_bar_and_those_behind(kernel: type[Kernel]) -> None:
    """Up to the next real bar they take its close, as corrections of their own."""
    # |1|f1|f1|f1|5|f5    a tick of 3 late at 1.5:   |1|3|f3|f3|5|f5
    stage = play(stage_of(kernel, "1s", "1s"), (0, 1), (4, 5), (6, 6), (1.5, 3))
    assert corrections(stage) == [C(0, 1, 3, 3, 1, 1), C(0, 2, 3, 3, 0, 1), C(0, 3, 3, 3, 0, 1)]
    play(stage, (2.5, 8))
    assert corrections(stage)[3:] == [C(0, 2, 8, 8, 1, 2), C(0, 3, 8, 8, 0, 2)]


def test_flat_bars_stay_where_the_close_stays(kernel: type[Kernel]) -> None:
    """A late tick that is not the last of its bucket changes nothing behind it."""
    stage = play(stage_of(kernel, "1s", "1s"), (0, 1), (0.9, 5), (3, 5), (0.5, 3))
    assert [one.start for one in corrections(stage)] == [0]


def test_a_late_first_tick_fills_behind_it(kernel: type[Kernel]) -> None:
    """Bars that were not made, for there was no tick before, are made now, of revision 1."""
    stage = stage_of(kernel, "1s", "1s")
    for at, symbol in ((0, "X"), (4, "Y"), (6, "X"), (1.5, "Y")):
        stage.tick(at, 1, symbol)
    stage.commit()
    assert [(one.start, one.ticks, one.revision) for one in corrections(stage)] == [
        *((1, 1, 1), (2, 0, 1), (3, 0, 1))
    ]


def test_beyond_the_horizon_it_is_refused(kernel: type[Kernel]) -> None:
    """Measured from the end of its bucket to what was closed when it came, not to when it
    leaves."""
    stage = stage_of(kernel, horizon_s=5)
    for at, price in ((0, 1), (1, 1), (6, 2), (0.5, 3), (1.5, 4), (60, 1)):
        stage.tick(at, price)
    stage.commit()
    assert [one.event_ns for one in stage.refused] == [NOON_NS + S // 2]
    assert [one.start for one in corrections(stage)] == [1, 0]


def sized_stage(kernel: type[Kernel]) -> Stage:
    return Stage(kernel, book_config(rungs("1s,5s"), horizon_ns=LONG, sized=True))


HUGE = 999_999_999.0


def test_a_late_tick_that_is_too_much_alone_is_a_dead_letter(kernel: type[Kernel]) -> None:
    """As it would have been in time."""
    stage = sized_stage(kernel)
    for at in (0, 6):
        stage.tick(at, 1, size=1)
    stage.tick(0.5, HUGE, size=MAX_SIZE)
    stage.commit()
    assert [(one.offset, one.reason) for one in stage.dead] == [(2, Reason.SIZE_RANGE)]
    assert corrections(stage) == []


@pytest.mark.parametrize("price", [HUGE, -HUGE])
def test_no_correction_lifts_a_base_bar_to_what_it_cannot_hold(
    kernel: type[Kernel], price: float
) -> None:
    """The late tick that would is a dead letter, and leaves no trace."""
    stage = sized_stage(kernel)
    for at in (0, 6, 0.1, 0.2, 0.3, 0.4):
        stage.tick(at, price, size=MAX_SIZE // 3000)
    stage.tick(0.5, price)
    stage.commit()
    assert [(one.offset, one.reason) for one in stage.dead] == [
        (4, Reason.SIZE_RANGE),
        (5, Reason.SIZE_RANGE),
    ]
    assert [one.ticks for one in corrections(stage)] == [2, 3, 4, 2, 3, 4]
    assert all(abs(bar.turnover or 0) < MAX_SUM for rung, _, bar in stage.left if rung == 0)


# -- what a flat bar costs -----------------------------------------------------------------------


def flats(stage: Stage, rung: int) -> list[tuple[float, float]]:
    """Start and price of the flat bars of a rung, the newest of each."""
    return sorted(
        ((bar.bucket_start_ns - NOON_NS) / S, bar.close / 10**9)
        for (of, *_), bar in stage.newest().items()
        if of == rung and bar.origin is Origin.FILLED
    )


def test_roll_ups_are_filled_at_the_close_of_the_last_base_bar(kernel: type[Kernel]) -> None:
    """ORDER=offset gives the roll-up the late price, and the flat bar behind it that of time."""
    # 5s |1 . . 5 .| flat |, then 9 comes late for 1 s: the roll-up's close, and nobody else's
    config = book_config(rungs("1s,5s", "1s,5s"), horizon_ns=LONG, order=Order.OFFSET)
    stage = play(Stage(kernel, config), (0, 1), (3, 5), (11, 6))
    assert flats(stage, 1) == [(5, 5)]
    play(stage, (1, 9))
    (bar,) = [bar for rung, kind, bar in stage.left if (rung, kind) == (1, Kind.CORRECTION)]
    assert bar.close == 9 * 10**9
    assert flats(stage, 1) == [(5, 5)]


def test_flat_roll_ups_reach_further_where_the_last_event_moves_on(kernel: type[Kernel]) -> None:
    """A late tick at the end of a roll-up, without a change of its close."""
    config = book_config(rungs("1s,2s", "1s,2s"), horizon_ns=LONG, continuous_max_ns=4 * S)
    stage = play(Stage(kernel, config), (0, 1), (20, 1))
    assert flats(stage, 1) == [(2, 1)]
    play(stage, (1, 1))
    assert flats(stage, 1) == [(2, 1), (4, 1)]
    assert flats(stage, 0) == [(2, 1), (3, 1), (4, 1), (5, 1)]


def test_a_tick_outside_sessions_is_the_price_of_flat_hours(kernel: type[Kernel]) -> None:
    """Late or in time: the last close is that of the last base bar, wherever it was."""
    calendar = lambda *_: hours((0, 3600), (7200, 14_400))  # noqa: E731
    config = book_config(rungs("1m,1h", "1h"), horizon_ns=LONG)
    late = Stage(kernel, config, calendar=calendar)
    punctual = Stage(kernel, config, calendar=calendar)
    for at, price in ((0, 1), (15_000, 3), (3700, 2)):
        late.tick(at, price)
    for at, price in ((0, 1), (3700, 2), (15_000, 3)):
        punctual.tick(at, price)
    late.commit()
    punctual.commit()
    assert flats(punctual, 1) == [(7200, 2), (10_800, 2)]
    assert flats(late, 1) == flats(punctual, 1)


# -- the state -----------------------------------------------------------------------------------


def kept(stage: Stage) -> list[tuple[str, float]]:
    """Period and start of the bars that are kept in the state."""
    keys = (split(key.decode()) for key in stage.pages if key.startswith(b"kept"))
    return [(key[3], (int(key[4]) - NOON_NS) / S) for key in keys]


def test_what_can_be_corrected_is_kept(kernel: type[Kernel]) -> None:
    """Each bar is a record of its own, until a newer one closes with it beyond the horizon."""
    stage = play(stage_of(kernel, horizon_s=5), (0, 1), (1, 2), (3, 2), (6, 3))
    assert kept(stage) == [("1s", 0), ("1s", 1), ("1s", 3), ("5s", 0)]
    play(stage, (12, 1), (13, 1))
    assert kept(stage) == [("5s", 0), ("1s", 6), ("5s", 5), ("1s", 12)]


def test_without_corrections_nothing_is_kept(kernel: type[Kernel]) -> None:
    """Nor is what an earlier run has kept: its records are tombstoned."""
    stage = play(stage_of(kernel), (0, 1), (1, 1), (7, 1))
    assert len(kept(stage)) == 3
    stage.restart(book_config(rungs("1s,5s")))
    play(stage, (8, 1))
    assert kept(stage) == []


def test_it_is_taken_behind_the_close_that_made_it_late(kernel: type[Kernel]) -> None:
    """All in one turn is the same as each by itself: first the bar leaves, then its correction."""
    ticks = ((0, 1), (6, 2), (0.5, 3), (12, 2), (7, 9), (8, 1))
    once = play(stage_of(kernel, "1s,5s", "1s"), *ticks)
    often = stage_of(kernel, "1s,5s", "1s")
    for one in ticks:
        play(often, one)
    for rung in (0, 1):
        assert [bar for at, _, bar in once.left if at == rung and bar.revision] == [
            bar for at, _, bar in often.left if at == rung and bar.revision
        ]
    assert once.newest() == often.newest()


SESSIONS = hours((-7200, 17), (23, 45), (48, 4000), breaks=[(30, 37)], halts=[(40, 43)])
MOST_LATE = 30


def any_config(rng: Random) -> tuple[BookConfig, Watermark, Calendar]:
    """Whatever may make a difference to corrections."""
    watermark = rng.choice(list(Watermark))
    config = book_config(
        rungs("1s,5s,1h", rng.choice(("", "1s", "1s,5s", "5s,1h", "1s,5s,1h"))),
        by_series=watermark is Watermark.SERIES,
        horizon_ns=LONG,
        continuous_max_ns=25 * S,
        order=rng.choice(list(Order)),
        sized=rng.random() < 0.5,
    )
    table = rng.choice((None, SESSIONS))
    return config, watermark, lambda _broker, _time: table


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["pure", "compiled"]))
def test_a_table_of_the_newest_is_as_if_nothing_were_late(seed: int, name: str) -> None:
    """Finals and corrections, the newest of each key kept: the bars of a grace that is never
    exceeded."""
    rng = Random(seed)
    config, watermark, calendar = any_config(rng)
    late, punctual = (
        Stage(kernel_class(name), config, grace, watermark, calendar=calendar)
        for grace in (0, MOST_LATE)
    )
    now = 0.0
    ticks: list[tuple[float, float, str, str, int | None, int]] = []
    for _ in range(40):
        now += rng.choice((0, 0.2, 1, 4)) * rng.random()
        at = round(max(now - rng.choice((0, 0, 3, 20)) * rng.random(), 0), 3)
        size, touch = rng.choice((None, 0, 3, 10**9)), rng.choice((1, 2, 3, 3))
        ticks.append((at, rng.randrange(1, 50), rng.choice("XY"), "A", size, touch))
    ticks += [(200, 1, symbol, "A", None, 3) for symbol in "XY"]
    for tick in ticks:
        for stage in (late, punctual):
            stage.tick(*tick)
            if rng.random() < 0.3:
                stage.commit()
    late.commit()
    punctual.commit()
    assert table(late) == table(punctual)
    assert all(not bar.revision for _, _, bar in punctual.left)


def table(stage: Stage) -> dict[object, object]:
    """What a reader sees who does not look at revisions, of what has closed in any case."""
    return {
        name: replace(bar, revision=0, cause=None)
        for name, bar in stage.newest().items()
        if bar.bucket_end_ns <= NOON_NS + (200 - MOST_LATE) * S
    }


def test_a_flat_bar_that_is_replaced_is_real(kernel: type[Kernel]) -> None:
    """Its origin is ticks, and it has no cause."""
    stage = play(stage_of(kernel, "1s", "1s"), (0, 1), (3, 1), (1, 2))
    real = next(bar for _, kind, bar in stage.left if kind is Kind.CORRECTION)
    assert (real.origin, real.cause) == (Origin.TICKS, None)


@pytest.mark.parametrize("lost", [0, 1])
def test_a_forgotten_series_begins_anew(kernel: type[Kernel], lost: int) -> None:
    """evict names the records of series without an open bar that were silent for so long."""
    stage = play(stage_of(kernel, "1s"), (0, 1), (100, 1))
    for at in (101, 103):
        stage.tick(at, 1, "Y")
    stage.commit()
    assert stage.book.evict((50 if lost else 500) * S) == []
    for at in (390, 400):
        stage.tick(at, 1, "Y")
    stage.commit()
    start = str(NOON_NS).encode()
    later = str(NOON_NS + 100 * S).encode()
    keys = [b"page|A|X", b"kept|A|X|1s|" + start, b"kept|A|X|1s|" + later] if lost else []
    assert stage.book.evict((50 if lost else 500) * S) == keys
