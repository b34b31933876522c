"""Run the benchmarks on a local Kafka and print their tables.

    python -m benchmarks [compare] [scaling] [marks] [--rounds 5] [--only NAME] [--out FILE]

The broker keeps its topics in .bench/, so that the ticks are made once.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from barengine.kafka.local import LocalKafka
from benchmarks import compare, marks, scaling
from benchmarks.load import FOLDER
from benchmarks.report import Section, machine, markdown, show
from benchmarks.rounds import Options

HEAP_MB: Final = 1024
"""What Kafka's own start script gives a broker."""

_PAGE_WIDTH: Final = 160

Part = Callable[[LocalKafka, Options], Iterable[Section]]

PARTS: Final[dict[str, Part]] = {
    "compare": lambda _, options: compare.run(options),
    "scaling": lambda _, options: scaling.run(options),
    "marks": lambda kafka, options: marks.run(kafka, options.rounds),
}

_NAMED: Final = ("compare", "scaling")
"""The parts that --only chooses from."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is asked for. A run that fails is a row that says so, and no error."""
    asked = _parser().parse_args(argv)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # topics just made are no warning
    progress = Console(stderr=True)
    screen = Console(width=None if sys.stdout.isatty() else _PAGE_WIDTH)
    sections = [machine()]
    show(screen, sections[0])
    with LocalKafka(data_dir=FOLDER / "kafka", heap_mb=HEAP_MB) as kafka:
        options = Options(
            kafka.bootstrap, progress, asked.rounds, asked.only, asked.extras, asked.quick
        )
        for name in asked.parts or (_NAMED if asked.only else PARTS):
            for section in PARTS[name](kafka, options):
                show(screen, section)
                sections.append(section)
                if asked.out:  # after each one: an interrupted run has been worth something
                    asked.out.write_text(markdown(sections))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", type=_part, metavar="part", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=_positive, default=5, help="runs of each contender")
    parser.add_argument("--only", default="", help="part of the names of contenders or tables")
    parser.add_argument("--extras", action="store_true", help="Quix Streams and Bytewax, too")
    parser.add_argument("--quick", action="store_true", help="tiny loads: does it all work?")
    parser.add_argument("--out", type=Path, help="write the tables to this file as Markdown")
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
    sys.exit(main())
