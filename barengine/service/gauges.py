"""Gauges that follow the state of the tasks, set whenever /metrics is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from barengine.kafka.source import Source
from barengine.kernel import BrokerState
from barengine.model import NEVER, NS_PER_S
from barengine.service.metrics import Metrics
from barengine.service.task import PartitionTask
from barengine.settings import Settings


class View(NamedTuple):
    """One running partition at one instant."""

    brokers: Sequence[BrokerState]
    """Those that have sent a tick."""
    open_windows: int
    unread: int
    """Records that wait to be read."""
    now_ns: int
    at_end: bool
    """Everything that the log was last seen to hold has been read."""


def update_gauges(
    metrics: Metrics, source: Source, tasks: Iterable[PartitionTask], settings: Settings
) -> None:
    """Set the gauges of every running task, when each broker was heard last, and how late it is."""
    now_ns = time.time_ns()
    heard_ns: dict[str, int] = {}
    delays_ns: dict[str, int] = {}
    for task in tasks:
        if task.running is None:
            continue
        kernel, unread = task.running.engine.kernel, source.lag(task.partition)
        brokers = [b for b in kernel.brokers() if b.clock_ns != NEVER]
        at_end = source.at_end(task.partition)
        view = View(brokers, kernel.open_windows, unread or 0, now_ns, at_end)
        metrics.set_windows(task.partition, view.open_windows)
        _set_lags(metrics, task.partition, view, settings, known=unread is not None)
        for broker in brokers:
            arrival_ns = max(broker.arrival_wall_ns, heard_ns.get(broker.broker, NEVER))
            heard_ns[broker.broker] = arrival_ns
            if at_end:
                delay_ns = max(feed_delay_ns(broker), delays_ns.get(broker.broker, 0))
                delays_ns[broker.broker] = delay_ns
    metrics.set_last_ticks({b: at / NS_PER_S for b, at in heard_ns.items() if at != NEVER})
    metrics.set_feed_delays({broker: delay / NS_PER_S for broker, delay in delays_ns.items()})


def _set_lags(
    metrics: Metrics, partition: int, view: View, settings: Settings, *, known: bool
) -> None:
    metrics.set_bars_overdue(partition, overdue_ns(view, settings) / NS_PER_S)
    if view.brokers:
        metrics.set_watermark_lag(partition, watermark_lag_ns(view, settings) / NS_PER_S)
    if known:
        metrics.set_consumer_lag(partition, view.unread, consumer_lag_ns(view) / NS_PER_S)


def watermark_lag_ns(view: View, settings: Settings) -> int:
    """Wall clock minus the watermark of the slowest broker with an open window.

    Where nothing is open, of the fastest broker: a market that was closed down long ago is behind
    for ever, and nobody waits for it.
    """
    waiting = [b.clock_ns for b in _waiting(view, settings)]
    clock_ns = min(waiting) if waiting else max(b.clock_ns for b in view.brokers)
    return view.now_ns - (clock_ns - settings.grace_ns)


def overdue_ns(view: View, settings: Settings) -> int:
    """How much longer the slowest open window waits than it may where all is well; 0: not at all.

    A market clock is behind the wall clock by IDLE_TIMEOUT at most, then silence moves it. With
    IDLE_TIMEOUT=off it may stand for ever, as long as nothing waits to be read. A feed that brings
    its ticks late has its market clock behind by as much: nobody could know earlier that the window
    may close. Away from the end of the log it is we who are late, and all of it counts.
    """
    waiting, idle_ns = _waiting(view, settings), settings.idle_timeout_ns
    if not waiting or (idle_ns is None and not view.unread):
        return 0
    delays_ns = ((b.clock_ns, feed_delay_ns(b) if view.at_end else 0) for b in waiting)
    slowest_ns = min(clock_ns + delay_ns for clock_ns, delay_ns in delays_ns)
    return max(0, view.now_ns - slowest_ns - (idle_ns or 0))


def feed_delay_ns(broker: BrokerState) -> int:
    """How old the newest event of a broker was when its last tick came here."""
    if NEVER in (broker.arrival_wall_ns, broker.arrival_clock_ns):
        return 0
    return max(0, broker.arrival_wall_ns - broker.arrival_clock_ns)


def consumer_lag_ns(view: View) -> int:
    """Age of the newest tick that was read, while records wait to be read."""
    if not view.unread or not view.brokers:
        return 0
    return max(0, view.now_ns - max(b.event_clock_ns for b in view.brokers))


def _waiting(view: View, settings: Settings) -> list[BrokerState]:
    """The brokers that have an open window: that of their newest tick is still open.

    With WATERMARK=series, where each series closes by itself, of all brokers while any is open.
    """
    if not view.open_windows:
        return []
    period = settings.period
    return [
        b
        for b in view.brokers
        if period.floor(b.event_clock_ns) + period.length_ns > b.closed_through_ns
    ]
