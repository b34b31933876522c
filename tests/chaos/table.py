"""What every chaos test leaves behind: one row of the summary table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from barengine.demo.report import Report

HEAD: Final = (
    "fault",
    "times",
    "ticks",
    "bars checked",
    "lost",
    "doubled",
    "wrong",
    "late",
    "dead",
    "longest stall",
    "seed",
    "outcome",
)
"""lost: ticks in no bar and no letter. doubled: ticks in two of them. wrong: bars and letters that
the ticks do not make, and ticks in a bar that belong into a letter."""

_UNKNOWN: Final = "?"
_NUMBERS: Final = slice(1, -1)


@dataclass(frozen=True, slots=True)
class Row:
    """One test's outcome.

    Args:
        report: the independent check's; None: the test did not come as far.
        stall_s: longest time without a new bar; None: nobody watched.
        failure: what went wrong, in a few words.
    """

    fault: str
    times: int
    report: Report | None
    stall_s: float | None
    seed: int
    failure: str = ""

    def cells(self) -> list[str]:
        """The row as HEAD has it."""
        stall = "-" if self.stall_s is None else f"{self.stall_s:.1f} s"
        outcome = f"FAILED: {self.failure}" if self.failure else "ok"
        counted = _counted(self.report)
        return [self.fault, str(self.times), *counted, stall, str(self.seed), outcome]


def wrong(report: Report) -> int:
    """Bars, letters and ticks that are not what they must be."""
    return report.different + report.extra + report.letters_wrong + report.ticks_wrong


def _counted(report: Report | None) -> list[str]:
    if report is None:
        return [_UNKNOWN] * 7
    counts = (
        report.ticks_in,
        report.bars_read,
        report.unaccounted,
        report.counted_twice,
        wrong(report),
        report.late,
        report.dead,
    )
    return [f"{count:,}" for count in counts]


def markdown(rows: Iterable[Row]) -> list[str]:
    """Lines of a Markdown table whose columns are aligned, with a row of sums at the end."""
    rows = list(rows)
    cells = [list(HEAD), *(row.cells() for row in rows), _sums(rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = ["-" * width for width in widths]
    rule[_NUMBERS] = [f"{'-' * (width - 1)}:" for width in widths[_NUMBERS]]
    head, *body = [_line(line, widths) for line in cells]
    return [head, f"| {' | '.join(rule)} |", *body]


def _sums(rows: Sequence[Row]) -> list[str]:
    reports = [row.report for row in rows if row.report is not None]
    sums = [
        f"{sum(column):,}"
        for column in (
            [report.ticks_in for report in reports],
            [report.bars_read for report in reports],
            [report.unaccounted for report in reports],
            [report.counted_twice for report in reports],
            [wrong(report) for report in reports],
            [report.late for report in reports],
            [report.dead for report in reports],
        )
    ]
    failed = sum(bool(row.failure) for row in rows)
    stalls = [row.stall_s for row in rows if row.stall_s is not None]
    longest = f"{max(stalls):.1f} s" if stalls else "-"
    outcome = f"{failed} FAILED" if failed else "ok"
    return ["all", str(sum(row.times for row in rows)), *sums, longest, "", outcome]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
    for place in (0, -1):
        aligned[place] = cells[place].ljust(widths[place])
    return f"| {' | '.join(aligned)} |"
