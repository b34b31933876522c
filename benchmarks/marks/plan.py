"""What every mark is measured with: a broker, a folder, sizes, and how often."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.report import spread


@dataclass(frozen=True)
class Sizes:
    """How large the marks are."""

    seconds: Mapping[str, int]
    """Of steady state, by length of the windows."""
    warm_up_s: int
    series: int
    """Whose bars close at once."""
    chain_series: int
    windows: tuple[int, ...]
    """Open ones, for their memory."""
    catch_up: tuple[tuple[int, int], ...]
    """Ticks and partitions."""


FULL: Final = Sizes(
    # a percentile over fewer than a hundred closings in time is the slowest one of them
    seconds={"1s": 103, "1m": 310},
    warm_up_s=60,
    series=100_000,
    chain_series=10_000,
    windows=(100_000, 400_000),
    # the last one takes long enough to see heartbeats
    catch_up=((5_000_000, 4), (5_000_000, 32), (30_000_000, 8)),
)

QUICK: Final = Sizes(
    seconds={"1s": 4},
    warm_up_s=1,
    series=2_000,
    chain_series=200,
    windows=(2_000, 4_000),
    catch_up=((64_000, 4),),
)


@dataclass(frozen=True)
class Plan:
    """One measurement of all marks."""

    bootstrap: str
    broker_pid: int
    folder: Path
    rounds: int
    sizes: Sizes
    reports: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """What engines said of their event loops, by what they were doing."""

    def repeated(self, what: str, work: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
        """Do it once a round, and keep what the engine says of its event loop."""
        runs = [work() for _ in range(self.rounds)]
        self.reports[what] = [run["engine"] for run in runs]
        return runs


def whole(number: float) -> str:
    """Without decimals."""
    return f"{number:.0f}"


def times_ms(runs: Iterable[Mapping[str, Any]]) -> list[str]:
    """From the broker's word for the last tick, and from sending it, to the last bar."""
    every = list(runs)
    return [spread((run[kind] for run in every), whole) for kind in ("acked_ms", "sent_ms")]
