"""Roll-ups: bars of longer periods, made of base bars alone. Times are seconds after NOON."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from barengine.kernel import Kernel, Kind, kernel_class
from barengine.model import NS_PER_S, Bar, Order, Watermark, merge
from tests.unit.kernel.build import NOON_NS
from tests.unit.kernel.stage import Stage, book_config, hours, rungs

SCALE = 10**9


def told(bar: Bar) -> tuple[float, float, float, float, float, int]:
    """Start, open, high, low, close and ticks."""
    prices = (bar.open, bar.high, bar.low, bar.close)
    start = (bar.bucket_start_ns - NOON_NS) / NS_PER_S
    return (start, *(price / SCALE for price in prices), bar.tick_count)  # type: ignore[return-value]


def of_rung(stage: Stage, rung: int, kind: Kind = Kind.FINAL) -> list[Bar]:
    """What has left of one rung."""
    return [bar for at, of_kind, bar in stage.left if (at, of_kind) == (rung, kind)]


def test_a_rollup_merges_its_base_bars(kernel: type[Kernel]) -> None:
    """Open of the first, close of the last, the highest high, the lowest low, the sum of ticks."""
    # 1s   |1 9|   |5  |   |2|     it closes with the first tick of the next five seconds
    # 5s   |1    9    2    2 |
    stage = Stage(kernel, book_config(rungs("1s,5s")))
    for at, price in ((0.1, 1), (0.9, 9), (2, 5), (4, 3), (4.5, 2)):
        stage.tick(at, price)
    stage.commit()
    assert of_rung(stage, 1) == []
    stage.tick(5, 7)
    stage.commit()
    assert [told(bar) for bar in of_rung(stage, 1)] == [(0, 1, 9, 1, 2, 5)]
    assert [told(bar)[0] for bar in of_rung(stage, 0)] == [0, 2, 4]


def test_it_is_the_same_wherever_commits_fall(kernel: type[Kernel]) -> None:
    """Bars that leave early do not wait for those of their roll-up, nor it for a commit."""
    once, often = (Stage(kernel, book_config(rungs("1s,5s,15s"))) for _ in range(2))
    for at in range(40):
        for stage in (once, often):
            stage.tick(at + 0.5, at % 7, "XY"[at % 2])
        often.commit()
    once.commit()
    assert once.newest() == often.newest()
    assert len(of_rung(once, 2)) == 4


def test_base_bars_leave_before_their_rollups(kernel: type[Kernel]) -> None:
    """A reader of all topics never sees a roll-up whose base bars have not left."""
    stage = Stage(kernel, book_config(rungs("1s,5s,15s")))
    for at in range(16):
        stage.tick(at, 1)
    stage.commit()
    order = [(bar.bucket_end_ns, rung) for rung, _, bar in stage.left]
    assert [rung for end, rung in order if end == max(order)[0]] == [0, 1, 2]


def test_each_series_of_watermark_series_closes_by_itself(kernel: type[Kernel]) -> None:
    """The roll-up of one series does not wait for another, nor close with it."""
    config = book_config(rungs("1s,5s"), by_series=True)
    stage = Stage(kernel, config, watermark=Watermark.SERIES)
    stage.tick(1, 1, "X")
    stage.tick(2, 2, "Y")
    stage.tick(6, 3, "X")
    stage.commit()
    assert [(bar.symbol, told(bar)) for bar in of_rung(stage, 1)] == [("X", (0, 1, 1, 1, 1, 1))]


def test_the_order_decides_about_open_and_close(kernel: type[Kernel]) -> None:
    """ORDER=offset: the first and the last tick by offset, in roll-ups as in base bars."""
    ticks = ((3, 1), (1, 2), (4, 3), (2, 4))
    for order, expected in ((Order.OFFSET, (1, 4)), (Order.EVENT_TIME, (2, 3))):
        stage = Stage(kernel, book_config(rungs("1s,5s"), order=order), grace_s=5)
        for at, price in ticks:
            stage.tick(at, price)
        stage.tick(11, 9)
        stage.commit()
        (bar,) = of_rung(stage, 1)
        assert (bar.open / SCALE, bar.close / SCALE) == expected


# -- sessions ----------------------------------------------------------------------------------

DAY = (-1800.0, 9000.0)
"""A session of three hours that opens half an hour before noon."""


def session_stage(kernel: type[Kernel], ladder: str = "1m,1h,1d", flat: str = "") -> Stage:
    table = hours(DAY, (20_000, 30_000))
    return Stage(kernel, book_config(rungs(ladder, flat)), calendar=lambda _broker, _time: table)


def test_hours_count_from_the_open(kernel: type[Kernel]) -> None:
    """Bars of an hour begin at the open, and the last one ends at the close."""
    # session |-30m ---- +30m ---- +90m ---- +150m|
    stage = session_stage(kernel, "1m,1h")
    for minute in range(-30, 150, 10):
        stage.tick(minute * 60, minute)
    stage.tick(20_000, 1)
    stage.commit()
    bars = [(told(bar)[0] / 60, bar.bucket_end_ns, bar.tick_count) for bar in of_rung(stage, 1)]
    ends = [NOON_NS + minute * 60 * NS_PER_S for minute in (30, 90, 150)]
    assert bars == [(-30, ends[0], 6), (30, ends[1], 6), (90, ends[2], 6)]


def test_the_last_hour_is_short(kernel: type[Kernel]) -> None:
    """Of a session of 2.5 hours the third bar has half an hour."""
    table = hours((0, 9000), (20_000, 30_000))
    stage = Stage(kernel, book_config(rungs("1m,1h")), calendar=lambda *_: table)
    stage.tick(8000, 1)
    stage.tick(20_000, 1)
    stage.commit()
    (bar,) = of_rung(stage, 1)
    assert (bar.bucket_start_ns, bar.bucket_end_ns) == (
        NOON_NS + 7200 * NS_PER_S,
        NOON_NS + 9000 * NS_PER_S,
    )


def test_a_day_is_a_session_and_carries_its_date(kernel: type[Kernel]) -> None:
    """From open to close, with the trading date of the table; base bars have none."""
    stage = session_stage(kernel)
    for at in (-1800, 0, 8990, 20_000):
        stage.tick(at, 1)
    stage.commit()
    (day,) = of_rung(stage, 2)
    assert (day.trading_date, day.tick_count) == (20_000, 3)
    assert (day.bucket_start_ns, day.bucket_end_ns) == tuple(
        NOON_NS + int(at) * NS_PER_S for at in DAY
    )
    assert {bar.trading_date for bar in of_rung(stage, 0)} == {None}
    assert {bar.trading_date for bar in of_rung(stage, 1)} == {20_000}


def test_a_day_without_a_market_is_one_of_utc(kernel: type[Kernel]) -> None:
    """From midnight to midnight, dated by it."""
    stage = Stage(kernel, book_config(rungs("1h,1d")))
    stage.tick(0, 1)
    stage.tick(2 * 86_400, 1)
    stage.commit()
    (day,) = of_rung(stage, 1)
    length = 86_400 * NS_PER_S
    assert day.bucket_start_ns == NOON_NS // length * length
    assert day.trading_date == NOON_NS // length


def test_ticks_outside_sessions_are_in_base_bars_only(kernel: type[Kernel]) -> None:
    """No hour and no day holds them."""
    stage = session_stage(kernel)
    for at in (0, 10_000, 11_000, 20_000):
        stage.tick(at, 1)
    stage.commit()
    assert len(of_rung(stage, 0)) == 3
    assert [bar.tick_count for bar in of_rung(stage, 1)] == [1]
    assert [bar.tick_count for bar in of_rung(stage, 2)] == [1]


TICKS = st.lists(
    st.tuples(st.integers(-1800, 8999), st.integers(1, 1000)), min_size=1, max_size=40
).map(sorted)


@given(ticks=TICKS, name=st.sampled_from(["pure", "compiled"]))
def test_the_minutes_of_a_session_add_up_to_its_day(
    ticks: list[tuple[int, int]], name: str
) -> None:
    """Merged in any way they are its day bar, and so are its hours."""
    stage = session_stage(kernel_class(name))
    for at, price in ticks:
        stage.tick(at, price / 8)
    stage.tick(25_000, 1)
    stage.commit()
    (day,) = of_rung(stage, 2)
    for rung in (0, 1):
        bars = [bar for bar in of_rung(stage, rung) if bar.bucket_start_ns < day.bucket_end_ns]
        total = bars[0]
        for bar in bars[1:]:
            total = merge(total, bar)
        assert told(total)[1:] == told(day)[1:]
        assert (total.first_event_ns, total.last_event_ns) == (
            day.first_event_ns,
            day.last_event_ns,
        )
        assert (total.first_offset, total.last_offset) == (day.first_offset, day.last_offset)
