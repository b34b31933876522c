"""Everything that /metrics says, and the few calls that fill it.

No label per symbol. Label sets are closed and begin at 0, so that a rate is right from the first
event on; what belongs to a partition disappears with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from barengine.model import NS_PER_S, LatePolicy, Reason
from barengine.service import metric_names as names
from barengine.service.exposition import Exposed
from barengine.service.lifecycle import TaskState

Outcome = Literal["committed", "aborted", "fenced"]

_COMMIT_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15)
"""From the fastest transaction of a near broker to transaction.timeout, 15 s."""

_LATENESS_BUCKETS: Final = (0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 86_400)
"""Each bound is a GRACE that somebody could choose."""

_RESTORE_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """The metrics of one process, in a registry of their own.

    Args:
        context: constant label ``context`` of every series; none where empty.
        version: of barengine.
        kernel: which of the two kernels runs.
        periods: the periods whose bar counters begin at 0.
    """

    def __init__(
        self, context: str, version: str, kernel: str, periods: Iterable[str] = ()
    ) -> None:
        inner = CollectorRegistry()
        self.registry: Final = CollectorRegistry()
        self.registry.register(Exposed(inner, {"context": context} if context else {}))
        ProcessCollector(registry=inner)
        Info(names.BUILD, "Version of barengine, and which kernel runs.", registry=inner).info(
            {"version": version, "kernel": kernel}
        )
        self._counters(inner)
        self._gauges(inner)
        self._histograms(inner)
        self._brokers: set[str] = set()
        self._begin_at_zero(periods)

    def _counters(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        self._ticks = counter(names.TICKS, "Input records processed.", "partition")
        self._bars = counter(names.BARS_EMITTED, "Bars committed.", "period", "origin")
        self._late = counter(names.LATE_TICKS, "Ticks of closed buckets.", "policy", "reason")
        self._late_dropped = counter(names.LATE_TICKS_DROPPED, "Late ticks only counted.")
        self._dead = counter(names.DEAD_LETTERS, "Records that became no tick.", "reason")
        self._quarantined = counter(
            names.QUARANTINED_TICKS, "Ticks stamped too far in the future.", "broker"
        )
        self._transactions = counter(names.TRANSACTIONS, "Kafka transactions.", "outcome")
        self._rebalances = counter(names.REBALANCES, "Assignments by the consumer group.")

    def _gauges(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, ("partition", *labels), registry=registry)

        self._windows = gauge(names.WINDOWS_OPEN, "Windows that wait for their end.")
        behind = "Wall clock minus the watermark of the slowest broker, in"
        self._watermark_ms = gauge(names.WATERMARK_LAG_MS, f"{behind} milliseconds.")
        self._watermark_s = gauge(names.WATERMARK_LAG_SECONDS, f"{behind} seconds.")
        self._lag_records = gauge(names.CONSUMER_LAG_RECORDS, "Input records not yet read.")
        self._lag_s = gauge(
            names.CONSUMER_LAG_SECONDS,
            "Time since the last tick while records wait to be read, in seconds.",
        )
        self._task_state = gauge(names.TASK_STATE, "1 for the state that a task is in.", "state")

    def _histograms(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, text, buckets=buckets, registry=registry)

        self._close_to_commit = histogram(
            names.CLOSE_TO_COMMIT_SECONDS,
            "Seconds from a bar's close to its commit.",
            _COMMIT_BUCKETS,
        )
        self._transaction_s = histogram(
            names.TRANSACTION_SECONDS,
            "Seconds from a transaction's begin to its end.",
            _COMMIT_BUCKETS,
        )
        self._lateness = histogram(
            names.LATENESS_SECONDS,
            "The GRACE, in seconds, that would have kept a late tick.",
            _LATENESS_BUCKETS,
        )
        self._restore = histogram(
            names.RESTORE_SECONDS,
            "Seconds from assignment or failure to RUNNING.",
            _RESTORE_BUCKETS,
        )

    def _begin_at_zero(self, periods: Iterable[str]) -> None:
        for period in periods:
            self._bars.labels(period, names.ORIGIN_TICKS)
        for reason in names.LATE_REASONS:
            for policy in LatePolicy:
                self._late.labels(policy.value, reason)
        for reason in names.DEAD_REASONS:
            self._dead.labels(reason)
        for outcome in names.OUTCOMES:
            self._transactions.labels(outcome)

    # -- what happened ---------------------------------------------------------------------

    def count_ticks(self, partition: int, count: int) -> None:
        """Add input records processed."""
        self._ticks.labels(partition).inc(count)

    def bars(self, period: str, count: int, origin: str = names.ORIGIN_TICKS) -> None:
        """Add bars that were committed."""
        self._bars.labels(period, origin).inc(count)

    def late(
        self, policy: LatePolicy | Literal["topic", "drop"], reason: Reason, lateness_ns: int
    ) -> None:
        """Count one late tick, and by how much it was late."""
        self._late.labels(LatePolicy(policy).value, reason.label).inc()
        self._lateness.observe(lateness_ns / NS_PER_S)
        if policy == LatePolicy.DROP:
            self._late_dropped.inc()

    def dead(self, reason: Reason, broker: str = "") -> None:
        """Count one dead letter; a quarantined tick also against its broker."""
        self._dead.labels(reason.label).inc()
        if reason is Reason.FUTURE:
            self._quarantined.labels(self._broker_label(broker)).inc()

    def _broker_label(self, broker: str) -> str:
        if broker not in self._brokers and len(self._brokers) < names.MAX_BROKERS:
            self._brokers.add(broker)
        return broker if broker in self._brokers else names.OTHER_BROKERS

    def transaction(self, outcome: Outcome, seconds: float) -> None:
        """Count one transaction that ended, however it did."""
        self._transactions.labels(outcome).inc()
        self._transaction_s.observe(seconds)

    def close_to_commit(self, seconds: float) -> None:
        """Observe how long closed bars waited for their commit."""
        self._close_to_commit.observe(seconds)

    def restored(self, seconds: float) -> None:
        """Observe one recovery that reached RUNNING."""
        self._restore.observe(seconds)

    def rebalanced(self) -> None:
        """Count one assignment by the group."""
        self._rebalances.inc()

    # -- how a partition is ----------------------------------------------------------------

    def set_windows(self, partition: int, count: int) -> None:
        """Say how many windows are open."""
        self._windows.labels(partition).set(count)

    def set_watermark_lag(self, partition: int, seconds: float) -> None:
        """Say how far the watermark is behind the wall clock (negative: ahead)."""
        self._watermark_s.labels(partition).set(seconds)
        self._watermark_ms.labels(partition).set(seconds * 1000)

    def set_consumer_lag(self, partition: int, records: int, seconds: float) -> None:
        """Say how far reading is behind the end of the log."""
        self._lag_records.labels(partition).set(records)
        self._lag_s.labels(partition).set(seconds)

    def set_task_state(self, partition: int, state: TaskState) -> None:
        """Say which state the task of a partition is in."""
        for each in TaskState:
            self._task_state.labels(partition, each.value).set(each is state)

    def drop_partition(self, partition: int) -> None:
        """Remove every series of a partition that is another's now."""
        for metric in (
            self._ticks,
            self._windows,
            self._watermark_ms,
            self._watermark_s,
            self._lag_records,
            self._lag_s,
        ):
            metric.remove(partition)
        for state in TaskState:
            self._task_state.remove(partition, state.value)
