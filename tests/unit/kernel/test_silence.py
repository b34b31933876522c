"""Observed silence: what closes though no tick ever comes again."""

from __future__ import annotations

from barengine.kernel import BrokerState, RecordBatch
from barengine.model import NEVER, Reason, Watermark
from tests.unit.kernel.build import NOON_NS, batch, feed, take, tick
from tests.unit.kernel.conftest import Make

SECOND = 10**9
MINUTE = 60 * SECOND


def test_a_silent_broker_is_closed_by_observed_silence(make: Make) -> None:
    """The clock of a silent broker is its last event time plus the silence."""
    kernel = make(idle_timeout_ns=5 * SECOND)
    feed(kernel, tick(50))
    kernel.advance(9 * SECOND)
    assert kernel.drain() == 0
    kernel.advance(10 * SECOND)
    assert kernel.drain() == 1
    state = kernel.brokers()[0]
    assert (state.clock_ns, state.event_clock_ns) == (NOON_NS + MINUTE, NOON_NS + 50 * SECOND)


def test_silence_shorter_than_the_idle_timeout_is_none(make: Make) -> None:
    """Below idle_timeout the clock stands."""
    kernel = make(idle_timeout_ns=20 * SECOND)
    feed(kernel, tick(50))
    kernel.advance(20 * SECOND - 1)
    assert kernel.brokers()[0].clock_ns == NOON_NS + 50 * SECOND


def test_without_an_idle_timeout_silence_closes_nothing(make: Make) -> None:
    """idle_timeout off: only events move clocks."""
    kernel = make(idle_timeout_ns=None)
    feed(kernel, tick(50))
    kernel.advance(10**15)
    assert (kernel.drain(), kernel.brokers()[0].clock_ns) == (0, NOON_NS + 50 * SECOND)


def test_silence_counts_from_the_last_arrival(make: Make) -> None:
    """A tick ends the silence of its broker, and of no other."""
    kernel = make(idle_timeout_ns=5 * SECOND)
    feed(kernel, tick(50), tick(50, broker="B"))
    kernel.advance(8 * SECOND)
    feed(kernel, tick(51), base_offset=2)
    kernel.advance(12 * SECOND)
    assert [bar.broker for bar in take(kernel)] == ["B"]


def test_silence_never_goes_back(make: Make) -> None:
    """A smaller total than before changes nothing."""
    kernel = make(idle_timeout_ns=0)
    feed(kernel, tick(10))
    kernel.advance(30 * SECOND)
    before = kernel.brokers()
    kernel.advance(20 * SECOND)
    assert kernel.brokers() == before


def test_a_bucket_closed_by_silence_makes_ticks_late_by_silence(make: Make) -> None:
    """The reason tells ticks that lost to silence from those that lost to other ticks."""
    kernel = make(idle_timeout_ns=0)
    feed(kernel, tick(50))
    kernel.advance(MINUTE)
    outcome = feed(kernel, tick(55), base_offset=1)
    assert [(r.reason, r.lateness_ns) for r in outcome.rejects] == [(Reason.SILENCE, 55 * SECOND)]


def test_a_silent_series_is_closed_without_touching_its_clock(make: Make) -> None:
    """WATERMARK=series: closed_through is lifted, the series' clock stays."""
    kernel = make(watermark=Watermark.SERIES, idle_timeout_ns=5 * SECOND)
    feed(kernel, tick(50, symbol="X"), tick(30, symbol="Y"))
    kernel.advance(12 * SECOND)
    assert [bar.symbol for bar in take(kernel)] == ["X"]
    states = {state.symbol: state for state in kernel.take_series().states()}
    assert states["X"].closed_through_ns == NOON_NS + MINUTE
    assert states["X"].clock_ns == NOON_NS + 50 * SECOND


def test_a_lift_by_silence_is_told_even_if_nothing_closes(make: Make) -> None:
    """WATERMARK=series: silence is not in the log, so what it closed must be stored."""
    kernel = make(watermark=Watermark.SERIES, idle_timeout_ns=0, grace_ns=10 * SECOND)
    feed(kernel, tick(50))
    kernel.advance(SECOND)
    assert kernel.drain() == 0
    assert [state.closed_through_ns for state in kernel.take_series().states()] == [NOON_NS]
    assert kernel.take_series().states() == []


def test_after_a_takeover_the_time_since_the_last_arrival_is_silence(make: Make) -> None:
    """resume_silence: wall minus the stored wall of the last arrival counts as observed."""
    first = make(idle_timeout_ns=5 * SECOND)
    feed(first, tick(50), wall_ns=NOON_NS)
    second = make(idle_timeout_ns=5 * SECOND)
    second.load(first.brokers(), [])
    second.process(*_replayed(tick(50)), replay=True)
    second.resume_silence(NOON_NS + 10 * SECOND)
    second.advance(0)
    assert [bar.tick_count for bar in take(second)] == [1]


def test_a_clock_that_runs_ahead_of_the_wall_gives_no_negative_silence(make: Make) -> None:
    """resume_silence with a wall clock before the last arrival counts nothing."""
    kernel = make(idle_timeout_ns=0)
    feed(kernel, tick(50), wall_ns=NOON_NS)
    kernel.resume_silence(NOON_NS - MINUTE)
    kernel.advance(0)
    assert kernel.brokers()[0].clock_ns == NOON_NS + 50 * SECOND


def test_advance_closes_what_events_made_due_first(make: Make) -> None:
    """Windows due by events leave before those that silence closes, whoever drains."""
    kernel = make(idle_timeout_ns=0)
    feed(kernel, tick(10, symbol="late"), tick(70, symbol="X"))
    kernel.advance(MINUTE)
    assert kernel.pending == 2
    assert [bar.symbol for bar in take(kernel)] == ["late", "X"]


def test_an_unset_clock_is_not_moved_by_silence(make: Make) -> None:
    """A loaded broker without a clock stays without one."""
    kernel = make(idle_timeout_ns=0)
    kernel.load([_unset("A")], [])
    kernel.advance(MINUTE)
    assert kernel.brokers() == [_unset("A")]


def _unset(name: str) -> BrokerState:
    return BrokerState(name, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER)


def _replayed(*values: bytes) -> tuple[RecordBatch, int, int, int]:
    return batch(values), 0, len(values), 0
