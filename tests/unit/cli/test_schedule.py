"""``barengine schedule``: the table, the JSON, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from barengine import cli

STOCKS = str(Path(__file__).parents[3] / "config" / "schedules" / "stocks.yaml")
TOKYO = """
zone: Asia/Tokyo
sessions:
  mon-fri: {open: 09:00, close: 15:30, breaks: [{from: 11:30, to: 12:30}]}
"""


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BARENGINE_SCHEDULE", "BARENGINE_CONFIG", "BARENGINE_WINDOW"):
        monkeypatch.delenv(name, raising=False)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and error of a command line that ends in our main."""
    try:
        code = cli.main(["schedule", *arguments])
    except SystemExit as ended:
        code = int(ended.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_the_table_of_a_week(capsys: pytest.CaptureFixture[str]) -> None:
    """A holiday has its row and its name, a half day its close, a weekend none."""
    code, out, _ = run(
        capsys, "show", "XNYS", "--from", "2024-11-27", "--to", "2024-12-01", "-s", STOCKS
    )
    assert code == 0
    assert [" ".join(line.split()) for line in out.splitlines()[2:]] == [
        "2024-11-27 Wed 09:30 16:00 2024-11-27 14:30:00 2024-11-27 21:00:00 6:30",
        "2024-11-28 Thu - - - - - holiday: Thanksgiving",
        "2024-11-29 Fri 09:30 13:00 2024-11-29 14:30:00 2024-11-29 18:00:00 3:30 short day",
    ]


def test_the_json_of_a_day(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The same for programs: local times with their offset, UTC, length, breaks."""
    path = tmp_path / "x.yaml"
    path.write_text("markets:\n  M:" + TOKYO.replace("\n", "\n    "))
    day = ("--from", "2024-01-04", "--to", "2024-01-04")
    code, out, _ = run(capsys, "show", "M", *day, "-s", str(path), "--json")
    assert code == 0
    assert json.loads(out) == [
        {
            "trading_date": "2024-01-04",
            "weekday": "Thu",
            "open": "2024-01-04T09:00:00+09:00",
            "close": "2024-01-04T15:30:00+09:00",
            "open_utc": "2024-01-04T00:00:00+00:00",
            "close_utc": "2024-01-04T06:30:00+00:00",
            "length_seconds": 23_400,
            "breaks": [{"from": "2024-01-04T11:30:00+09:00", "to": "2024-01-04T12:30:00+09:00"}],
            "note": "",
        }
    ]


def test_times_of_other_days_are_shown_as_they_are_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The evening before is -1d, midnight at the end 24:00; a day of 25 hours says so."""
    path = tmp_path / "x.yaml"
    path.write_text(
        "markets:\n"
        "  FX: {zone: Europe/Berlin, sessions: {sun: {open: -1d 23:00, close: 23:00}}}\n"
        "  BTC: {zone: Europe/Berlin, sessions: 24h}\n"
    )
    day = ("--from", "2026-10-25", "--to", "2026-10-25", "-s", str(path))
    assert "-1d 23:00  23:00" in run(capsys, "show", "FX", *day)[1]
    last = run(capsys, "show", "BTC", *day)[1].splitlines()[-1]
    assert last.split()[2:4] == ["00:00", "24:00"]
    assert last.split()[-1] == "25:00"


def test_a_schedule_comes_from_the_settings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SCHEDULE says which; without dates, two weeks from today are shown."""
    monkeypatch.setenv("BARENGINE_SCHEDULE", "exchange:XHKG")
    code, out, _ = run(capsys, "show", "XHKG", "--from", "2024-12-24", "--to", "2024-12-25")
    assert code == 0
    assert "short day" in out
    assert "holiday" in out
    assert len(run(capsys, "show", "XHKG")[1].splitlines()) >= 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "XNYS"], "BARENGINE_SCHEDULE is not set; set it, or give --schedule"),
        (["show", "X", "-s", STOCKS], "the schedule has no market 'X'; there are: XNYS"),
        (["show", "X", "-s", "foo"], "BARENGINE_SCHEDULE is 'foo': write a path that ends in"),
        (
            ["show", "XNYS", "-s", STOCKS, "--from", "2024-02-02", "--to", "2024-02-01"],
            "--to 2024-02-01 is before --from 2024-02-02; give them in order",
        ),
        (["check", "nowhere.yaml"], "the schedule nowhere.yaml cannot be read (No such file or"),
        (["check", STOCKS, "--window", "1h"], "set WINDOW to 30m or a part of it"),
        (["check", STOCKS, "--window", "x"], "--window: 'x' is no period"),
    ],
)
def test_what_cannot_work_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """As a configuration error, exit code 2, with the way out."""
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert said in err


def test_a_file_is_checked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A good one is summed up; a bad one is refused with every problem."""
    code, out, _ = run(capsys, "check", STOCKS)
    assert code == 0
    assert "XNYS, America/New_York: NYSE" in out
    bad = tmp_path / "bad.yaml"
    bad.write_text("markets: {A: {zone: x, sessions: 1}, B: {}}")
    code, _, err = run(capsys, "check", str(bad))
    assert code == 2
    assert len(err.splitlines()) == 5
