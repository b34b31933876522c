"""What every chaos test insists on, and the one line that it leaves behind."""

from __future__ import annotations

from typing import Final

import pytest

from barengine.demo.records import OutputRecord
from barengine.demo.report import Report
from tests.broker.scene import Scene
from tests.chaos.feed import LATE_MS

SETTINGS: Final = {"GRACE": "1s", "COMMIT_INTERVAL": "20ms", "IDLE_TIMEOUT": "5s"}
"""A grace that keeps every tick but those meant to be late; an idle time-out that no hiccup of
the feed reaches, but the time without owner or broker does: it must not be taken for silence."""


def tell(capsys: pytest.CaptureFixture[str], what: str, report: Report) -> None:
    """Print the run in one line, whether it passes or not."""
    with capsys.disabled():
        print(  # noqa: T201 - the run's summary, seed included
            f"\n{what}, {report.ticks_in:,} ticks, {report.bars_exact:,} bars exact, "
            f"{report.late:,} late, {report.dead:,} dead letters"
        )


def accounted(scene: Scene, report: Report, ticks: int) -> None:
    """Insist that each tick of the feed is in one bar or in one letter, and late only on purpose.

    Bars and letters themselves have been compared one by one before.
    """
    assert report.ticks_in == ticks, report
    assert report.in_bars + report.late + report.dead == ticks, report
    assert report.late > 0, report
    assert report.dead > 0, report
    accidents = [letter for letter in scene.late() if not _planned(letter)]
    assert accidents == []


def _planned(letter: OutputRecord) -> bool:
    return int(letter.header("lateness_ms") or 0) > LATE_MS // 2
