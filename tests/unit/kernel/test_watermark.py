"""When a window closes, and what is late: by event time alone, tick by tick."""

from __future__ import annotations

import pytest

from barengine.model import NEVER, Reason, Touch, Watermark
from tests.unit.kernel.build import NOON_NS, feed, take, tick, tick_plan, tick_value
from tests.unit.kernel.conftest import Make
from tests.unit.kernel.sized import UNIT, sized, trade

SECOND = 10**9
MINUTE = 60 * SECOND
MODES = pytest.mark.parametrize("watermark", list(Watermark))


@MODES
@pytest.mark.parametrize(("nudge", "closes"), [(-1, 0), (0, 1)])
def test_a_window_closes_when_its_end_is_at_the_watermark(
    make: Make, watermark: Watermark, nudge: int, closes: int
) -> None:
    """end <= clock - grace, to the nanosecond."""
    kernel = make(grace_ns=5 * SECOND, watermark=watermark)
    kernel.add_schema(0, tick_plan(unit_ns=1))
    edge = NOON_NS + MINUTE + 5 * SECOND + nudge
    feed(kernel, tick_value("A", "X", NOON_NS, 1.0), tick_value("A", "X", edge, 1.0))
    assert kernel.drain() == closes


@MODES
def test_closing_is_decided_at_each_tick(make: Make, watermark: Watermark) -> None:
    """A tick is late if the tick before it in the same batch closed its bucket."""
    kernel = make(watermark=watermark)
    outcome = feed(kernel, tick(10), tick(60), tick(20))
    assert [(r.offset, r.reason) for r in outcome.rejects] == [(2, Reason.WATERMARK)]
    assert take(kernel)[0].tick_count == 1


def test_one_clock_closes_all_series_of_a_broker(make: Make) -> None:
    """WATERMARK=broker: a tick of Y closes the window of X, but none of another broker."""
    kernel = make()
    feed(kernel, tick(10, symbol="X"), tick(10, broker="B"), tick(70, symbol="Y"))
    assert [(bar.broker, bar.symbol) for bar in take(kernel)] == [("A", "X")]


def test_each_series_has_its_own_clock(make: Make) -> None:
    """WATERMARK=series: a tick of Y an hour later leaves X open."""
    kernel = make(watermark=Watermark.SERIES)
    feed(kernel, tick(10, symbol="X"), tick(3700, symbol="Y"), tick(20, symbol="X"), tick(70))
    bars = take(kernel)
    assert [(bar.symbol, bar.tick_count) for bar in bars] == [("X", 2)]


def test_bars_close_oldest_bucket_first_then_in_order_of_their_first_tick(make: Make) -> None:
    """WATERMARK=broker: the order in which bars leave is fixed."""
    kernel = make(grace_ns=MINUTE)
    feed(kernel, tick(61, symbol="Z"), tick(62, symbol="A"), tick(5, symbol="M"), tick(600))
    assert [bar.symbol for bar in take(kernel)] == ["M", "Z", "A"]


def test_series_close_in_the_order_in_which_they_fell_due(make: Make) -> None:
    """WATERMARK=series: first the series that fell due first, its oldest bar first."""
    kernel = make(watermark=Watermark.SERIES, grace_ns=MINUTE)
    feed(
        kernel, tick(0, symbol="X"), tick(0, symbol="Y"), tick(60, symbol="Y"),
        tick(300, symbol="Y"), tick(300, symbol="X"),
    )  # fmt: skip
    bars = take(kernel)
    assert [(bar.symbol, (bar.bucket_start_ns - NOON_NS) // MINUTE) for bar in bars] == [
        ("Y", 0),
        ("Y", 1),
        ("X", 0),
    ]


def test_lateness_is_the_grace_that_would_have_been_needed(make: Make) -> None:
    """Lateness is measured from the clock; one nanosecond more of grace keeps the tick."""
    outcome = feed(make(), tick(130), tick(50))
    reject = outcome.rejects[0]
    assert (reject.lateness_ns, reject.bucket_start_ns) == (80 * SECOND, NOON_NS)
    assert reject.broker == "A"
    assert not feed(make(grace_ns=80 * SECOND + 1), tick(130), tick(50)).rejects


def test_a_late_tick_moves_no_clock_but_is_an_arrival(make: Make) -> None:
    """Only accepted ticks move the market clock; the arrival's wall time moves with both."""
    kernel = make()
    feed(kernel, tick(130), wall_ns=NOON_NS)
    before = kernel.brokers()[0]
    feed(kernel, tick(50), wall_ns=NOON_NS + MINUTE, base_offset=1)
    assert kernel.brokers()[0] == before._replace(arrival_wall_ns=NOON_NS + MINUTE)


def test_a_tick_from_the_future_moves_nothing(make: Make) -> None:
    """Quarantined ticks leave no trace: no clock, no window, no broker."""
    kernel = make(max_future_ns=MINUTE)
    outcome = feed(kernel, tick(60.001), tick(60), wall_ns=NOON_NS)
    assert [(r.offset, r.reason, r.broker) for r in outcome.rejects] == [(0, Reason.FUTURE, "A")]
    assert [state.clock_ns for state in kernel.brokers()] == [NOON_NS + MINUTE]


def test_without_a_tick_there_is_no_clock(make: Make) -> None:
    """A kernel that saw dead letters alone knows no broker."""
    kernel = make()
    feed(kernel, tick_value("", "X", 0, 1.0), None)
    assert kernel.brokers() == []
    assert kernel.low_water() is None


def test_draining_lifts_closed_through_of_the_broker(make: Make) -> None:
    """WATERMARK=broker: closed_through follows the clock even where no window closes."""
    kernel = make(grace_ns=5 * SECOND)
    feed(kernel, tick(130))
    assert kernel.brokers()[0].closed_through_ns == NEVER
    kernel.drain()
    assert kernel.brokers()[0].closed_through_ns == NOON_NS + 2 * MINUTE


@pytest.mark.parametrize("watermark", list(Watermark))
def test_a_late_tick_tells_what_a_correction_needs(make: Make, watermark: Watermark) -> None:
    """Series, price, size, time, what it may touch, how far closed was; batches do not matter."""
    values = [trade(10, 1), trade(125, 2), trade(20, 3, 4, Touch.VOLUME), trade(200, 1)]
    together, apart = sized(make, watermark=watermark), sized(make, watermark=watermark)
    rejects = feed(together, *values).rejects
    for offset, value in enumerate(values):
        found = feed(apart, value, base_offset=offset).rejects
        apart.drain()
        assert [one for one in rejects if one.offset == offset] == [
            one._replace(time_ms=one.time_ms + offset) for one in found
        ]
    [late] = rejects
    assert late[8:] == (
        *("A", "X", 3 * UNIT, 4 * UNIT),
        *(NOON_NS + 20 * UNIT, Touch.VOLUME, NOON_NS + 120 * UNIT),
    )
    assert (late.bucket_start_ns, late.lateness_ns) == (NOON_NS, 105 * UNIT)
