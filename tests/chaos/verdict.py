"""What every chaos test insists on."""

from __future__ import annotations

from typing import Final

from barengine.demo.records import OutputRecord
from barengine.demo.report import Report
from tests.broker.scene import Scene
from tests.chaos.feed import LATE_MS

SETTINGS: Final = {"GRACE": "1s", "COMMIT_INTERVAL": "20ms", "IDLE_TIMEOUT": "10s"}
"""A grace that keeps every tick but those meant to be late; an idle time-out that no hiccup of
the feed reaches, nor the time it takes to find a broker that is back, but the longest time without
owner or broker does: it must not be taken for silence."""


def accounted(scene: Scene, report: Report) -> None:
    """Insist that each tick of the topic is in one bar or in one letter, and late only on purpose.

    The report has compared bars and letters one by one.
    """
    assert report.in_bars + report.late + report.dead == report.ticks_in, report
    assert report.late > 0, report
    assert report.dead > 0, report
    accidents = [letter for letter in scene.late() if not _planned(letter)]
    assert accidents == [], f"{len(accidents)} ticks late by accident: {accidents[:3]}"


def all_arrived(report: Report, ticks: int, *, broker_lives: bool) -> None:
    """Insist that the topic has every tick of the feed, once.

    Where a broker dies there may be more: the feed's client writes again what lost its answer.
    """
    once = report.ticks_in == ticks if broker_lives else report.ticks_in >= ticks
    assert once, f"{ticks} were taken: {report}"


def _planned(letter: OutputRecord) -> bool:
    return int(letter.header("lateness_ms") or 0) > LATE_MS // 2
