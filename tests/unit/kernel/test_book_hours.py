"""Hours that change while bars are open, or afterwards; days that are no days. Seconds after NOON.

Nothing leaves twice under one key but as a correction.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from barengine.kernel import BookConfig, Hours, Kernel, Kind, kernel_class
from barengine.model import DAY_NS, NS_PER_S, Origin
from tests.unit.kernel.build import NOON_NS
from tests.unit.kernel.stage import Stage, book_config, hours, rungs

S = NS_PER_S
LONG = 10**6 * S
HOUR = 3600
NEXT = (90_000, 110_000)
"""Tomorrow's session."""

HALF, WHOLE = hours((0, 3.5 * HOUR), NEXT), hours((0, 6.5 * HOUR), NEXT)
"""A half day, and what it should have been."""


def stage_of(kernel: type[Kernel], first: Hours, flat: str = "", **rest: object) -> Stage:
    config = book_config(rungs("1m,1h,1d", flat), **rest)
    return Stage(kernel, config, calendar=lambda *_: first)


def trade_by(stage: Stage, table: Hours) -> None:
    stage.trade_by(lambda *_: table)


def run(stage: Stage, *times: float) -> Stage:
    for at in times:
        stage.tick(at, 1 + at / 8192)
    stage.commit()
    return stage


Told = tuple[float, float, int, int, bool, Origin]


def told(stage: Stage, rung: int = 2, kind: Kind | None = None) -> list[Told]:
    """Start, end, ticks, revision, partial and origin of the bars of a rung."""
    return [
        (
            (bar.bucket_start_ns - NOON_NS) / S,
            (bar.bucket_end_ns - NOON_NS) / S,
            *(bar.tick_count, bar.revision, bar.partial, bar.origin),
        )
        for of, how, bar in stage.left
        if of == rung and kind in (None, how) and bar.symbol == "X"
    ]


TICKS, FILLED = Origin.TICKS, Origin.FILLED


def test_a_day_that_goes_on_is_corrected(kernel: type[Kernel]) -> None:
    """Closed at 13:00, extended to 16:00: it leaves again then, whole, with the ticks between."""
    stage = run(stage_of(kernel, HALF, horizon_ns=LONG), 0, 12_000, 12_700)
    trade_by(stage, WHOLE)
    run(stage, 13_000, 20_000, 90_000)
    assert told(stage) == [
        (0, 12_600, 2, 0, False, TICKS),
        (0, 23_400, 5, 1, False, TICKS),
    ]
    assert told(stage, kind=Kind.FINAL) == told(stage)[:1]


def test_the_last_hour_of_it_too(kernel: type[Kernel]) -> None:
    """The short hour before the close becomes a whole one; the others are new."""
    stage = run(stage_of(kernel, HALF, horizon_ns=LONG), 0, 12_000, 12_700)
    trade_by(stage, WHOLE)
    run(stage, 13_000, 20_000, 90_000)
    assert sorted(told(stage, 1)) == [
        (0, 3600, 1, 0, False, TICKS),
        (10_800, 12_600, 1, 0, False, TICKS),
        (10_800, 14_400, 3, 1, False, TICKS),
        (18_000, 21_600, 1, 0, False, TICKS),
    ]


def test_without_corrections_the_rest_is_a_bar_of_its_own(kernel: type[Kernel]) -> None:
    """It begins where the day has ended, and says that it is partial."""
    stage = run(stage_of(kernel, HALF), 0, 12_000, 12_700)
    trade_by(stage, WHOLE)
    run(stage, 13_000, 20_000, 90_000)
    assert told(stage) == [
        (0, 12_600, 2, 0, False, TICKS),
        (12_600, 23_400, 3, 0, True, TICKS),
    ]
    assert told(stage, 1)[1:3] == [
        (10_800, 12_600, 1, 0, False, TICKS),
        (12_600, 14_400, 2, 0, True, TICKS),
    ]


def test_no_flat_day_replaces_a_real_one(kernel: type[Kernel]) -> None:
    """Nothing comes any more: the rest of the day is flat, under a key of its own."""
    stage = run(stage_of(kernel, HALF, "1d"), 0)
    stage.tick(12_700, 1, "Y")
    stage.commit()
    trade_by(stage, WHOLE)
    run(stage, 90_000)
    assert told(stage) == [
        (0, 12_600, 1, 0, False, TICKS),
        (12_600, 23_400, 0, 0, True, FILLED),
    ]


def test_nor_does_a_flat_day_leave_twice(kernel: type[Kernel]) -> None:
    """Two days without ticks, the second one extended behind a restart."""
    table = hours((-90_000, -80_000), (0, 3.5 * HOUR), NEXT)
    stage = run(stage_of(kernel, table, "1d"), -90_000)
    stage.tick(12_700, 1, "Y")
    stage.commit()
    stage.calendar = lambda *_: hours((-90_000, -80_000), (0, 6.5 * HOUR), NEXT)
    stage.restart()
    run(stage, 90_000)
    assert told(stage)[1:] == [
        (0, 12_600, 0, 0, False, FILLED),
        (12_600, 23_400, 0, 0, True, FILLED),
    ]


def test_a_restart_under_other_hours_is_the_same(kernel: type[Kernel]) -> None:
    """What was cut is in the state."""
    for horizon in (None, LONG):
        first, second = (
            run(stage_of(kernel, HALF, "1d", horizon_ns=horizon), 0, 12_700) for _ in range(2)
        )
        trade_by(first, WHOLE)
        second.calendar = lambda *_: WHOLE
        second.restart()
        for stage in (first, second):
            run(stage, 13_000, 20_000)
            stage.restart()
            run(stage, 90_000)
        assert first.left == second.left


def test_beyond_the_horizon_the_rest_is_partial(kernel: type[Kernel]) -> None:
    """Base bars between the old close and the change are not kept any more."""
    stage = run(stage_of(kernel, HALF, horizon_ns=600 * S), 0, 12_700, 16_000, 16_100)
    run(stage, 16_200, 17_000)
    trade_by(stage, WHOLE)
    run(stage, 20_000, 90_000)
    assert told(stage, kind=Kind.CORRECTION) == [(0, 23_400, 6, 1, True, TICKS)]


def test_an_extension_that_is_over_already_changes_nothing(kernel: type[Kernel]) -> None:
    """The new close is past when the hours change: the day stays as it left."""
    stage = run(stage_of(kernel, HALF, horizon_ns=LONG), 0, 12_700, 24_000)
    trade_by(stage, WHOLE)
    run(stage, 80_000, 13_000, 90_000)
    assert told(stage) == [(0, 12_600, 1, 0, False, TICKS)]


def test_a_day_that_is_shortened_afterwards_stays(kernel: type[Kernel]) -> None:
    """A late tick goes into the bar as it left, not into one that would be cut so now."""
    stage = run(stage_of(kernel, WHOLE, horizon_ns=LONG), 0, 20_000, 24_000)
    trade_by(stage, HALF)
    run(stage, 13_000, 90_000)
    assert told(stage) == [
        (0, 23_400, 2, 0, False, TICKS),
        (0, 23_400, 3, 1, False, TICKS),
    ]


def test_a_late_tick_makes_no_day_beside_one_whose_open_moved(kernel: type[Kernel]) -> None:
    """The day as it left did not hold its time: it goes into the base bar alone."""
    stage = run(stage_of(kernel, WHOLE, horizon_ns=LONG), 100, 24_000)
    trade_by(stage, hours((-1800, 6.5 * HOUR), NEXT))
    run(stage, -600, 200, 90_000)
    assert told(stage) == [
        (0, 23_400, 1, 0, False, TICKS),
        (0, 23_400, 2, 1, False, TICKS),
    ]


def test_an_open_bar_keeps_its_start(kernel: type[Kernel]) -> None:
    """Whatever becomes of the open: its ticks are all those between its start and its end."""
    for opens in (-1800, 600):
        stage = run(stage_of(kernel, WHOLE), 60, 4000, 4100)
        trade_by(stage, hours((opens, 6 * HOUR), NEXT))
        run(stage, 20_000, 90_000)
        assert told(stage) == [(0, 21_600, 4, 0, False, TICKS)]
        starts = [start for start, *_ in told(stage, 1)]
        assert starts == sorted(set(starts))
        assert not any(partial for *_, partial, _ in told(stage, 1))


def test_an_open_bar_takes_no_tick_of_the_next_session(kernel: type[Kernel]) -> None:
    """Its own was cut off in the past, and another one begins before it would have ended."""
    stage = run(stage_of(kernel, WHOLE), 0, 7000, 7100)
    trade_by(stage, hours((0, 3600), (9000, 20_000), NEXT))
    run(stage, 8000, 9500, 90_000)
    assert told(stage) == [
        (0, 9000, 2, 0, False, TICKS),
        (9000, 20_000, 1, 0, False, TICKS),
    ]


def test_an_extended_day_that_is_cut_again(kernel: type[Kernel]) -> None:
    """It was opened again, and leaves where it would have, with what came meanwhile."""
    stage = run(stage_of(kernel, HALF, horizon_ns=LONG), 0, 12_700)
    trade_by(stage, WHOLE)
    run(stage, 13_000, 14_000)
    trade_by(stage, HALF)
    run(stage, 15_000, 90_000)
    assert told(stage)[1:] == [(0, 23_400, 3, 1, False, TICKS)]


def test_a_late_tick_goes_into_the_day_that_was_opened_again(kernel: type[Kernel]) -> None:
    """One correction, not two."""
    stage = run(stage_of(kernel, HALF, horizon_ns=LONG), 0, 12_700)
    trade_by(stage, WHOLE)
    run(stage, 13_000, 100, 90_000)
    assert told(stage)[1:] == [(0, 23_400, 4, 1, False, TICKS)]


def test_what_was_opened_again_stays_as_it_left_without_corrections(kernel: type[Kernel]) -> None:
    """Nobody reads the topic of corrections then; the rest is a bar of its own."""
    stage = run(stage_of(kernel, HALF, horizon_ns=LONG), 0, 12_700)
    trade_by(stage, WHOLE)
    run(stage, 13_000)
    stage.restart(book_config(rungs("1m,1h,1d")))
    run(stage, 14_000, 90_000)
    assert told(stage) == [
        (0, 12_600, 1, 0, False, TICKS),
        (12_600, 23_400, 2, 0, True, TICKS),
    ]


def test_a_period_that_was_away_makes_no_bar_of_one_late_tick(kernel: type[Kernel]) -> None:
    """The book has not seen what was in its bucket, and has left a whole bar of it before."""
    both = book_config(rungs("1s,5s"), horizon_ns=LONG)
    stage = run(Stage(kernel, both), 0, 1, 2, 6)
    stage.restart(book_config(rungs("1s"), horizon_ns=LONG))
    run(stage, 7, 8)
    stage.restart(both)
    run(stage, 9, 1.5, 12, 6.5, 17, 10.5)
    assert [(start, ticks) for start, _, ticks, *_ in told(stage, 1, Kind.CORRECTION)] == [
        (5, 3),
        (10, 2),
    ]


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["pure", "compiled"]))
def test_whatever_happens_to_the_hours_no_final_leaves_twice(seed: int, name: str) -> None:
    """newest() would tell: a key whose revision does not grow. Open bars are behind closed ones."""
    rng = Random(seed)
    config = random_config(rng)
    stage = Stage(kernel_class(name), config, calendar=random_calendar(rng))
    now = 0.0
    for _ in range(rng.randrange(5, 40)):
        now += rng.choice((10, 300, 2000, 9000)) * rng.random()
        back = rng.choice((0, 0, 0, 900, 9000)) * rng.random()
        stage.tick(round(now - back), 1, rng.choice("XY"))
        if rng.random() < 0.4:
            stage.commit()
        if rng.random() < 0.3:
            stage.commit()
            stage.trade_by(random_calendar(rng))
        elif rng.random() < 0.2:
            stage.commit()
            stage.calendar = random_calendar(rng)
            stage.restart(random_config(rng))
    run(stage, now + 300_000)
    finals = [
        (rung, bar.symbol, bar.bucket_start_ns)
        for rung, kind, bar in stage.left
        if kind is Kind.FINAL
    ]
    assert len(finals) == len(set(finals))
    assert all((kind is Kind.CORRECTION) == (bar.revision > 0) for _, kind, bar in stage.left)
    stage.newest()


def random_config(rng: Random) -> BookConfig:
    return book_config(
        rungs("1m,1h,1d", rng.choice(("", "1h", "1d", "1h,1d"))),
        horizon_ns=rng.choice((None, 600 * S, LONG)),
    )


def random_calendar(rng: Random) -> Callable[[str, int], Hours | None]:
    """Some days of sessions around NOON, now and then none."""
    if rng.random() < 0.1:
        return lambda *_: None
    sessions, at = [], -90_000
    while at < 400_000:
        opens = at + rng.choice((0, 0, 1800, 3600, 7200))
        closes = opens + rng.choice((1800, 7200, 9000, 23_400, 60_000))
        sessions.append((opens, closes))
        at = max(closes, at + rng.choice((30_000, 90_000)))
    table = hours(*sessions)
    return lambda *_: table


# -- days of 23 and 25 hours, weeks that begin on a Sunday ---------------------------------------


def local(zone: str, day: date, hour: int) -> int:
    """ns of a wall clock."""
    at = datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(zone))
    return round(at.timestamp()) * NS_PER_S


def table_of(sessions: list[tuple[int, int, date]]) -> Hours:
    """Hours of all time, from sessions and their dates."""
    return Hours(
        -(2**62) // DAY_NS * DAY_NS,
        2**62 // DAY_NS * DAY_NS + DAY_NS,
        array("q", [opens for opens, _, _ in sessions]),
        array("q", [closes for _, closes, _ in sessions]),
        array("q", [(day - date(1970, 1, 1)).days for _, _, day in sessions]),
    )


def days_of(kernel: type[Kernel], table: Hours, end: int) -> list[tuple[int, int, int, int]]:
    """Start, hours, ticks and date of the day bars of a tick every half hour."""
    stage = Stage(kernel, book_config(rungs("1m,1h,1d")), calendar=lambda *_: table)
    at = table.opens[0]
    while at < end:
        stage.tick((at - NOON_NS) / S, 1)
        at += HOUR * S // 2
    stage.tick((table.opens[-1] + HOUR * S - NOON_NS) / S, 1)
    stage.commit()
    return [
        (
            bar.bucket_start_ns,
            (bar.bucket_end_ns - bar.bucket_start_ns) // (HOUR * S),
            bar.tick_count,
            bar.trading_date or 0,
        )
        for rung, _, bar in stage.left
        if rung == 2
    ]


def test_local_days_have_23_and_25_hours(kernel: type[Kernel]) -> None:
    """From midnight to midnight in Berlin, when clocks go forward and when they go back."""
    for middle, length in ((date(2025, 3, 30), 23), (date(2025, 10, 26), 25)):
        days = [middle + timedelta(days=at) for at in (-1, 0, 1, 2)]
        starts = [local("Europe/Berlin", day, 0) for day in days]
        sessions = list(zip(starts[:-1], starts[1:], days[:-1], strict=True))
        found = days_of(kernel, table_of(sessions), starts[2])
        assert [(hours_, ticks) for _, hours_, ticks, _ in found] == [
            (24, 48),
            (length, 2 * length),
        ]
        assert [at for at, *_ in found] == starts[:2]


def test_a_week_of_fx_has_five_days(kernel: type[Kernel]) -> None:
    """From Sunday 17:00 New York to Friday 17:00, over the change of clocks: each day ends at
    17:00 there, and the first one is Monday's."""
    sunday, zone = date(2025, 3, 2), "America/New_York"
    sessions = []
    for week in range(2):
        for at in range(5):
            day = sunday + timedelta(days=7 * week + at)
            edges = (local(zone, one, 17) for one in (day, day + timedelta(days=1)))
            sessions.append((*edges, day + timedelta(days=1)))
    found = days_of(kernel, table_of(sessions), sessions[-1][0])  # type: ignore[arg-type]
    assert [hours_ for _, hours_, _, _ in found] == [24] * 9
    assert [ticks for _, _, ticks, _ in found] == [48] * 9
    dates = [date(1970, 1, 1) + timedelta(days=number) for *_, number in found]
    assert " ".join(day.strftime("%a") for day in dates) == "Mon Tue Wed Thu Fri Mon Tue Wed Thu"
