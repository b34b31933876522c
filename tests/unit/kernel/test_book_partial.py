"""Bars that lack ticks say so: the engine began inside them, or the book did."""

from __future__ import annotations

from barengine.kernel import BookConfig, Hours, Kernel, Kind
from barengine.model import NS_PER_S, Bar
from tests.unit.kernel.build import NOON_NS
from tests.unit.kernel.stage import Stage, book_config, hours, rungs

S = NS_PER_S


def partial(stage: Stage, rung: int) -> list[tuple[float, bool]]:
    """Start and flag of the bars of a rung that were never corrected."""
    return [
        ((bar.bucket_start_ns - NOON_NS) / S, bar.partial)
        for at, kind, bar in stage.left
        if (at, kind) == (rung, Kind.FINAL)
    ]


def run(stage: Stage, *times: float) -> Stage:
    for at in times:
        stage.tick(at, at)
    stage.commit()
    return stage


def test_the_bar_in_which_the_engine_began(kernel: type[Kernel]) -> None:
    """On every rung the bucket that holds the first tick, and no later one."""
    stage = Stage(kernel, book_config(rungs("1s,5s")), whole=False)
    run(stage, 1.5, 2.5, 4, 6, 11)
    assert partial(stage, 0) == [(1, True), (2, False), (4, False), (6, False)]
    assert partial(stage, 1) == [(0, True), (5, False)]


def test_a_log_that_was_read_whole_has_none(kernel: type[Kernel]) -> None:
    """There was nothing before the first record."""
    stage = run(Stage(kernel, book_config(rungs("1s,5s"))), 1.5, 11)
    assert partial(stage, 1) == [(0, False)]


def test_a_rung_that_came_later_is_partial_where_it_began(kernel: type[Kernel]) -> None:
    """ROLLUPS got a period more: its first bucket lacks base bars that had left before."""
    stage = run(Stage(kernel, book_config(rungs("1s"))), 1, 2, 3)
    stage.restart(book_config(rungs("1s,5s")))
    run(stage, 4, 6, 11)
    assert partial(stage, 1) == [(0, True), (5, False)]


def test_a_rung_that_was_away_forgets_its_open_bar(kernel: type[Kernel]) -> None:
    """What it had missed meanwhile is in no page: the stale bar never leaves."""
    both = book_config(rungs("1s,1m"))
    stage = run(Stage(kernel, both), 1, 2)
    stage.restart(book_config(rungs("1s")))
    run(stage, 5, 6)
    stage.restart(both)
    run(stage, 8, 61)
    (bar,) = [bar for rung, _, bar in stage.left if rung == 1]
    assert (bar.partial, bar.open) == (True, 6 * S)


def longer(seconds: int) -> BookConfig:
    return book_config(rungs("1s"), horizon_ns=seconds * S)


def test_a_longer_horizon_begins_when_it_was_set(kernel: type[Kernel]) -> None:
    """Bars that ended before were dropped by the shorter one: late ticks of them are refused."""
    stage = run(Stage(kernel, longer(1)), 0, 1, 2, 3)
    stage.restart(longer(100))
    run(stage, 10, 1.5, 8.5)
    assert [one.event_ns for one in stage.refused] == [NOON_NS + 3 * S // 2]
    assert [bar.bucket_start_ns for _, kind, bar in stage.left if kind is Kind.CORRECTION] == [
        NOON_NS + 8 * S
    ]


def test_a_shorter_horizon_keeps_what_it_needs(kernel: type[Kernel]) -> None:
    """Nothing was missed then."""
    stage = run(Stage(kernel, longer(100)), 0, 1, 2, 3)
    stage.restart(longer(5))
    run(stage, 2.5)
    assert stage.refused == []
    assert [bar.revision for _, kind, bar in stage.left if kind is Kind.CORRECTION] == [1]


def sessions(kernel: type[Kernel]) -> tuple[Stage, list[Hours]]:
    """A stage whose calendar can be changed."""
    tables: list[Hours] = [hours((0, 7200), (20_000, 30_000))]
    config = book_config(rungs("1m,1d"))
    return Stage(kernel, config, calendar=lambda *_: tables[0]), tables


def day_of(stage: Stage) -> Bar:
    (bar,) = [bar for rung, _, bar in stage.left if rung == 1]
    return bar


def test_an_open_bar_ends_when_the_new_hours_say(kernel: type[Kernel]) -> None:
    """The close was moved while the session went on; what began at the open is whole."""
    stage, tables = sessions(kernel)
    run(stage, 0, 600)
    tables[0] = hours((0, 3600), (20_000, 30_000))
    stage.book.reschedule()
    run(stage, 3500, 3700)
    assert day_of(stage).bucket_end_ns == NOON_NS + 3600 * S
    assert (day_of(stage).partial, day_of(stage).tick_count) == (False, 3)


def test_an_open_bar_whose_open_was_moved_is_whole(kernel: type[Kernel]) -> None:
    """It keeps its start, so it lacks nothing of what it says: SKIP_PARTIAL does not take it."""
    stage, tables = sessions(kernel)
    run(stage, 60, 600)
    tables[0] = hours((-600, 7200), (20_000, 30_000))
    stage.book.reschedule()
    run(stage, 20_000)
    assert (day_of(stage).bucket_start_ns, day_of(stage).partial) == (NOON_NS, False)


def test_what_has_closed_is_not_cut_anew(kernel: type[Kernel]) -> None:
    """A schedule that is corrected afterwards leaves closed days as they were."""
    stage, tables = sessions(kernel)
    run(stage, 60, 20_000)
    before = day_of(stage)
    tables[0] = hours((0, 3600), (20_000, 30_000))
    stage.book.reschedule()
    run(stage, 20_100)
    assert day_of(stage) == before
