"""Gauges that follow the state of the tasks, set on the scheduler's beat."""

from __future__ import annotations

import time
from collections.abc import Iterable

from barengine.engine.partition import PartitionEngine
from barengine.kafka.source import Source
from barengine.model import NEVER, NS_PER_S
from barengine.service.metrics import Metrics
from barengine.service.task import PartitionTask
from barengine.settings import Settings


def update_gauges(
    metrics: Metrics, source: Source, tasks: Iterable[PartitionTask], settings: Settings
) -> None:
    """Set windows, lag and watermark gauges of every running task."""
    now_ns = time.time_ns()
    for task in tasks:
        if task.running is None:
            continue
        engine = task.running.engine
        metrics.set_windows(task.partition, engine.kernel.open_windows)
        lag_ns = watermark_lag_ns(engine, settings.grace_ns, now_ns)
        if lag_ns is not None:
            metrics.set_watermark_lag(task.partition, lag_ns / NS_PER_S)
        lag = source.lag(task.partition)
        if lag is not None:
            arrived = max((b.arrival_wall_ns for b in engine.kernel.brokers()), default=NEVER)
            behind_s = (now_ns - arrived) / NS_PER_S if lag and arrived != NEVER else 0.0
            metrics.set_consumer_lag(task.partition, lag, behind_s)


def watermark_lag_ns(engine: PartitionEngine, grace_ns: int, now_ns: int) -> int | None:
    """Wall clock minus the watermark of the partition's slowest broker; None without a tick."""
    clocks = [b.clock_ns for b in engine.kernel.brokers() if b.clock_ns != NEVER]
    return now_ns - (min(clocks) - grace_ns) if clocks else None
