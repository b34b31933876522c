"""The table of memory: what an open window costs, all in."""

from __future__ import annotations

import statistics
from typing import Final

from benchmarks.marking import at_most
from benchmarks.marks import burst
from benchmarks.marks.plan import Plan, whole
from benchmarks.report import Section, spread

_MARK_BYTES: Final = 400.0


def section(plan: Plan) -> Section:
    """One engine a round, filled up step by step."""
    windows = plan.sizes.windows
    runs = [burst.memory(plan.bootstrap, plan.folder, windows) for _ in range(plan.rounds)]
    rows = [("0", spread((run[0] / 2**20 for run in runs), whole), "")]
    medians = []
    for at, count in enumerate(windows, 1):
        held = spread((run[at] / 2**20 for run in runs), whole)
        each = [(run[at] - run[0]) / count for run in runs]
        rows.append((f"{count:,}", held, spread(each, whole)))
        medians.append(statistics.median(each))
    return Section(
        "Memory of open windows",
        "Resident memory of the whole engine process before and after, over 8 partitions, one "
        "series a window.",
        ("open windows", "MiB", "bytes a window"),
        rows,
        [at_most("bytes a window, all in", max(medians), _MARK_BYTES, whole)],
    )
