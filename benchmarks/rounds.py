"""Contenders in rounds: everyone once, then everyone again, so that all see the same weather."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from rich.console import Console

from benchmarks.contender import Contender
from benchmarks.load import Load, prepare
from benchmarks.measure import Run, measure
from benchmarks.report import rate, spread

QUICK_TICKS: Final = 40_000
"""Enough to see that everything works; the figures mean nothing."""


@dataclass(frozen=True)
class Options:
    """How to measure."""

    bootstrap: str
    console: Console
    rounds: int = 5
    only: str = ""
    """Part of the names to measure; empty: all."""
    extras: bool = False
    quick: bool = False

    def fit(self, load: Load) -> Load:
        """The load itself, or a very small one like it."""
        return at_most_ticks(load, QUICK_TICKS) if self.quick else load

    def wants(self, name: str) -> bool:
        return self.only.lower() in name.lower()


class Entry(NamedTuple):
    """A contender and what it gets."""

    label: str
    contender: Contender
    load: Load


def at_most_ticks(load: Load, ticks: int) -> Load:
    """The load, or a part of its time with so many ticks: the same number a bar."""
    if load.ticks <= ticks:
        return load
    return replace(load, ticks=ticks, minutes=max(1, round(load.minutes * ticks / load.ticks)))


def in_rounds(options: Options, entries: Sequence[Entry]) -> dict[str, list[Run]]:
    """Measure every entry once a round; returns the runs by label.

    Everyone runs once more before the first round, for nothing: the broker compiles, and each
    topic comes into memory.
    """
    for load in dict.fromkeys(entry.load for entry in entries):
        with options.console.status(f"making {load.name}"):
            asyncio.run(prepare(options.bootstrap, load))
    runs: dict[str, list[Run]] = {entry.label: [] for entry in entries}
    for entry in () if options.quick else entries:
        _measured(options, entry, "warming up")
    for number in range(1, options.rounds + 1):
        for entry in entries:
            run = _measured(options, entry, f"round {number} of {options.rounds}")
            runs[entry.label].append(run)
    return runs


def _measured(options: Options, entry: Entry, when: str) -> Run:
    with options.console.status(f"{when}: {entry.label}"):
        run = measure(entry.contender, options.bootstrap, entry.load)
    said = run.problem or f"{rate(run.ticks_per_s)} ticks/s"
    options.console.print(f"{when}: {entry.label}: {said}", style="dim", highlight=False)
    return run


def how_often(options: Options) -> str:
    """What the figures of a table are."""
    if options.rounds == 1:
        return "One run each."
    return f"Medians of {options.rounds} runs each, the smallest and largest behind them."


def worst_ms(runs: Iterable[Run], note: str) -> str:
    """The largest that a note of the runs was, in ms; a dash where none has it."""
    noted = [run.notes[note] for run in runs if note in run.notes]
    return f"{max(noted):,.0f}" if noted else "-"


COLUMNS: Final = ("ticks", "ticks/s", "CPU s per M ticks", "peak RSS, MB", "bars")


def cells(load: Load, runs: Sequence[Run]) -> list[str]:
    """What COLUMNS show of some runs: medians with their extremes."""
    good = [run for run in runs if not run.problem]
    return [
        f"{load.ticks:,}",
        spread((run.ticks_per_s for run in good), rate),
        spread((run.cpu_s_per_million for run in good), lambda value: f"{value:.3g}"),
        spread((run.peak_bytes / 1e6 for run in good), lambda value: f"{value:.0f}"),
        _bars(runs),
    ]


def _bars(runs: Sequence[Run]) -> str:
    """Bars of the worst run: what one got wrong is not made good by another."""
    problems = [run.problem for run in runs if run.problem]
    if problems:
        return f"{len(problems)} of {len(runs)} runs: {problems[0]}"
    verdicts = [run.verdict for run in runs if run.verdict is not None]
    if not verdicts:
        return "none made"
    worst = min(verdicts, key=lambda one: one.exact - one.duplicate - one.wrong)
    if worst.good:
        return f"{worst.exact:,} exact"
    return (
        f"{worst.exact:,} exact, {worst.wrong:,} wrong, {worst.missing:,} missing, "
        f"{worst.duplicate:,} duplicate"
    )
