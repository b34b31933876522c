"""How the event loop kept up in the runs of a table.

A timer comes late because the loop's thread worked, or because the machine had other work. The
thread's CPU time in the gap tells one from the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from benchmarks.marking import at_most
from benchmarks.measure import Run

HELD_MS: Final = 50.0
"""The mark: later than that, heartbeats and bars of other partitions begin to feel it."""

COLUMNS: Final = ("loop held, ms", "CPU in it, ms")


def cells(runs: Iterable[Run]) -> tuple[str, str]:
    """What COLUMNS show: the worst gap of all runs."""
    worst = _worst(runs)
    return ("-", "-") if worst is None else (_ms(worst[0]), _ms(worst[1]))


def marks(runs: Iterable[Run]) -> list[str]:
    """Whether it was ever held for too long; nothing where no run has watched it."""
    watched = [run for run in runs if "loop_max_ms" in run.notes]
    worst = _worst(watched)
    if worst is None:
        return []
    own = max(run.notes["loop_own_ms"] for run in watched)
    return [
        at_most("event loop held in any run, ms", worst[0], HELD_MS, _ms)
        + f" Its thread used {_ms(worst[1])} ms of CPU in that gap, and {_ms(own)} ms at most in "
        "any gap."
    ]


def _worst(runs: Iterable[Run]) -> tuple[float, float] | None:
    gaps = [
        (run.notes["loop_max_ms"], run.notes["loop_max_cpu_ms"])
        for run in runs
        if "loop_max_ms" in run.notes
    ]
    return max(gaps, default=None)


def _ms(value: float) -> str:
    return f"{value:,.0f}"
