"""Everyone on the same ticks, side by side, and the fastest once more for longer."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from benchmarks import loop
from benchmarks.contender import Contender
from benchmarks.contenders import java
from benchmarks.contenders.everyone import contenders
from benchmarks.contenders.ours import COMPILED
from benchmarks.load import Load
from benchmarks.marking import at_least, at_most
from benchmarks.measure import Run
from benchmarks.report import Section, rate
from benchmarks.rounds import COLUMNS, Entry, Options, at_most_ticks, cells, how_often, in_rounds

LOAD: Final = Load(5_000_000)

LONG: Final = Load(20_000_000, minutes=240)
"""As many ticks a bar. A JVM is warm after some seconds, and the last commit weighs a quarter."""

LONG_ROUNDS: Final = 3
_LONG_NAMES: Final = (COMPILED.name, java.BEST.name, java.PROCESSOR.name)

SPEED: Final = 5e6
"""Marks for the comparison's load: ticks/s, CPU s per M ticks, and how many times better than
Kafka Streams."""
CPU: Final = 0.2
TIMES_SPEED: Final = 12.0
TIMES_CPU: Final = 25.0

_PEER: Final = "Kafka Streams"

_INTRO: Final = (
    "One topic: 1,000 series, 4 partitions, lz4, records of about 53 bytes, up to one second out "
    "of order; slow contenders get the first part of the same market time. Counted from the first "
    "record in hand to the last bar readable with read_committed: to the broker's word that "
    "everything before it is committed, asked for every 5 ms; the bars are read afterwards. "
    "Start-up is not counted. Every bar is compared with one computed by sorting. {how_often}"
)
_LONG_INTRO: Final = (
    "The same for four times as long: a JVM's compiler and the last commit, up to a second after "
    "the last bar, weigh less. Shown beside the marks, which are those of the load above. "
    "{how_often}"
)


class Ratios(NamedTuple):
    """How many times better barengine is than the best variant of its peer, each on its own."""

    speed: float
    cpu: float
    fastest: str
    thriftiest: str


def run(options: Options) -> Iterator[Section]:
    """Measure all contenders that are wanted and can be measured here."""
    chosen, left_out = _chosen(options)
    load = options.fit(LOAD)
    entries = [Entry(one.name, one, at_most_ticks(load, one.ticks)) for one in chosen]
    if not entries:
        return
    runs = in_rounds(options, entries)
    intro = _INTRO.format(how_often=how_often(options))
    remarks = [*told(runs), *_marks(runs), *left_out]
    yield _section("Side by side", intro, entries, runs, remarks)
    yield from _longer(options, [one for one in chosen if one.name in _LONG_NAMES])


def _longer(options: Options, chosen: Sequence[Contender]) -> Iterator[Section]:
    if not chosen:
        return
    options = replace(options, rounds=min(options.rounds, LONG_ROUNDS))
    load = options.fit(LONG)
    entries = [Entry(one.name, one, load) for one in chosen]
    runs = in_rounds(options, entries)
    intro = _LONG_INTRO.format(how_often=how_often(options))
    yield _section("Side by side, a longer run", intro, entries, runs, told(runs))


def _section(
    title: str,
    intro: str,
    entries: Sequence[Entry],
    runs: Mapping[str, Sequence[Run]],
    remarks: Sequence[str],
) -> Section:
    rows = [
        [name, one.guarantee, *cells(part, runs[name]), one.notes] for name, one, part in entries
    ]
    return Section(title, intro, ("", "guarantee", *COLUMNS, "notes"), rows, remarks)


def ratios(runs: Mapping[str, Sequence[Run]]) -> Ratios | None:
    """From runs whose every bar was right; None where one side has none."""
    good = {name: [run for run in each if run.good] for name, each in runs.items()}
    ours = good.get(COMPILED.name)
    peers = {name: each for name, each in good.items() if name.startswith(_PEER) and each}
    if not ours or not peers:
        return None
    fastest = max(peers, key=lambda name: _speed(peers[name]))
    thriftiest = min(peers, key=lambda name: _cpu(peers[name]))
    return Ratios(
        _speed(ours) / _speed(peers[fastest]),
        _cpu(peers[thriftiest]) / _cpu(ours),
        fastest,
        thriftiest,
    )


def told(runs: Mapping[str, Sequence[Run]]) -> list[str]:
    """A sentence for each variant of the peer."""
    pairs = {
        name: ratios({one: runs.get(one, ()) for one in (COMPILED.name, name)})
        for name in runs
        if name.startswith(_PEER)
    }
    return [
        f"{COMPILED.name} against {name}: {found.speed:.1f} times the ticks a second, "
        f"{found.cpu:.1f} times less CPU."
        for name, found in pairs.items()
        if found is not None
    ]


def _marks(runs: Mapping[str, Sequence[Run]]) -> list[str]:
    """The marks of this load; none where barengine was not measured."""
    if COMPILED.name not in runs:
        return []
    ours = [run for run in runs[COMPILED.name] if run.good]
    against = ratios(runs)
    fastest, thriftiest = (against.fastest, against.thriftiest) if against else (_PEER, _PEER)
    return [
        at_least("ticks/s", _speed(ours) if ours else None, SPEED, rate),
        at_most("CPU s per M ticks", _cpu(ours) if ours else None, CPU, _short),
        at_least(
            f"times the ticks/s of the best, {fastest}",
            against and against.speed,
            TIMES_SPEED,
            _times,
        ),
        at_least(
            f"times less CPU than the best, {thriftiest}",
            against and against.cpu,
            TIMES_CPU,
            _times,
        ),
        *loop.marks(runs[COMPILED.name]),
    ]


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


def _short(value: float) -> str:
    return f"{value:.3g}"


def _times(value: float) -> str:
    return f"{value:.1f}"
