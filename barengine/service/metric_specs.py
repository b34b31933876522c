"""What each metric is called, what it means and which labels it has.

One entry here is all that :mod:`metrics` builds from and docs/metrics.md is made of. The prefix is
``barengine_``, units are base units at the end of the name, label sets are closed. Names of the
first release stay, also where they break these rules: :data:`ODD_NAMES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from barengine.model import LatePolicy, Reason
from barengine.service.lifecycle import TaskState

_COMMIT_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15)
"""From the fastest transaction of a near broker to transaction.timeout, 15 s."""

_LATENESS_BUCKETS: Final = (0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 86_400)
"""Each bound is a GRACE that somebody could choose."""

_RESTORE_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

ORIGINS: Final = ("ticks", "filled")
"""Where the bars of this engine come from."""

SKIP_REASONS: Final = ("partial",)
RELOADS: Final = ("applied", "refused")
OUTCOMES: Final = ("committed", "aborted", "fenced")
LATE_REASONS: Final = tuple(reason.label for reason in Reason if reason.late)
DEAD_REASONS: Final = tuple(reason.label for reason in Reason if not reason.late)

OTHER_BROKERS: Final = "other"
"""Stands for every broker beyond the first MAX_BROKERS."""

MAX_BROKERS: Final = 100
"""Brokers with a series of their own; their names come from the data, so there is a bound."""


class Kind(StrEnum):
    """What Prometheus calls the type of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


@dataclass(frozen=True, slots=True, eq=False)
class Spec:
    """One metric; equal only to itself."""

    name: str
    """As it is exposed; of a histogram without ``_bucket``, ``_count`` and ``_sum``."""
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram."""


def _counter(name: str, text: str, *labels: str) -> Spec:
    return Spec(f"barengine_{name}", Kind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str) -> Spec:
    return Spec(f"barengine_{name}", Kind.GAUGE, text, labels)


def _histogram(name: str, text: str, buckets: tuple[float, ...]) -> Spec:
    return Spec(f"barengine_{name}", Kind.HISTOGRAM, text, (), buckets)


TICKS: Final = _counter("ticks_total", "Input records processed.", "partition")
BARS_EMITTED: Final = _counter("bars_emitted_total", "Final bars committed.", "period", "origin")
BARS_SKIPPED: Final = _counter(
    "bars_skipped_total", "Bars that were made and left out.", "period", "reason"
)
CORRECTIONS: Final = _counter("corrections_total", "Corrections of final bars committed.", "period")
LIVE_BARS: Final = _counter("live_bars_total", "Bars so far that were sent.")
LIVE_FAILURES: Final = _counter("live_failures_total", "Times that bars so far could not be sent.")
LATE_TICKS: Final = _counter("late_ticks_total", "Ticks of closed buckets.", "policy", "reason")
LATE_TICKS_DROPPED: Final = _counter("late_ticks_dropped_total", "Late ticks only counted.")
DEAD_LETTERS: Final = _counter("dead_letters_total", "Records that became no tick.", "reason")
QUARANTINED_TICKS: Final = _counter(
    "quarantined_ticks_total", "Ticks stamped too far in the future.", "broker"
)
TRANSACTIONS: Final = _counter("transactions_total", "Kafka transactions.", "outcome")
SCHEDULE_RELOADS: Final = _counter(
    "schedule_reloads_total", "New versions of the market schedule.", "outcome"
)
HEARTBEATS_REFUSED: Final = _counter(
    "heartbeats_refused_total", "Heartbeats of feeds that could not be read."
)
REBALANCES: Final = _counter("rebalances_total", "Assignments by the consumer group.")

INPUT_PARTITIONS: Final = _gauge(
    "input_partitions", "Partitions of the input topic, whoever runs them."
)
TASK_STATE: Final = _gauge(
    "task_state", "1 for the state that a task is in, 0 for the others.", "partition", "state"
)
BARS_OVERDUE_SECONDS: Final = _gauge(
    "bars_overdue_seconds",
    "How much longer than GRACE, IDLE_TIMEOUT and the delay of its feed explain the slowest open "
    "window is waiting for its end, in seconds.",
    "partition",
)
BROKER_LAST_TICK_SECONDS: Final = _gauge(
    "broker_last_tick_timestamp_seconds",
    "When the newest tick of a broker was processed, in seconds since 1970.",
    "broker",
)
FEED_DELAY_SECONDS: Final = _gauge(
    "feed_delay_seconds",
    "How old the newest event of a broker was when its last tick came, in seconds; known at the "
    "end of the input alone.",
    "broker",
)
WINDOWS_OPEN: Final = _gauge("windows_open_count", "Windows that wait for their end.", "partition")
_BEHIND: Final = "Wall clock minus the watermark of the slowest broker with an open window, in"
WATERMARK_LAG_MS: Final = _gauge("watermark_lag_ms", f"{_BEHIND} milliseconds.", "partition")
WATERMARK_LAG_SECONDS: Final = _gauge("watermark_lag_seconds", f"{_BEHIND} seconds.", "partition")
CONSUMER_LAG_RECORDS: Final = _gauge(
    "consumer_lag_records", "Input records not yet read.", "partition"
)
CONSUMER_LAG_SECONDS: Final = _gauge(
    "consumer_lag_seconds",
    "Age of the newest tick read, by its event time, while records wait to be read; else 0.",
    "partition",
)

CLOSE_TO_COMMIT_SECONDS: Final = _histogram(
    "close_to_commit_seconds", "Seconds from a bar's close to its commit.", _COMMIT_BUCKETS
)
TRANSACTION_SECONDS: Final = _histogram(
    "transaction_seconds", "Seconds from a transaction's begin to its end.", _COMMIT_BUCKETS
)
LATENESS_SECONDS: Final = _histogram(
    "lateness_seconds",
    "The GRACE, in seconds, that would have kept a late tick.",
    _LATENESS_BUCKETS,
)
RESTORE_SECONDS: Final = _histogram(
    "restore_seconds", "Seconds from assignment or failure to RUNNING.", _RESTORE_BUCKETS
)
BUILD_INFO: Final = Spec(
    "barengine_build_info",
    Kind.INFO,
    "Version of barengine, and which kernel runs; always 1.",
    ("version", "kernel"),
)

SPECS: Final = tuple(one for one in list(globals().values()) if isinstance(one, Spec))
"""Every metric, in the order above."""

ODD_NAMES: Final = {
    WINDOWS_OPEN.name: "fixed by the contract: _count is kept for histograms elsewhere",
    WATERMARK_LAG_MS.name: "fixed by the contract, for eyes; _seconds beside it is the base unit",
}
"""Names that `promtool check metrics` does not like, and why they stay."""

LABEL_VALUES: Final = {
    "broker": f"as in the ticks, at most {MAX_BROKERS}; `{OTHER_BROKERS}` is all beyond them",
    "kernel": "`CompiledKernel` or `PureKernel`",
    "origin": ", ".join(f"`{origin}`" for origin in ORIGINS),
    "outcome": "of transactions: "
    + ", ".join(f"`{outcome}`" for outcome in OUTCOMES)
    + "; of reloads: "
    + ", ".join(f"`{outcome}`" for outcome in RELOADS),
    "partition": "number of the input partition; the series goes when the partition does",
    "period": "the length of the bars, such as `1m`",
    "policy": ", ".join(f"`{policy.value}`" for policy in LatePolicy),
    "reason": "of late ticks: "
    + ", ".join(f"`{reason}`" for reason in LATE_REASONS)
    + "; of dead letters: "
    + ", ".join(f"`{reason}`" for reason in DEAD_REASONS)
    + "; of skipped bars: "
    + ", ".join(f"`{reason}`" for reason in SKIP_REASONS),
    "state": ", ".join(f"`{state.value}`" for state in TaskState),
    "version": "of barengine",
}
"""What each label can be."""
