"""Late ticks correct bars that have left. Times are seconds after NOON."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barengine.kernel import Kernel, Kind, kernel_class
from barengine.model import NS_PER_S, Origin
from barengine.naming import split
from tests.unit.kernel.build import NOON_NS
from tests.unit.kernel.stage import Stage, book_config, rungs

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


@settings(deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from(["pure", "compiled"]),
    st.sampled_from(["", "1s", "1s,5s"]),
)
def test_a_table_of_the_newest_is_as_if_nothing_were_late(seed: int, name: str, flat: str) -> None:
    """Finals and corrections, the newest of each key kept: the bars of the same ticks in order."""
    rng = Random(seed)
    now, ticks = 0.0, {}
    for _ in range(40):
        now += rng.choice((0, 0.2, 1, 4)) * rng.random()
        late = rng.choice((0, 0, 3, 20)) * rng.random()
        # each time once, lest the order of offsets decide
        ticks[round(max(now - late, 0), 3)] = rng.randrange(1, 50)
    stage = stage_of(kernel_class(name), "1s,5s", flat)
    for at, price in ticks.items():
        stage.tick(at, price)
        if rng.random() < 0.3:
            stage.commit()
    stage.tick(200, 1)
    stage.commit()
    punctual = play(stage_of(kernel_class(name), "1s,5s", flat), *sorted(ticks.items()), (200, 1))
    assert table(stage) == table(punctual)
    assert all(not bar.revision for _, _, bar in punctual.left)


def table(stage: Stage) -> dict[object, object]:
    """What a reader sees who does not look at revisions and offsets."""
    return {
        name: (bar.open, bar.high, bar.low, bar.close, bar.tick_count, bar.origin)
        for name, bar in stage.newest().items()
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
