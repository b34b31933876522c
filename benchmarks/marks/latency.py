"""The table of steady state: how long after its closing tick a bar is readable."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from benchmarks.marking import at_most
from benchmarks.marks import steady
from benchmarks.marks.plan import Plan
from benchmarks.report import Section, spread

_MARKS_MS: Final = {50: 25.0, 99: 60.0}
_PERCENTILES: Final = (50, 99, 100)
_WHO: Final = ("engine", "broker", "feeder", "reader", "others")

Runs = Sequence[dict[str, Any]]


def section(plan: Plan) -> Section:
    """Measure windows of a second once a round, and of a minute once."""

    def measured(window: str, seconds: int) -> dict[str, Any]:
        return steady.measure(plan.bootstrap, plan.broker_pid, plan.folder, window, seconds)

    # A broker that has just started is still compiling: for a minute it uses up to two and a half
    # times the CPU that it does later, and p50 is half as long again.
    measured("1s", plan.sizes.warm_up_s)
    rows, remarks = [], []
    for window, seconds in plan.sizes.seconds.items():
        often = plan.rounds if window == "1s" else 1
        runs = [measured(window, seconds) for _ in range(often)]
        plan.reports[f"steady state, windows of {window}"] = [run["engine"] for run in runs]
        rows.append(_row(window, runs))
        remarks += _marks(window, runs)
    return Section(
        "From the closing tick to readable bars",
        f"{steady.RATE:,} ticks/s in real time, {steady.SERIES} series of {steady.BROKERS} brokers "
        f"over {steady.PARTITIONS} partitions, a request every {steady.EVERY_MS} ms, GRACE "
        f"{steady.GRACE_MS} ms, exactly once, all else default. A closing is one bucket of one "
        "broker in one partition: from the broker's word for the batch with the tick that closes "
        "it (or from sending that batch) until a reader of committed records, librdkafka, has its "
        "last bar; the first three buckets of a run do not count, the first one where there are "
        f"few; a run of {plan.sizes.warm_up_s} s before all others warms the broker up. The marks "
        "are for the former, medians of the runs. CPU as cores of this machine; the others have "
        "no part in it, and should be 0.",
        (
            "WINDOW",
            "closings",
            "acknowledged to readable: p50 / p99 / max ms",
            "sent to readable: p50 / p99 / max ms",
            *_WHO,
        ),
        rows,
        remarks,
    )


def _row(window: str, runs: Runs) -> tuple[str, ...]:
    closings = sum(len(run["acked"]) for run in runs)
    missing = sum(run["missing"] for run in runs)
    times = [
        " / ".join(spread(_percentile(runs, kind, at), _ms) for at in _PERCENTILES)
        for kind in ("acked", "sent")
    ]
    cpu = [spread((run["cpu"][who] for run in runs), "{:.2f}".format) for who in _WHO]
    return (window, f"{closings}, {missing} missing", *times, *cpu)


def _marks(window: str, runs: Runs) -> list[str]:
    lines = []
    for percentile, mark in _MARKS_MS.items():
        found = _percentile(runs, "acked", percentile)
        what = f"WINDOW {window}: acknowledged to readable, p{percentile} in ms"
        lines.append(at_most(what, statistics.median(found) if found else None, mark, _ms))
    return lines


def _percentile(runs: Runs, kind: str, at: int) -> list[float]:
    """Of each run."""
    return [float(np.percentile(run[kind], at)) for run in runs if run[kind]]


def _ms(value: float) -> str:
    return f"{value:.1f}"
