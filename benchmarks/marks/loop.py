"""The table of the event loop: how late a timer was, in all that was measured before and more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks.loop import HELD_MS
from benchmarks.marking import at_most
from benchmarks.marks import burst, catchup
from benchmarks.marks.plan import Plan, whole
from benchmarks.report import Section

Report = dict[str, Any]


def section(plan: Plan) -> Section:
    """Measure catch-up and recovery; the other marks have left their reports."""
    series = plan.sizes.series
    for ticks, partitions in plan.sizes.catch_up:
        plan.repeated(
            f"catch-up of {ticks:,} ticks, {partitions} partitions",
            lambda: catchup.measure(plan.bootstrap, plan.folder, ticks, partitions),  # noqa: B023
        )
    for partitions in (8, 1):
        plan.repeated(
            f"recovery with {series:,} series, {partitions} partitions",
            lambda: burst.recovery(plan.bootstrap, plan.folder, series, partitions, 2),  # noqa: B023
        )
    every = [report for reports in plan.reports.values() for report in reports]
    own = max((min(late, cpu) for _, late, cpu in _held(every)), default=0.0)
    return Section(
        "The event loop",
        "A timer every 5 ms tells how late the loop came to it, from start-up to the end. CPU is "
        "what the loop's own thread used in that time: where it is little, the machine was busy "
        "with the others. A heartbeat is due every second.",
        (
            "while",
            "latest, ms",
            "CPU in it, ms",
            f"later than {HELD_MS:.0f} ms",
            "with as much CPU",
            "longest collection, ms",
            "longest heartbeat gap, s",
        ),
        [_row(name, found) for name, found in plan.reports.items()],
        [
            at_most("event loop held, ms", _top(every, "latest_ms"), HELD_MS, whole)
            + f" With as much CPU of its own thread: {whole(own)} ms."
        ],
    )


def _row(name: str, reports: list[Report]) -> tuple[str, ...]:
    held = list(_held(reports))
    worst = max(held, key=lambda one: one[1], default=(0, _top(reports, "latest_ms"), 0))
    pauses = [ms for report in reports for *_, ms in report["collections"]]
    gap = _top(reports, "heartbeat_gap_s")
    return (
        name,
        whole(worst[1]),
        whole(worst[2]),
        str(sum(late > HELD_MS for _, late, _ in held)),
        str(sum(min(late, cpu) > HELD_MS for _, late, cpu in held)),
        whole(max(pauses, default=0.0)),
        f"{gap:.2f}" if gap else "-",
    )


def _held(reports: Iterable[Report]) -> Iterator[tuple[float, float, float]]:
    for report in reports:
        yield from report["held"]


def _top(reports: Iterable[Report], key: str) -> float:
    return max(float(report[key]) for report in reports)
