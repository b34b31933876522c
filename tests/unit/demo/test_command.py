"""The command line of ``barengine demo``, as far as it goes without a broker."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from barengine import cli
from barengine.cli import demo as command
from barengine.demo.csv_ticks import Facts
from barengine.model import Watermark


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is said of arguments that end with exit code 2, on one line."""
    try:
        code = cli.main(["demo", *arguments])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else -1
    assert code == 2
    return " ".join(capsys.readouterr().err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--window", "7m"], "'7m' does not divide a day evenly"),
        (["--grace", "1"], "this is no duration; write a number and a unit"),
        (["--for", "soon"], "this is no duration; write a number and a unit"),
        (["--speed", "2"], "it is for --ticks FILE.csv"),
        (["--ticks", "x.csv", "--rate", "5"], "a file has its own pace: see --speed"),
        (["--ticks", "no/such.csv"], "no/such.csv cannot be read (No such file or directory)"),
        (["--kernel", "fast"], "'fast'"),
        (["--partitions", "0"], "--partitions"),
        (["--rollups", "7s"], "'7s' does not divide a day evenly"),
        (["--window", "5s", "--continuous", "1s"], "no 1s bars are made; add it to ROLLUPS"),
        (["--late", "drop"], "'drop'"),
        (["--live", "1"], "BARENGINE_LIVE is '1'"),
    ],
)
def test_what_cannot_work_ends_before_anything_is_started(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    told: str,
) -> None:
    """Exit code 2 and what is wrong, and no broker."""
    monkeypatch.setattr(command, "LocalKafka", None)
    monkeypatch.setenv("BARENGINE_KERNEL", "pure")
    assert told in refused(capsys, *arguments)


@pytest.mark.parametrize(
    ("seconds", "ticks", "limit"),
    [
        (None, None, 30.0),
        (None, Path("x.csv"), None),
        ("off", None, None),
        ("90s", Path("x.csv"), 90.0),
        ("1m", None, 60.0),
    ],
)
def test_made_up_ticks_end_and_a_file_ends_itself(
    seconds: str | None, ticks: Path | None, limit: float | None
) -> None:
    """30 seconds, or the end of the file, or what --for says."""
    assert command._limit(seconds, ticks) == limit


@pytest.mark.parametrize(
    ("behind_broker_ms", "behind_series_ms", "watermark"),
    [
        (900, 0, Watermark.BROKER),
        (3_600_000, 100, Watermark.SERIES),
        (3_600_000, 3_600_000, Watermark.BROKER),
    ],
)
def test_a_file_sorted_by_series_has_a_clock_for_each(
    behind_broker_ms: int, behind_series_ms: int, watermark: Watermark
) -> None:
    """Where only a clock of its own keeps a series' ticks from being late; and it is said."""
    facts = Facts(10, 0, 0, 2, behind_broker_ms, behind_series_ms)
    out = io.StringIO()
    assert command._watermark(facts, 1_000, Console(file=out, width=200)) is watermark
    assert ("WATERMARK=series" in out.getvalue()) is (watermark is Watermark.SERIES)


def test_made_up_ticks_have_one_clock_per_broker() -> None:
    """The default of the engine."""
    assert command._watermark(None, 1_000, Console(file=io.StringIO())) is Watermark.BROKER


def test_settings_of_the_user_are_not_read_but_named() -> None:
    """BARENGINE_KERNEL alone is: it is no setting."""
    assert command._ignored("BARENGINE_GRACE")
    assert not command._ignored("BARENGINE_KERNEL")
    assert not command._ignored("PATH")
