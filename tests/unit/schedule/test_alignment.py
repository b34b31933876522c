"""Sessions must begin and end where buckets do."""

from __future__ import annotations

import pytest

from barengine.errors import ConfigurationError
from barengine.model import Period
from barengine.schedule import Schedule, check_alignment
from tests.unit.schedule.build import CRYPTO, NOON, STOCKS, at, market


def problems(text: str, window: str) -> list[str]:
    """What is wrong with a market in 2024."""
    schedule = Schedule({"M": market(text)})
    try:
        check_alignment(
            schedule, Period.parse(window).length_ns, at("2024-01-01"), at("2025-01-01")
        )
    except ConfigurationError as error:
        return list(error.problems)
    return []


def test_a_time_inside_a_bucket_is_refused() -> None:
    """The error names market, date, time, zone, and a window that fits."""
    assert problems(STOCKS, "1h") == [
        "market M, 2024-01-01: the open at 09:30:00 America/New_York (14:30:00 UTC) is no multiple "
        "of the window 1h; set WINDOW to 30m or a part of it, or correct the schedule"
    ]
    assert problems(STOCKS, "30m") == []


def test_the_zone_counts() -> None:
    """Buckets are cut in UTC: 09:30 in Kolkata is a whole hour there, 09:00 is not."""
    text = 'zone: Asia/Kolkata\nsessions: {mon-fri: {open: "09:%s", close: "15:30"}}'
    assert problems(text % "30", "1h") == []
    assert "03:30:00 UTC" in problems(text % "00", "1h")[0]


def test_every_change_of_clocks_counts() -> None:
    """Lord Howe has an offset of whole hours for half of the year only."""
    text = "zone: Australia/Lord_Howe\nsessions: 24h"
    assert "2024-04-07: the close" in problems(text, "1h")[0]
    assert problems(text, "30m") == []


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('from: "11:30"', 'from: "11:30:30"', "the begin of a break at 11:30:30"),
        ('to: "12:30"', 'to: "12:30:20"', "the end of a break at 12:30:20"),
        ('close: "15:30"', 'close: "15:30:15"', "the close at 15:30:15"),
    ],
)
def test_breaks_and_closes_count(old: str, new: str, what: str) -> None:
    """Every edge of a session, not its open alone."""
    assert problems(NOON, "1m") == []
    [problem] = problems(NOON.replace(old, new), "1m")
    assert what in problem


def test_a_special_day_counts_within_the_stretch_alone() -> None:
    """One bad short day is found; one of another year is not asked about."""
    assert problems(CRYPTO + 'short_days: {2023-07-03: "13:00:01"}', "1m") == []
    [problem] = problems(STOCKS + 'short_days: {2024-07-03: "13:00:01"}', "1m")
    assert "set WINDOW to 1s" in problem
    assert "2024-07-03: the close at 13:00:01" in problem


def test_halts_need_not_fit() -> None:
    """A halt begins when it begins."""
    assert (
        problems(STOCKS + 'halts: [{from: "2024-01-02 10:00:01", to: "2024-01-02 11:00"}]', "1m")
        == []
    )
