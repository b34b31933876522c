"""A recorded day of two markets gives the same bytes however the run is cut.

The day has an overnight session that is a short day, a break, a halt, a feed that is down, late
ticks, dead ones, ticks outside sessions, and a silent symbol; base bars, three roll-ups, flat bars
and corrections leave. ``make golden`` writes input and output anew (tests/golden/make.py);
tests/broker/test_recorded_day.py runs the same on a real broker.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from barengine.engine import turns
from barengine.kernel import kernel_class
from tests.golden import make
from tests.golden.day import BARS, TICKS, lines
from tests.golden.expected import expected_lines
from tests.golden.replay import Output, Replay

CUTS = {"pure": 3, "compiled": 20}
"""Runs of each kernel: a few seconds."""

every_kernel = pytest.mark.parametrize("kernel", ["pure", "compiled"])


@pytest.fixture(scope="module")
def golden() -> list[str]:
    """What must leave."""
    return BARS.read_text(encoding="utf-8").splitlines()


def test_the_golden_file_is_what_the_ticks_make(golden: list[str]) -> None:
    """Every line of it, computed from the ticks by other code, sessions being written by hand."""
    assert golden == expected_lines()


@every_kernel
def test_one_run_gives_it(kernel: str, golden: list[str]) -> None:
    """Everything in one batch and one transaction."""
    assert lines(Replay(kernel_class(kernel)).run(None)) == golden


@every_kernel
def test_every_cut_gives_it(
    kernel: str, golden: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches, commits and crashes anywhere, and transactions that hold few flat bars, change
    neither a byte nor the order in which bars of one topic and partition leave."""
    replay = Replay(kernel_class(kernel))
    whole = replay.run(None)
    monkeypatch.setattr(turns, "MOST_FILLS", 7)
    for seed in range(CUTS[kernel]):
        cut = replay.run(Random(seed))
        assert lines(cut) == golden, f"seed {seed}"
        assert by_series(cut) == by_series(whole), f"seed {seed}"


def by_series(output: Output) -> dict[tuple[str, bytes], list[bytes | None]]:
    """Values of each topic and series in their order."""
    found: dict[tuple[str, bytes], list[bytes | None]] = {}
    for topic, records in output.items():
        for one in records:
            series = (one.key or b"").rpartition(b"|")[0]
            found.setdefault((topic, series), []).append(one.value)
    return found


def test_the_day_has_what_it_is_for(golden: list[str]) -> None:
    """Flat bars of all three causes, corrections of every period, late and dead letters."""
    topics = {line.split()[0] for line in golden}
    periods = ("1m", "5m", "1h", "1d")
    bars = {f"bar_{period}{kind}" for period in periods for kind in ("", "_corrections")}
    assert topics == bars | {"tick_late", "tick_dead"}
    for sign in ("filled quiet", "filled halted", "filled feed_down", " r2 ", "GC\\|Z"):
        assert any(sign in line for line in golden), sign


def test_the_day_is_made_of_its_seed(tmp_path: Path) -> None:
    """The script that is said to have written the input writes it again."""
    make.write_ticks(tmp_path / "ticks")
    assert (tmp_path / "ticks").read_bytes() == TICKS.read_bytes()
