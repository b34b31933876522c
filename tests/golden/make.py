"""Make the recorded day anew: ``make golden``, or one of its halves.

    python -m tests.golden.make ticks    the day itself, from a seed: the same file every time
    python -m tests.golden.make bars     what the readable engine makes of it, in one run

Nothing else writes these files. ``bars`` is for a change of the output that is meant: look at the
difference before committing it; tests/golden/test_recorded_day.py computes the bars independently,
so a wrong file does not pass.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from barengine.kernel import PureKernel
from tests.golden.day import BARS, TICKS, Row, lines
from tests.golden.replay import Replay

_SEED: Final = 20251128
_MINUTE: Final = 60_000


def _ms(day: int, hour: int, minute: int = 0) -> int:
    """A time in the UTC of November 2025; day 31 is the first of December."""
    return (
        int(datetime(2025, 11, 1, hour, minute, tzinfo=UTC).timestamp() * 1000)
        + (day - 1) * 1440 * _MINUTE
    )


_DAYS: Final = {"TOKYO": (_ms(28, 0), _ms(28, 6, 30)), "EVENING": (_ms(28, 1), _ms(28, 5, 30))}
_OUTSIDE_MS: Final = 5 * _MINUTE
"""Some ticks come before the open and after the close."""

_SERIES: Final = {
    ("TOKYO", "7203"): (0, 15),
    ("TOKYO", "6758"): (1, 40),
    ("EVENING", "ES"): (0, 12),
    ("EVENING", "NQ"): (1, 30),
    ("EVENING", "GC|Z"): (1, 150),
}
"""Partition, and mean seconds between two ticks. TOKYO|9984 is silent on the day."""

_QUIET: Final = {
    "TOKYO": ((_ms(28, 0, 40), _ms(28, 0, 55)), (_ms(28, 2, 31), _ms(28, 3, 30))),
    "EVENING": ((_ms(28, 3, 40), _ms(28, 4, 5)),),
}
"""The halt, the break but for its first minute, and a feed that is down."""


def _ticks(rng: Random) -> list[Row]:
    arriving: list[tuple[float, Row]] = []
    before = _ms(27, 6, 29)
    arriving.append((before, Row(0, "TOKYO", "9984", before + 1, "900.5", "3")))
    for (broker, symbol), (partition, mean_s) in _SERIES.items():
        price = rng.uniform(50, 500)
        for time_ms in _times(rng, broker, symbol, mean_s):
            price += rng.gauss(0, 0.3)
            size = rng.choice(("", "1", "2", "0.5", str(rng.randrange(1, 500))))
            row = Row(partition, broker, symbol, time_ms, f"{price:.2f}", size)
            arriving.append((time_ms + _delay_ms(rng), row))
        monday = _ms(31, 0 if broker == "TOKYO" else 1, 2) + 500
        arriving.append((monday, Row(partition, broker, symbol, monday, f"{price:.2f}", "1")))
    arriving.sort()
    return list(_with_dead(rng, [row for _, row in arriving]))


def _times(rng: Random, broker: str, symbol: str, mean_s: float) -> Iterator[int]:
    begin, end = _DAYS[broker]
    quiet = _QUIET[broker] + (((_ms(28, 4, 30), end + _OUTSIDE_MS),) if symbol == "NQ" else ())
    time_ms = float(begin - _OUTSIDE_MS)
    while (time_ms := time_ms + rng.expovariate(1 / mean_s) * 1000) < end + _OUTSIDE_MS:
        if not any(start <= time_ms < stop for start, stop in quiet):
            yield int(time_ms)


def _delay_ms(rng: Random) -> float:
    """Mostly within the grace; some are late, some later than corrections reach."""
    if rng.random() < 0.015:
        return rng.uniform(5_000, 40 * _MINUTE)
    return rng.expovariate(1 / 300)


def _with_dead(rng: Random, ticks: list[Row]) -> Iterator[Row]:
    for row in ticks:
        yield row
        if rng.random() < 0.004:
            bad = (
                row._replace(broker="", symbol="", price="0", size=""),
                row._replace(price="nan"),
                row._replace(symbol=""),
                row._replace(size="-1"),
            )
            yield rng.choice(bad)


def write_ticks(path: Path = TICKS) -> None:
    """Write the input."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(_ticks(Random(_SEED)))
    path.write_bytes(gzip.compress(out.getvalue().encode(), mtime=0))


def write_bars(path: Path = BARS) -> None:
    """Write the output."""
    path.write_text("\n".join([*lines(Replay(PureKernel).run(None)), ""]), encoding="utf-8")


if __name__ == "__main__":
    halves = {"ticks": write_ticks, "bars": write_bars}
    for half in sys.argv[1:] or halves:
        halves[half]()
