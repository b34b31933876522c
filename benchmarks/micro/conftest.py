"""``make bench-micro``: the median of each measurement, divided by what was done in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import pytest
from rich.console import Console
from rich.table import Table

ROUNDS: Final = 9


class Row(NamedTuple):
    """One measurement in ns for one item."""

    name: str
    median: float
    best: float
    unit: str


ROWS: Final = pytest.StashKey[list[Row]]()

Setup = Callable[[], tuple[Any, ...]]


class Meter:
    """Times ``work(*setup())``: what is set up is not counted."""

    def __init__(self, name: str, benchmark: Any, rows: list[Row]) -> None:
        self._name = name
        self._benchmark = benchmark
        self._rows = rows

    def __call__(
        self, work: Callable[..., object], setup: Setup, items: int, unit: str, rounds: int = ROUNDS
    ) -> None:
        """Measure; ``items`` are done in one call of ``work``."""
        self._benchmark.extra_info.update(items=items, unit=unit)
        self._benchmark.pedantic(work, setup=lambda: (setup(), {}), rounds=rounds, warmup_rounds=1)
        stats = self._benchmark.stats.stats
        median, best = stats.median / items * 1e9, stats.min / items * 1e9
        self._rows.append(Row(self._name, median, best, unit))


@pytest.fixture
def meter(request: pytest.FixtureRequest, benchmark: Any) -> Meter:
    """The name of a row is the docstring of its test, and the parameters."""
    parameters = getattr(request.node, "callspec", None)
    details = ", ".join(map(str, parameters.params.values())) if parameters else ""
    title = (request.function.__doc__ or request.node.name).strip().rstrip(".")
    rows = request.config.stash.setdefault(ROWS, [])
    return Meter(f"{title}: {details}" if details else title, benchmark, rows)


def pytest_terminal_summary(config: pytest.Config) -> None:
    """Print what was measured."""
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    table = Table("what", "ns, median", "best", "for each")
    for column in table.columns[1:3]:
        column.justify = "right"
    for row in rows:
        table.add_row(row.name, f"{row.median:,.1f}", f"{row.best:,.1f}", row.unit)
    Console().print(table)
