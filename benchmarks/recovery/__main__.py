"""``python -m benchmarks.recovery``: how long bars stop coming, as a table."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from barengine.kafka.local import LocalKafka
from benchmarks.child import end_as_by_ctrl_c
from benchmarks.contenders import java
from benchmarks.recovery import scenarios, streams

HEAD: Final = ("what happens", "median s", "min - max s", "mark s", "")

Row = tuple[str, ...]
Found = Mapping[str, Sequence[float]]


def rows(found: Found) -> list[Row]:
    """The table's lines, one a measurement."""
    return [_row(name, seconds, scenarios.MARKS.get(name)) for name, seconds in found.items()]


def _row(name: str, seconds: Sequence[float], mark: float | None) -> Row:
    median = f"{statistics.median(seconds):.2f}"
    spread = f"{min(seconds):.2f} - {max(seconds):.2f}"
    if mark is None:
        return name, median, spread, "", ""
    return name, median, spread, f"{mark:g}", "kept" if max(seconds) <= mark else "MISSED"


def markdown(lines: Sequence[Row]) -> str:
    """The same as a Markdown table."""
    body = [HEAD, ("---",) * len(HEAD), *lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in body)


def show(lines: Sequence[Row]) -> None:
    """Print the table."""
    table = Table(*HEAD)
    for line in lines:
        table.add_row(*line)
    Console().print(table)


def measure(steps: Sequence[scenarios.Step], rounds: int, folder: Path) -> list[Row]:
    """Every scenario so many times, in turns, on a broker of its own."""
    found: dict[str, list[float]] = defaultdict(list)
    with LocalKafka() as broker:
        for number in range(rounds):
            for step in steps:
                print(f"round {number + 1}: {step.__name__}", file=sys.stderr, flush=True)
                for name, seconds in step(broker.bootstrap, folder).items():
                    found[name].append(seconds)
    return rows(found)


def main() -> int:
    """Exit code 1 where a mark is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each scenario (3)")
    parser.add_argument("--out", type=Path, help="Markdown file for the table")
    known = {step.__name__: step for step in (*scenarios.ALL, *streams.ALL)}
    parser.add_argument("--only", action="append", choices=known, help="may be repeated")
    options = parser.parse_args()
    steps = [known[name] for name in options.only or known]
    missing = java.unavailable() if set(steps) & set(streams.ALL) else None
    if missing is not None:
        print(f"without Kafka Streams: {missing}", file=sys.stderr)
        steps = [step for step in steps if step not in streams.ALL]
    with tempfile.TemporaryDirectory(prefix="recovery-") as folder:
        lines = measure(steps, options.rounds, Path(folder))
    show(lines)
    if options.out is not None:
        options.out.write_text(markdown(lines))
    return int(any(line[-1] == "MISSED" for line in lines))


if __name__ == "__main__":
    end_as_by_ctrl_c()
    sys.exit(main())
