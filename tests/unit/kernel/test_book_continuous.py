"""Continuous bars: a flat bar for every empty bucket of trading time. Seconds after NOON."""

from __future__ import annotations

from barengine.kernel import Hours, Kernel, Kind, book_class
from barengine.model import INT64_MAX, NS_PER_S, Cause, Origin, Watermark
from tests.unit.kernel.build import NOON_NS
from tests.unit.kernel.stage import Stage, book_config, hours, rungs

S = NS_PER_S


def filled(stage: Stage, rung: int = 0, kind: Kind = Kind.FINAL) -> list[tuple[float, float]]:
    """Start and price of the flat bars of a rung."""
    return [
        ((bar.bucket_start_ns - NOON_NS) / S, bar.close / 10**9)
        for at, of_kind, bar in stage.left
        if (at, of_kind) == (rung, kind) and bar.origin is Origin.FILLED
    ]


def causes(stage: Stage) -> list[Cause | None]:
    return [bar.cause for _, _, bar in stage.left if bar.origin is Origin.FILLED]


def stage_of(
    kernel: type[Kernel],
    ladder: str = "1s",
    flat: str = "1s",
    table: Hours | None = None,
    **rest: object,
) -> Stage:
    config = book_config(rungs(ladder, flat), **rest)
    return Stage(kernel, config, calendar=lambda _broker, _time: table)


def test_an_empty_bucket_is_flat_at_the_last_close(kernel: type[Kernel]) -> None:
    """Price of the last close, no ticks, audit fields that say so."""
    # |1 7|   |   |5
    stage = stage_of(kernel)
    for at, price in ((0, 1), (0.5, 7), (3, 5)):
        stage.tick(at, price)
    stage.commit()
    assert filled(stage) == [(1, 7), (2, 7)]
    bar = stage.left[1][2]
    assert (bar.open, bar.high, bar.low, bar.close) == (bar.close,) * 4
    assert (bar.tick_count, bar.volume, bar.revision, bar.cause) == (0, None, 0, Cause.QUIET)
    assert (bar.first_offset, bar.last_offset) == (-1, -1)


def test_a_flat_bar_has_no_volume_where_ticks_have_sizes(kernel: type[Kernel]) -> None:
    """It is 0 then, and not unknown."""
    stage = stage_of(kernel, sized=True)
    stage.tick(0, 1)
    stage.tick(2, 1)
    stage.commit()
    assert (stage.left[1][2].volume, stage.left[1][2].turnover) == (0, 0)


def test_there_is_none_before_the_first_tick(kernel: type[Kernel]) -> None:
    """Y begins where its first tick is, whatever X has done before."""
    stage = stage_of(kernel)
    for at, symbol in ((0, "X"), (3, "Y"), (5, "X")):
        stage.tick(at, 1, symbol)
    stage.commit()
    starts = [(bar.bucket_start_ns - NOON_NS) // S for _, _, bar in stage.left if bar.symbol == "Y"]
    assert starts == [3, 4]


def test_there_is_none_for_longer_than_continuous_max(kernel: type[Kernel]) -> None:
    """The last one ends that long behind the last real bar; a tick begins anew."""
    stage = stage_of(kernel, continuous_max_ns=3 * S)
    for at in (0, 10, 12):
        stage.tick(at, at)
    stage.commit()
    assert filled(stage) == [(1, 0), (2, 0), (3, 0), (11, 10)]


def test_roll_ups_are_filled_by_themselves(kernel: type[Kernel]) -> None:
    """Each rung that is continuous, and no other."""
    stage = stage_of(kernel, "1s,2s,4s", "1s,4s")
    stage.tick(0, 1)
    stage.tick(9, 1)
    stage.commit()
    assert [start for start, _ in filled(stage)] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert filled(stage, 1) == []
    assert filled(stage, 2) == [(4, 1)]


def test_a_closed_night_makes_none(kernel: type[Kernel]) -> None:
    """Neither behind the close, nor before the open, nor in a break."""
    # session |0 .. 5|, break |2 .. 4|, night, session |1000 .. 2000|
    stage = stage_of(kernel, table=hours((0, 5), (1000, 2000), breaks=[(2, 4)]))
    stage.tick(0, 1)
    stage.tick(1001.5, 2)
    stage.commit()
    assert [start for start, _ in filled(stage)] == [1, 4, 1000]


def test_a_night_costs_nothing(kernel: type[Kernel]) -> None:
    """Going over it asks for no limit, though a bar a second would be beyond any."""
    table = hours((0, 5), (10**6, 10**6 + 10))
    book = stage_of(kernel, table=table)
    book.tick(0, 1)
    book.tick(4, 1)
    book.commit()
    through = NOON_NS + 10**6 * S
    assert book.book.due("A", through, 10, 0) >= through


def test_the_cause_is_quiet_halted_or_feed_down(kernel: type[Kernel]) -> None:
    """Halted where the whole bucket is; feed_down where no tick of the broker came for too long."""
    # 0 tick | 1 quiet | 2 3 halted | 4 quiet (Y came) | 5.. feed_down behind 2 s
    stage = stage_of(kernel, table=hours((0, 100), halts=[(2, 4)]), feed_timeout_ns=2 * S)
    stage.tick(0, 1, "X")
    stage.tick(4, 1, "Y")
    stage.tick(8, 1, "X")
    stage.commit()
    of_x = [bar.cause for _, _, bar in stage.left if bar.symbol == "X" and bar.cause]
    assert of_x == [
        *(Cause.QUIET, Cause.HALTED, Cause.HALTED),
        *(Cause.QUIET, Cause.QUIET, Cause.FEED_DOWN, Cause.FEED_DOWN),
    ]


def test_a_series_of_watermark_series_fills_when_it_closes(kernel: type[Kernel]) -> None:
    """Without a market clock nobody knows of silence before its own next tick."""
    config = book_config(rungs("1s", "1s"), by_series=True)
    stage = Stage(kernel, config, watermark=Watermark.SERIES)
    stage.tick(0, 1, "X")
    stage.tick(9, 1, "Y")
    stage.commit()
    assert filled(stage) == []
    stage.tick(3, 1, "X")
    stage.commit()
    assert filled(stage) == [(1, 1), (2, 1)]


def test_silence_fills(kernel: type[Kernel]) -> None:
    """What falls due without a tick waits for nothing: the book says so."""
    config = book_config(rungs("1s", "1s"))
    stage = Stage(kernel, config, idle_s=1)
    stage.tick(0, 1)
    stage.silence(2)
    stage.commit()
    stage.silence(4)
    assert stage.kernel.pending == 0
    assert stage.turns.due
    stage.commit()
    assert [start for start, _ in filled(stage)] == [1, 2, 3]
    assert not stage.kernel.lifted


def test_due_counts_flat_bars(kernel: type[Kernel]) -> None:
    """So far that about the limit leave; a span at least, for others may not come in part."""
    stage = stage_of(kernel)
    for symbol in "XYZ":
        stage.tick(0, 1, symbol)
    stage.tick(1, 1)
    stage.commit()

    def reached(limit: int, more: int = 0) -> float:
        return (stage.book.due("A", NOON_NS + 100 * S, limit, more) - NOON_NS) / S

    assert (reached(1), reached(3), reached(4), reached(6)) == (2, 2, 3, 3)
    assert reached(6, more=3) == 2
    assert reached(10**6) > 100


def test_due_without_continuous_bars_is_never(kernel: type[Kernel]) -> None:
    """Nothing waits for room then."""
    book = book_class(kernel)(book_config(rungs("1s,5s")), lambda _broker, _time: None)
    assert book.due("A", NOON_NS, 1, 0) == INT64_MAX


def test_takeover_finalises_what_fell_due(kernel: type[Kernel]) -> None:
    """A book that loads state and pages goes on where the other one was."""
    first, second = stage_of(kernel), stage_of(kernel)
    for at in (0, 2, 5):
        for stage in (first, second):
            stage.tick(at, at + 1)
    first.commit()
    second.commit()
    second.restart()
    for stage in (first, second):
        stage.tick(8, 1)
        stage.commit()
    assert first.newest() == second.newest()
    assert filled(second)[-2:] == [(6, 6), (7, 6)]
