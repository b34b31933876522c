"""The tables of closes: many bars of one bucket at once, flat ones too, and a chain of roll-ups."""

from __future__ import annotations

import statistics
from typing import Any, Final

from benchmarks.marking import at_most
from benchmarks.marks import burst
from benchmarks.marks.plan import Plan, times_ms, whole
from benchmarks.report import Section

_MARK_MS: Final = 1500.0
_CASES: Final = ((8, "broker"), (1, "broker"), (8, "series"), (1, "series"))
_FILL_PARTITIONS: Final = 8
_CHAIN: Final = ("1s", "1m", "5m", "1h", "1d")


def section(plan: Plan) -> Section:
    """Bars of ticks by watermark and partitions, then flat bars."""
    series = plan.sizes.series
    rows, worst = [], {"ticks": 0.0, "filled": 0.0}

    def add(kind: str, partitions: int, watermark: str, runs: list[dict[str, Any]]) -> None:
        rows.append((kind, str(partitions), watermark, *times_ms(runs)))
        worst[kind] = max(worst[kind], *(run["sent_ms"] for run in runs))

    for partitions, watermark in _CASES:
        runs = plan.repeated(
            f"close of {series:,} bars, {partitions} partitions, WATERMARK={watermark}",
            lambda: burst.close(plan.bootstrap, plan.folder, series, partitions, watermark),  # noqa: B023
        )
        add("ticks", partitions, watermark, runs)
    runs = plan.repeated(
        f"close of {series:,} flat bars, {_FILL_PARTITIONS} partitions",
        lambda: burst.fill(plan.bootstrap, plan.folder, series, _FILL_PARTITIONS),
    )
    add("filled", _FILL_PARTITIONS, "broker", runs)
    return Section(
        f"One bucket's close of {series:,} bars",
        "One open window for each series, then the tick of each partition that closes them all "
        "(WATERMARK=series: a tick of each series), until a reader of committed records has every "
        "bar. Filled: with CONTINUOUS=1m, the bucket after that, in which no series has a tick "
        "but the closing ones. The marks are for the slowest of all runs, from sending.",
        (
            "bars of",
            "partitions",
            "WATERMARK",
            "acknowledged to readable, ms",
            "sent to readable, ms",
        ),
        rows,
        [
            at_most(f"close of {series:,} bars ({kind}), ms", found, _MARK_MS, whole)
            for kind, found in worst.items()
        ],
    )


def chain(plan: Plan) -> Section:
    """One tick closes a second, and with it a minute, five, an hour and a day."""
    series, rows, medians = plan.sizes.chain_series, [], []
    for length in range(1, len(_CHAIN) + 1):
        periods = _CHAIN[:length]
        name = " -> ".join(periods)
        runs = plan.repeated(
            f"close of {name}, {series:,} series",
            lambda: burst.chain(plan.bootstrap, plan.folder, series, periods),  # noqa: B023
        )
        rows.append((name, f"{length * series:,}", *times_ms(runs)))
        medians.append(statistics.median(run["acked_ms"] for run in runs))
    times = [found / medians[0] for found in medians]
    length = max(range(1, len(times)), key=lambda at: times[at] / (at + 1)) + 1
    return Section(
        "A chain of roll-ups",
        f"{series:,} series over {burst.CHAIN_PARTITIONS} partitions have a tick in the last "
        "second of a day, then one tick of each partition closes that second and all that end "
        "with it, until a reader of committed records has the bars of every period. The day before "
        "ended so, too, uncounted: topics are not new. The mark: at most linear, no more than so "
        "many times a chain of one as there are periods.",
        ("periods", "bars", "acknowledged to readable, ms", "sent to readable, ms"),
        rows,
        [
            at_most(
                f"times the latency of {_CHAIN[0]} alone, with {length} periods",
                times[length - 1],
                length,
                lambda value: f"{value:.1f}",
            )
        ],
    )
