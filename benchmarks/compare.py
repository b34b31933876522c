"""Everyone on the same ticks, side by side."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from benchmarks.contender import Contender
from benchmarks.contenders.everyone import contenders
from benchmarks.contenders.ours import COMPILED
from benchmarks.load import Load
from benchmarks.measure import Run
from benchmarks.report import Section
from benchmarks.rounds import (
    COLUMNS,
    Entry,
    Options,
    at_most,
    cells,
    how_often,
    in_rounds,
    worst_ms,
)

LOAD: Final = Load(5_000_000)
_PEER: Final = "Kafka Streams"

_INTRO: Final = (
    "One topic: 1,000 series, 4 partitions, lz4, records of about 53 bytes, up to one second out "
    "of order; slow contenders get the first part of the same market time. Counted from the first "
    "record in hand to the last bar readable with read_committed; start-up is not counted. Every "
    "bar is compared with one computed by sorting. {how_often}"
)


def run(options: Options) -> Iterator[Section]:
    """Measure all contenders that are wanted and can be measured here."""
    load = options.fit(LOAD)
    chosen, left_out = _chosen(options)
    entries = [Entry(one.name, one, at_most(load, one.ticks)) for one in chosen]
    if not entries:
        return
    runs = in_rounds(options, entries)
    rows = [
        [name, one.guarantee, *cells(part, runs[name]), one.notes] for name, one, part in entries
    ]
    yield Section(
        "Side by side",
        _INTRO.format(how_often=how_often(options)),
        ("", "guarantee", *COLUMNS, "notes"),
        rows,
        [*ratios(runs), *_punctual(runs), *left_out],
    )


def ratios(runs: Mapping[str, Sequence[Run]]) -> list[str]:
    """How barengine compares with the best variant of Kafka Streams; none where one is missing."""
    good = {name: [run for run in each if not run.problem] for name, each in runs.items()}
    ours = good.get(COMPILED.name)
    peers = [each for name, each in good.items() if name.startswith(_PEER) and each]
    if not ours or not peers:
        return []
    speed = _speed(ours) / max(map(_speed, peers))
    cpu = min(map(_cpu, peers)) / _cpu(ours)
    return [
        f"{COMPILED.name} against the best {_PEER} variant: {speed:.1f} times the ticks a second, "
        f"{cpu:.1f} times less CPU."
    ]


def _punctual(runs: Mapping[str, Sequence[Run]]) -> list[str]:
    """How barengine's event loop kept up in the worst of its runs."""
    held = worst_ms(runs.get(COMPILED.name, []), "loop_max_ms")
    if held == "-":
        return []
    return [f"{COMPILED.name}'s event loop was never held up for more than {held} ms."]


def _chosen(options: Options) -> tuple[list[Contender], list[str]]:
    chosen, left_out = [], []
    for one in contenders():
        if not options.wants(one.name) or (one.extra and not options.extras):
            continue
        if (why := one.available()) is None:
            chosen.append(one)
        else:
            left_out.append(f"Left out: {one.name}. {why}")
    return chosen, left_out


def _speed(runs: Sequence[Run]) -> float:
    return statistics.median(run.ticks_per_s for run in runs)


def _cpu(runs: Sequence[Run]) -> float:
    return statistics.median(run.cpu_s_per_million for run in runs)
