"""The peers of the comparison on a small load: what is compared must be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import measure as measuring
from benchmarks.contender import Contender
from benchmarks.contenders import java, peers
from benchmarks.load import Load, expected, prepare
from benchmarks.measure import measure
from benchmarks.verdict import Verdict

LOAD = Load(20_000, series=50, partitions=2, minutes=3)


@pytest.fixture(autouse=True)
def logs_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(measuring, "FOLDER", tmp_path)


@pytest.mark.parametrize("contender", [peers.LOOP, java.PROCESSOR, java.BEST, java.DEFAULT])
async def test_a_peer_makes_every_bar_exactly(bootstrap: str, contender: Contender) -> None:
    """Its bars are those of the load, each once; where it cannot run, it says what is missing."""
    why = contender.available()
    if why is not None:
        assert "JDK" in why
        return
    await prepare(bootstrap, LOAD)
    run = measure(contender, bootstrap, LOAD)
    assert run.problem == ""
    assert run.verdict == Verdict(exact=len(expected(LOAD)))
    assert run.cpu_s > 0


@pytest.mark.parametrize("contender", [peers.READING_AIOKAFKA, peers.READING_LIBRDKAFKA])
async def test_a_reader_reads_every_record(bootstrap: str, contender: Contender) -> None:
    """It reads the closing ticks too, and is still there to be asked what it took."""
    await prepare(bootstrap, LOAD)
    run = measure(contender, bootstrap, LOAD)
    assert (run.problem, run.verdict) == ("", None)
    assert run.peak_bytes > 10_000_000
