"""The marks that are no throughput: latency, the close of a large bucket, memory, the event loop.

    python -m benchmarks marks [--rounds N]

Broker, engine, feeder and reader share the machine. All of them read the same monotonic clock, so
that times of one are compared with times of another as they are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from barengine.kafka.local import LocalKafka
from benchmarks.marks import burst, catchup, steady
from benchmarks.report import Section, spread

_SECONDS: Final = {"1s": 20, "1m": 130}
_WARM_UP_S: Final = 15
_SERIES: Final = 100_000
_WINDOWS: Final = (100_000, 400_000)
_CATCH_UP: Final = ((5_000_000, 4), (5_000_000, 32), (30_000_000, 8))
"""Ticks and partitions; the last one takes long enough to see heartbeats."""

_HELD_MS: Final = 50.0

_WHO: Final = ("engine", "broker", "feeder", "reader", "others")

Reports = dict[str, list[dict[str, Any]]]
"""What engines said of their event loops, by what they were doing."""


def run(kafka: LocalKafka, rounds: int) -> list[Section]:
    """Measure every mark ``rounds`` times (with minutes as windows: once)."""
    reports: Reports = {}
    with tempfile.TemporaryDirectory(prefix="marks-") as name:
        folder = Path(name)
        return [
            _steady(kafka, folder, rounds, reports),
            _close(kafka, folder, rounds, reports),
            _memory(kafka, folder, rounds),
            _loop(kafka, folder, rounds, reports),
        ]


def _steady(kafka: LocalKafka, folder: Path, rounds: int, reports: Reports) -> Section:
    rows = []
    # A broker that has just started is still compiling: 20 ms at p50 where it takes 13 later.
    steady.measure(kafka.bootstrap, kafka.pid, folder, "1s", _WARM_UP_S)
    for window, seconds in _SECONDS.items():
        runs = [
            steady.measure(kafka.bootstrap, kafka.pid, folder, window, seconds)
            for _ in range(rounds if window == "1s" else 1)
        ]
        reports[f"steady state, windows of {window}"] = [run["engine"] for run in runs]
        closings = sum(len(run["acked"]) for run in runs)
        missing = sum(run["missing"] for run in runs)
        times = [_percentiles(runs, kind) for kind in ("acked", "sent")]
        cpu = [_cpu(runs, who) for who in _WHO]
        rows.append((window, f"{closings}, {missing} missing", *times, *cpu))
    return Section(
        "From the closing tick to readable bars",
        f"{steady.RATE:,} ticks/s in real time, {steady.SERIES} series of {steady.BROKERS} brokers "
        f"over {steady.PARTITIONS} partitions, a request every {steady.EVERY_MS} ms, GRACE "
        f"{steady.GRACE_MS} ms, exactly once, all else default. A closing is one bucket of one "
        "broker in one partition: from the broker's word for the batch with the tick that closes "
        "it (or from sending that batch) until a reader of committed records, librdkafka, has its "
        "last bar. The mark: p50 <= 25 ms, p99 <= 60 ms. CPU as cores of this machine; "
        "the others have no part in it, and should be 0.",
        (
            "WINDOW",
            "closings",
            "acknowledged to readable: p50 / p99 / max ms",
            "sent to readable: p50 / p99 / max ms",
            *_WHO,
        ),
        rows,
    )


def _percentiles(runs: list[dict[str, Any]], kind: str) -> str:
    found = [np.percentile(run[kind], [50, 99, 100]) for run in runs if run[kind]]
    return " / ".join(spread((f[at] for f in found), "{:.1f}".format) for at in range(3))


def _cpu(runs: list[dict[str, Any]], who: str) -> str:
    return spread((run["cpu"][who] for run in runs), "{:.2f}".format)


def _close(kafka: LocalKafka, folder: Path, rounds: int, reports: Reports) -> Section:
    rows = []
    for partitions, watermark in ((8, "broker"), (1, "broker"), (8, "series"), (1, "series")):
        runs = [
            burst.close(kafka.bootstrap, folder, _SERIES, partitions, watermark)
            for _ in range(rounds)
        ]
        name = f"close of {_SERIES:,} bars, {partitions} partitions, WATERMARK={watermark}"
        reports[name] = [run["engine"] for run in runs]
        times = [spread((run[kind] for run in runs), _whole) for kind in ("acked_ms", "sent_ms")]
        rows.append((str(partitions), watermark, *times))
    return Section(
        f"One bucket's close of {_SERIES:,} bars",
        "One open window for each series, then the tick of each partition that closes them all "
        "(WATERMARK=series: a tick of each series), until a reader of committed records has every "
        "bar. The mark: 1500 ms.",
        ("partitions", "WATERMARK", "acknowledged to readable, ms", "sent to readable, ms"),
        rows,
    )


def _memory(kafka: LocalKafka, folder: Path, rounds: int) -> Section:
    runs = [burst.memory(kafka.bootstrap, folder, _WINDOWS) for _ in range(rounds)]
    rows = [("0", spread((run[0] / 2**20 for run in runs), _whole), "")]
    for at, windows in enumerate(_WINDOWS, 1):
        held = spread((run[at] / 2**20 for run in runs), _whole)
        each = spread(((run[at] - run[0]) / windows for run in runs), _whole)
        rows.append((f"{windows:,}", held, each))
    return Section(
        "Memory of open windows",
        "Resident memory of the whole engine process before and after, over 8 partitions, one "
        "series a window. The mark: 400 bytes.",
        ("open windows", "MiB", "bytes a window"),
        rows,
    )


def _loop(kafka: LocalKafka, folder: Path, rounds: int, reports: Reports) -> Section:
    def repeated(work: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
        return [work()["engine"] for _ in range(rounds)]

    for ticks, partitions in _CATCH_UP:
        reports[f"catch-up of {ticks:,} ticks, {partitions} partitions"] = repeated(
            lambda: catchup.measure(kafka.bootstrap, folder, ticks, partitions)  # noqa: B023
        )
    for partitions in (8, 1):
        reports[f"recovery with {_SERIES:,} series, {partitions} partitions"] = repeated(
            lambda: burst.recovery(kafka.bootstrap, folder, _SERIES, partitions, 2)  # noqa: B023
        )
    return Section(
        "The event loop",
        "A timer every 5 ms tells how late the loop came to it, from start-up to the end. CPU is "
        "what the loop's own thread used in that time: where it is little, the machine was busy "
        f"with the others. The mark: never {_HELD_MS:.0f} ms late; a heartbeat every second.",
        (
            "while",
            "latest, ms",
            "CPU in it, ms",
            f"later than {_HELD_MS:.0f} ms",
            "with as much CPU",
            "longest collection, ms",
            "longest heartbeat gap, s",
        ),
        [_held(name, found) for name, found in reports.items()],
    )


def _held(name: str, reports: list[dict[str, Any]]) -> tuple[str, ...]:
    held = [one for report in reports for one in report["held"]]
    worst = max(held, key=lambda one: one[1], default=(0, _top(reports, "latest_ms"), 0))
    pauses = [ms for report in reports for *_, ms in report["collections"]]
    gap = _top(reports, "heartbeat_gap_s")
    return (
        name,
        _whole(worst[1]),
        _whole(worst[2]),
        str(sum(late > _HELD_MS for _, late, _ in held)),
        str(sum(min(late, cpu) > _HELD_MS for _, late, cpu in held)),
        _whole(max(pauses, default=0.0)),
        f"{gap:.2f}" if gap else "-",
    )


def _top(reports: Iterable[dict[str, Any]], key: str) -> float:
    return max(float(report[key]) for report in reports)


def _whole(number: float) -> str:
    return f"{number:.0f}"
