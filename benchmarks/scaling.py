"""How the cost of a tick depends on the load: one table for each thing that can grow."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from barengine.kafka.compression import CODECS
from benchmarks.contenders.ours import COMPILED
from benchmarks.load import Load
from benchmarks.measure import Run
from benchmarks.report import Section
from benchmarks.rounds import COLUMNS, Entry, Options, cells, how_often, in_rounds, worst_ms

_BASE: Final = Load(5_000_000)
_SHORT: Final = Load(2_000_000, minutes=24)
_WIDE: Final = Load(10_000_000, partitions=8, minutes=2)

_INTRO: Final = (
    "barengine, everything but the first column as in the comparison. Cost: CPU time per tick, "
    "the first row is 1. Loop held: the longest that the event loop was blocked in any run. "
    "{how_often}"
)


@dataclass(frozen=True)
class Axis:
    """Loads that differ in one thing, by what they are called in the table."""

    title: str
    what: str
    loads: Mapping[str, Load]
    remark: str = ""


AXES: Final = (
    Axis(
        "Number of ticks",
        "ticks",
        {
            "1 M": Load(1_000_000, minutes=12),
            "5 M": _BASE,
            "50 M": Load(50_000_000, minutes=600),
        },
    ),
    Axis(
        "Partitions",
        "partitions",
        {str(count): replace(_BASE, partitions=count) for count in (4, 1, 32)},
    ),
    Axis("Compression", "codec", {codec: replace(_BASE, codec=codec) for codec in CODECS}),
    Axis(
        "Size of a message",
        "bytes a record",
        {
            "53": _SHORT,
            "100": replace(_SHORT, padding=45),
            "250": replace(_SHORT, padding=194),
            "500": replace(_SHORT, padding=444),
        },
        "The additional bytes are one text field of random letters, before all other fields.",
    ),
    Axis(
        "Types",
        "fields",
        {
            "double": _BASE,
            "decimal(18,5)": replace(_BASE, price="decimal"),
            "double, all nullable": replace(_BASE, nullable=True),
            "decimal(18,5), all nullable": replace(_BASE, price="decimal", nullable=True),
        },
    ),
    Axis(
        "Series",
        "series over 8 partitions",
        {
            "1,000, same market time": _WIDE,
            "1,000, as many ticks a bar": replace(_WIDE, minutes=200),
            "100,000": replace(_WIDE, series=100_000),
        },
        "With 100,000 series a bar has 50 ticks, and 100,000 bars close at once.",
    ),
)


def run(options: Options) -> Iterator[Section]:
    """Measure every axis that is wanted."""
    return (_section(options, axis) for axis in AXES if options.wants(axis.title))


def _section(options: Options, axis: Axis) -> Section:
    entries = [
        Entry(f"{axis.title}: {label}", COMPILED, options.fit(load))
        for label, load in axis.loads.items()
    ]
    runs = in_rounds(options, entries)
    base = _cost(runs[entries[0].label])
    rows = [
        [label, *cells(entry.load, runs[entry.label]), *_more(runs[entry.label], base)]
        for label, entry in zip(axis.loads, entries, strict=True)
    ]
    beats = worst_ms(itertools.chain(*runs.values()), "heartbeat_gap_ms")
    remarks = [axis.remark] if axis.remark else []
    if beats != "-":
        remarks.append(f"Answered group heartbeats were at most {beats} ms apart.")
    intro = _INTRO.format(how_often=how_often(options))
    return Section(axis.title, intro, (axis.what, *COLUMNS, "loop held, ms", "cost"), rows, remarks)


def _more(runs: Sequence[Run], base: float | None) -> tuple[str, str]:
    """How long the event loop was held up at most, and the cost beside the first row's."""
    return worst_ms(runs, "loop_max_ms"), _relative(runs, base)


def _relative(runs: Sequence[Run], base: float | None) -> str:
    cost = _cost(runs)
    return "-" if not base or cost is None else f"{cost / base:.2f}"


def _cost(runs: Sequence[Run]) -> float | None:
    good = [run.cpu_s_per_million for run in runs if not run.problem]
    return statistics.median(good) if good else None
