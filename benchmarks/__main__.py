"""Run the benchmarks on a local Kafka and print their tables.

    python -m benchmarks [tick] [compare] [scaling] [marks] [--rounds 5] [--only NAME]

The broker keeps its topics in .bench/, so that the ticks are made once. The tables go there, too,
as Markdown: report.md, unless --out names another file.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from barengine.kafka.local import LocalKafka
from benchmarks import compare, marks, one_tick, scaling
from benchmarks.child import end_as_by_ctrl_c
from benchmarks.load import FOLDER
from benchmarks.report import Section, machine, markdown, show
from benchmarks.rounds import Options

HEAP_MB: Final = 1024
"""What Kafka's own start script gives a broker."""

_PAGE_WIDTH: Final = 160
_QUICK: Final = (
    "Tiny loads, to see that all works: the figures, and what marks make of them, mean nothing."
)

Part = Callable[[LocalKafka, Options], Iterable[Section]]

PARTS: Final[dict[str, Part]] = {
    "tick": lambda _, options: one_tick.run(options),
    "compare": lambda _, options: compare.run(options),
    "scaling": lambda _, options: scaling.run(options),
    "marks": marks.run,
}

_NAMED: Final = ("compare", "scaling")
"""The parts that --only chooses from."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is asked for. A run that fails is a row that says so, and no error."""
    asked = _parser().parse_args(argv)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # topics just made are no warning
    progress = Console(stderr=True)
    screen = Console(width=None if sys.stdout.isatty() else _PAGE_WIDTH)
    sections = [machine(_QUICK if asked.quick else "")]
    out = asked.out or _report(asked)
    out.parent.mkdir(parents=True, exist_ok=True)
    show(screen, sections[0])
    with LocalKafka(data_dir=FOLDER / "kafka", heap_mb=HEAP_MB) as kafka:
        options = Options(
            kafka.bootstrap, progress, asked.rounds, asked.only, asked.extras, asked.quick
        )
        for name in asked.parts or (_NAMED if asked.only else PARTS):
            for section in PARTS[name](kafka, options):
                show(screen, section)
                sections.append(section)
                # after each one: an interrupted run has been worth something
                out.write_text(markdown(sections))
    progress.print(f"The tables are in {out}", highlight=False)
    return 0


def _report(asked: argparse.Namespace) -> Path:
    """A file for each choice of parts, so that a look at one costs nobody the whole report."""
    only = ["only", re.sub(r"\W+", "-", asked.only)] if asked.only else []
    quick = ["quick"] if asked.quick else []
    return FOLDER / f"{'-'.join(['report', *asked.parts, *only, *quick])}.md"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", type=_part, metavar="part", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=_positive, default=5, help="runs of each contender")
    parser.add_argument("--only", default="", help="part of the names of contenders or tables")
    parser.add_argument("--extras", action="store_true", help="Quix Streams and Bytewax, too")
    parser.add_argument("--quick", action="store_true", help="tiny loads: does it all work?")
    parser.add_argument("--out", type=Path, help="the Markdown file; .bench/report.md")
    return parser


def _part(text: str) -> str:
    if text not in PARTS:
        raise argparse.ArgumentTypeError(f"{text} is none of {', '.join(PARTS)}")
    return text


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of 1 or more")
    return int(text)


if __name__ == "__main__":
    end_as_by_ctrl_c()
    sys.exit(main())
