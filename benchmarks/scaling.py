"""How the cost of a tick depends on the load: one table for each thing that can grow."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from barengine.kafka.compression import CODECS
from benchmarks import loop
from benchmarks.contender import Contender
from benchmarks.contenders.ours import COMPILED, with_rollups
from benchmarks.load import Load
from benchmarks.marking import at_most
from benchmarks.measure import Run
from benchmarks.report import Section
from benchmarks.rounds import COLUMNS, Entry, Options, cells, how_often, in_rounds, worst_ms

_BASE: Final = Load(5_000_000)
_SHORT: Final = Load(2_000_000, minutes=24)
_WIDE: Final = Load(10_000_000, partitions=8, minutes=2)

_ROLLUPS: Final = ("5m", "5m,15m,1h,1d")

_INTRO: Final = (
    "barengine, everything but the first column as in the comparison. Cost: CPU time per tick, "
    "the first row is 1. Loop held: the longest that the event loop was blocked in any run; where "
    "its thread's CPU in that gap is little, the machine was busy with others. {how_often}"
)


@dataclass(frozen=True)
class Axis:
    """Loads that differ in one thing, by what they are called in the table.

    Args:
        contenders: who gets a load, where it is not the engine as it comes.
        mark: the most that the last row's cost may be.
    """

    title: str
    what: str
    loads: Mapping[str, Load]
    remark: str = ""
    contenders: Mapping[str, Contender] = field(default_factory=dict)
    mark: float | None = None


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
        mark=2.0,
    ),
    Axis(
        "Roll-ups",
        "ROLLUPS",
        dict.fromkeys(("none", *_ROLLUPS), _BASE),
        "On base bars of 1m, which have 83 ticks here. Until the last base bar is readable: what "
        "is rolled up leaves in the same transactions.",
        {rollups: with_rollups(rollups) for rollups in _ROLLUPS},
        mark=1.15,
    ),
)


def run(options: Options) -> Iterator[Section]:
    """Measure every axis that is wanted."""
    return (_section(options, axis) for axis in AXES if options.wants(axis.title))


def _section(options: Options, axis: Axis) -> Section:
    entries = [
        Entry(f"{axis.title}: {label}", axis.contenders.get(label, COMPILED), options.fit(load))
        for label, load in axis.loads.items()
    ]
    runs = in_rounds(options, entries)
    base = _cost(runs[entries[0].label])
    rows = [
        [
            label,
            *cells(entry.load, runs[entry.label]),
            *loop.cells(runs[entry.label]),
            _relative(runs[entry.label], base),
        ]
        for label, entry in zip(axis.loads, entries, strict=True)
    ]
    every = list(itertools.chain(*runs.values()))
    remarks = [axis.remark] if axis.remark else []
    if axis.mark is not None:
        what = f"times the cost of the first row, {axis.what} {rows[-1][0]}"
        remarks.append(at_most(what, _times(runs[entries[-1].label], base), axis.mark, _text))
    remarks += loop.marks(every)
    beats = worst_ms(every, "heartbeat_gap_ms")
    if beats != "-":
        remarks.append(f"Answered group heartbeats were at most {beats} ms apart.")
    intro = _INTRO.format(how_often=how_often(options))
    columns = (axis.what, *COLUMNS, *loop.COLUMNS, "cost")
    return Section(axis.title, intro, columns, rows, remarks)


def _relative(runs: Sequence[Run], base: float | None) -> str:
    times = _times(runs, base)
    return "-" if times is None else _text(times)


def _times(runs: Sequence[Run], base: float | None) -> float | None:
    """The cost beside that of the first row."""
    cost = _cost(runs)
    return cost / base if base and cost is not None else None


def _text(times: float) -> str:
    return f"{times:.2f}"


def _cost(runs: Sequence[Run]) -> float | None:
    good = [run.cpu_s_per_million for run in runs if run.good]
    return statistics.median(good) if good else None
