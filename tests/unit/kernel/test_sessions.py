"""Ticks outside the hours of their market: rejected, no arrivals, without a trace on any clock."""

from __future__ import annotations

import pytest

from barengine.kernel import Kernel
from barengine.model import INT64_MAX, INT64_MIN, NEVER, Reason
from tests.unit.kernel.build import NOON_NS, batch, feed, take, tick
from tests.unit.kernel.conftest import Make

SECOND = 10**9
EVERYTHING = 2**61


class Market:
    """Open in [0, 60), closed in [60, 120), open from then on; seconds after NOON. Broker C never
    closes."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.closed = (60, 120)

    def __call__(self, broker: str, time_ns: int) -> tuple[int, int, bool]:
        self.asked.append((broker, (time_ns - NOON_NS) // SECOND))
        begin, end = (NOON_NS + seconds * SECOND for seconds in self.closed)
        if broker == "C":
            return INT64_MIN, INT64_MAX, True
        if time_ns < begin:
            return INT64_MIN, begin, True
        return (begin, end, False) if time_ns < end else (end, INT64_MAX, True)


def reasons(kernel: Kernel, *values: bytes, base_offset: int = 0) -> list[Reason]:
    """Why which of the ticks went into no window."""
    return [one.reason for one in feed(kernel, *values, base_offset=base_offset).rejects]


@pytest.mark.parametrize("reason", [Reason.OUT_OF_SESSION, Reason.OUT_OF_SESSION_LATE])
def test_a_tick_outside_is_rejected(make: Make, reason: Reason) -> None:
    """From the close on, up to the open; others go into windows as ever."""
    kernel = make(trading=Market(), out_of_session=reason)
    out = feed(kernel, *(tick(at) for at in (0, 59.999, 60, 119.999, 120)))
    assert [(one.offset, one.reason) for one in out.rejects] == [(2, reason), (3, reason)]
    assert (out.records, out.accepted) == (5, 3)
    assert [reason.label, reason.revocable] == ["out_of_session", True]


def test_without_hours_every_tick_is_taken(make: Make) -> None:
    """OUT_OF_SESSION=include: the kernel has no hours, and takes what comes."""
    assert feed(make(), *(tick(at) for at in (0, 60, 120))).accepted == 3


def test_a_late_one_tells_what_a_late_tick_tells(make: Make) -> None:
    """Bucket, names and price; but it was not too late, so lateness is 0 and no close decided."""
    kernel = make(trading=Market(), out_of_session=Reason.OUT_OF_SESSION_LATE)
    [one] = feed(kernel, tick(61, 2.5)).rejects
    assert (one.broker, one.symbol, one.price) == ("A", "X", 2_500_000_000)
    assert (one.bucket_start_ns, one.event_ns) == (NOON_NS + 60 * SECOND, NOON_NS + 61 * SECOND)
    assert (one.lateness_ns, one.closed_ns) == (0, NEVER)


def test_a_dead_one_is_the_record_alone(make: Make) -> None:
    """It names no bucket and no series: a dead letter has none."""
    kernel = make(trading=Market())
    [one] = kernel.process(batch([(b"key", tick(61))]), 0, 1, EVERYTHING).rejects
    assert (one.key, one.value, one.broker, one.bucket_start_ns) == (b"key", tick(61), "", 0)


def test_it_moves_no_clock(make: Make) -> None:
    """A tick behind the close of a window closes it, unless it is outside."""
    kernel = make(trading=Market())
    feed(kernel, tick(10), tick(119))
    assert take(kernel) == []
    assert kernel.brokers()[0].clock_ns == NOON_NS + 10 * SECOND
    feed(kernel, tick(120), base_offset=2)
    assert len(take(kernel)) == 1


def test_it_is_no_arrival(make: Make) -> None:
    """Silence goes on behind it: with 7 s before it and 7 s after it, 10 s are over."""
    kernel = make(trading=Market(), idle_timeout_ns=10 * SECOND, grace_ns=0)
    feed(kernel, tick(50))
    kernel.advance(7 * SECOND)
    feed(kernel, tick(70), base_offset=1, wall_ns=NOON_NS + 100 * SECOND)
    assert kernel.brokers()[0].arrival_wall_ns == 2**61
    kernel.advance(14 * SECOND)
    assert len(take(kernel)) == 1


def test_what_is_outside_is_not_asked_whether_it_is_late(make: Make) -> None:
    """Its hours decide before its bucket does; a quarantined one is quarantined all the same."""
    kernel = make(trading=Market(), max_future_ns=0)
    feed(kernel, tick(300))
    assert reasons(kernel, tick(61), base_offset=1) == [Reason.OUT_OF_SESSION]
    assert reasons(kernel, tick(10), base_offset=2) == [Reason.WATERMARK]
    out = kernel.process(batch([tick(61)], 3), 0, EVERYTHING, NOON_NS)
    assert [one.reason for one in out.rejects] == [Reason.FUTURE]


def test_replay_does_not_ask(make: Make) -> None:
    """Who was outside is in ``skip``: other hours change nothing about [L, C)."""
    market = Market()
    kernel = make(trading=market)
    content = batch([tick(at) for at in (50, 61, 62, 119)])
    out = kernel.process(content, 0, EVERYTHING, 0, replay=True, skip=(1, 3))
    assert (out.accepted, out.rejects, market.asked) == (2, [], [])


def test_the_market_is_asked_once_for_each_stretch(make: Make) -> None:
    """An answer holds for the time that it names, for its broker alone."""
    market = Market()
    kernel = make(trading=market)
    times = ((1, "A"), (2, "A"), (61, "A"), (62, "A"), (61, "C"), (62, "C"), (130, "A"))
    feed(kernel, *(tick(at, broker=broker) for at, broker in times))
    assert market.asked == [("A", 1), ("A", 61), ("C", 61), ("A", 130)]


def test_other_hours_hold_when_it_is_told(make: Make) -> None:
    """Not before ``reschedule``, which asks again for every broker."""
    market = Market()
    kernel = make(trading=market)
    assert reasons(kernel, tick(61)) == [Reason.OUT_OF_SESSION]
    market.closed = (90, 120)
    assert reasons(kernel, tick(62), base_offset=1) == [Reason.OUT_OF_SESSION]
    kernel.reschedule()
    assert reasons(kernel, tick(63), tick(90), base_offset=2) == [Reason.OUT_OF_SESSION]


def test_what_the_market_raises_comes_out(make: Make) -> None:
    """Half of a batch is taken then, so the kernel is thrown away as after a damaged batch; the
    error is the market's own."""

    def broken(broker: str, time_ns: int) -> tuple[int, int, bool]:
        if time_ns > NOON_NS + SECOND:
            raise LookupError(f"no hours of {broker}")
        return time_ns, time_ns + 1, True

    with pytest.raises(LookupError, match="no hours of A"):
        feed(make(trading=broken), tick(0), tick(2), tick(3))
