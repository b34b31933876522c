"""Everything that /metrics says, and the few calls that fill it.

No label per symbol. Label sets are closed and begin at 0, so that a rate is right from the first
event on; what belongs to a partition disappears with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from barengine.model import NS_PER_S, LatePolicy, Reason
from barengine.service import metric_specs as specs
from barengine.service.exposition import Exposed
from barengine.service.lifecycle import TaskState
from barengine.service.metric_specs import Kind, Spec

Outcome = Literal["committed", "aborted", "fenced"]


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
        self._build_info(inner, {"version": version, "kernel": kernel})
        self._counters = {
            spec: Counter(spec.name, spec.help, spec.labels, registry=inner)
            for spec in _of(Kind.COUNTER)
        }
        self._gauges = {
            spec: Gauge(spec.name, spec.help, spec.labels, registry=inner)
            for spec in _of(Kind.GAUGE)
        }
        self._histograms = {
            spec: Histogram(spec.name, spec.help, registry=inner, buckets=spec.buckets)
            for spec in _of(Kind.HISTOGRAM)
        }
        self._quarantined = BrokerLabels()
        self._alive = BrokerLabels()
        self._shown: dict[Spec, set[str]] = {}
        self._begin_at_zero(periods)

    @staticmethod
    def _build_info(registry: CollectorRegistry, values: dict[str, str]) -> None:
        spec = specs.BUILD_INFO
        Info(spec.name.removesuffix("_info"), spec.help, registry=registry).info(values)

    def _begin_at_zero(self, periods: Iterable[str]) -> None:
        for period in periods:
            for origin in specs.ORIGINS:
                self._counters[specs.BARS_EMITTED].labels(period, origin)
            self._counters[specs.CORRECTIONS].labels(period)
            for reason in specs.SKIP_REASONS:
                self._counters[specs.BARS_SKIPPED].labels(period, reason)
        for reason in specs.LATE_REASONS:
            for policy in LatePolicy:
                self._counters[specs.LATE_TICKS].labels(policy.value, reason)
        for reason in specs.DEAD_REASONS:
            self._counters[specs.DEAD_LETTERS].labels(reason)
        for outcome in specs.OUTCOMES:
            self._counters[specs.TRANSACTIONS].labels(outcome)
        for outcome in specs.RELOADS:
            self._counters[specs.SCHEDULE_RELOADS].labels(outcome)

    # -- what happened ---------------------------------------------------------------------

    def count_ticks(self, partition: int, count: int) -> None:
        """Add input records processed."""
        self._counters[specs.TICKS].labels(partition).inc(count)

    def bars(self, period: str, count: int, origin: Literal["ticks", "filled"]) -> None:
        """Add final bars that were committed."""
        self._counters[specs.BARS_EMITTED].labels(period, origin).inc(count)

    def skipped(self, period: str, count: int, reason: Literal["partial"]) -> None:
        """Add bars that were made and left out."""
        self._counters[specs.BARS_SKIPPED].labels(period, reason).inc(count)

    def corrections(self, period: str, count: int) -> None:
        """Add corrections that were committed."""
        self._counters[specs.CORRECTIONS].labels(period).inc(count)

    def live(self, count: int) -> None:
        """Add bars so far that were sent."""
        self._counters[specs.LIVE_BARS].inc(count)

    def live_failed(self) -> None:
        """Count one time that bars so far could not be sent."""
        self._counters[specs.LIVE_FAILURES].inc()

    def late(
        self,
        policy: LatePolicy | Literal["topic", "drop", "correct"],
        reason: Reason,
        lateness_ns: int,
    ) -> None:
        """Count one late tick, and by how much it was late."""
        self._counters[specs.LATE_TICKS].labels(LatePolicy(policy).value, reason.label).inc()
        self._histograms[specs.LATENESS_SECONDS].observe(lateness_ns / NS_PER_S)
        if policy == LatePolicy.DROP:
            self._counters[specs.LATE_TICKS_DROPPED].inc()

    def dead(self, reason: Reason, broker: str = "") -> None:
        """Count one dead letter; a quarantined tick also against its broker."""
        self._counters[specs.DEAD_LETTERS].labels(reason.label).inc()
        if reason is Reason.FUTURE:
            label = self._quarantined.label(broker)
            self._counters[specs.QUARANTINED_TICKS].labels(label).inc()

    def transaction(self, outcome: Outcome, seconds: float) -> None:
        """Count one transaction that ended, however it did."""
        self._counters[specs.TRANSACTIONS].labels(outcome).inc()
        self._histograms[specs.TRANSACTION_SECONDS].observe(seconds)

    def close_to_commit(self, seconds: float) -> None:
        """Observe how long closed bars waited for their commit."""
        self._histograms[specs.CLOSE_TO_COMMIT_SECONDS].observe(seconds)

    def restored(self, seconds: float) -> None:
        """Observe one recovery that reached RUNNING."""
        self._histograms[specs.RESTORE_SECONDS].observe(seconds)

    def schedule_reloaded(self, applied: bool) -> None:
        """Count a new version of the schedule: in force now, or refused."""
        outcome = specs.RELOADS[0 if applied else 1]
        self._counters[specs.SCHEDULE_RELOADS].labels(outcome).inc()

    def heartbeats_refused(self, count: int) -> None:
        """Count heartbeats that could not be read."""
        self._counters[specs.HEARTBEATS_REFUSED].inc(count)

    def rebalanced(self) -> None:
        """Count one assignment by the group."""
        self._counters[specs.REBALANCES].inc()

    # -- how a partition is ----------------------------------------------------------------

    def set_windows(self, partition: int, count: int) -> None:
        """Say how many windows are open."""
        self._gauges[specs.WINDOWS_OPEN].labels(partition).set(count)

    def set_watermark_lag(self, partition: int, seconds: float) -> None:
        """Say how far the watermark is behind the wall clock (negative: ahead)."""
        self._gauges[specs.WATERMARK_LAG_SECONDS].labels(partition).set(seconds)
        self._gauges[specs.WATERMARK_LAG_MS].labels(partition).set(seconds * 1000)

    def set_bars_overdue(self, partition: int, seconds: float) -> None:
        """Say how much longer than it should the slowest open window waits."""
        self._gauges[specs.BARS_OVERDUE_SECONDS].labels(partition).set(seconds)

    def set_consumer_lag(self, partition: int, records: int, seconds: float) -> None:
        """Say how far reading is behind the end of the log."""
        self._gauges[specs.CONSUMER_LAG_RECORDS].labels(partition).set(records)
        self._gauges[specs.CONSUMER_LAG_SECONDS].labels(partition).set(seconds)

    def set_task_state(self, partition: int, state: TaskState) -> None:
        """Say which state the task of a partition is in."""
        for each in TaskState:
            self._gauges[specs.TASK_STATE].labels(partition, each.value).set(each is state)

    def drop_partition(self, partition: int) -> None:
        """Remove every series of a partition that is another's now."""
        for spec, metric in (self._counters | self._gauges).items():
            if spec.labels == ("partition",):
                metric.remove(partition)
        for state in TaskState:
            self._gauges[specs.TASK_STATE].remove(partition, state.value)

    # -- how the whole is ------------------------------------------------------------------

    def set_input_partitions(self, count: int) -> None:
        """Say how many partitions there are, here and elsewhere."""
        self._gauges[specs.INPUT_PARTITIONS].set(count)

    def set_last_ticks(self, seconds: Mapping[str, float]) -> None:
        """Say when the newest tick of each broker came; brokers that are not named disappear."""
        self._alive.keep(seconds)
        self._set_brokers(specs.BROKER_LAST_TICK_SECONDS, seconds)

    def set_feed_delays(self, seconds: Mapping[str, float]) -> None:
        """Say how late the ticks of each broker come; brokers that are not named disappear."""
        self._set_brokers(specs.FEED_DELAY_SECONDS, seconds)

    def _set_brokers(self, spec: Spec, values: Mapping[str, float]) -> None:
        """A gauge with a series for each broker; of all those in one the largest value counts."""
        largest: dict[str, float] = {}
        for broker, value in values.items():
            label = self._alive.label(broker)
            largest[label] = max(value, largest.get(label, value))
        gauge = self._gauges[spec]
        for label in self._shown.get(spec, set()) - largest.keys():
            gauge.remove(label)
        for label, value in largest.items():
            gauge.labels(label).set(value)
        self._shown[spec] = set(largest)


class BrokerLabels:
    """Brokers as label values: the first so many under their names, all others together."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def label(self, broker: str) -> str:
        """What stands for this broker."""
        if broker not in self._known and len(self._known) < specs.MAX_BROKERS:
            self._known.add(broker)
        return broker if broker in self._known else specs.OTHER_BROKERS

    def keep(self, brokers: Iterable[str]) -> None:
        """Forget all but these: their places are free for others."""
        self._known.intersection_update(brokers)


def _of(kind: Kind) -> list[Spec]:
    return [spec for spec in specs.SPECS if spec.kind is kind]
