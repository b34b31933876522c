"""Engines come and go while ticks come: partitions move, bars do not change."""

from __future__ import annotations

import time
from typing import Final

import pytest

from tests.chaos.storm import Chaos

SECOND_S: Final = 1.0
MOST: Final = 4
"""Engines at once; as many as partitions."""


def test_one_three_two_one(chaos: Chaos) -> None:
    """From one engine to three, to two and back to one: each tick is in its bar."""
    with chaos.storm("1 > 3 > 2 > 1 instances") as storm:
        for _ in range(chaos.pick(short=1, full=4)):
            storm.calm(0.5, 2.0)
            for _ in range(2):
                storm.inject("join", storm.fleet.start)
            storm.fleet.until_covered()
            storm.calm(0.5, 2.0)
            for _ in range(2):
                storm.inject("leave", storm.fleet.leave, min(storm.fleet.engines))
                storm.fleet.until_covered()
                storm.calm(0.5, 2.0)
        storm.finish()


@pytest.mark.full
@pytest.mark.parametrize("static", [False, True], ids=["dynamic", "static"])
def test_rolling_restart(static: bool, chaos: Chaos) -> None:
    """Engines that are restarted one after the other, as a deployment does it, lose nothing."""
    members = "static" if static else "dynamic"
    with chaos.storm(f"rolling restart, {members}", engines=3, static=static) as storm:
        for _ in range(3):
            for number in range(3):
                storm.calm(0.2, 1.5)
                storm.inject("SIGTERM", storm.fleet.leave, number)
                storm.fleet.start(number)
                storm.fleet.until_covered()
        storm.finish()


@pytest.mark.full
def test_two_start_at_once(chaos: Chaos) -> None:
    """Two engines that start in the same moment share the work, with and without a past."""
    with chaos.storm("two start at once", engines=0) as storm:
        for again in range(5):
            for _ in range(2):
                storm.inject("start", storm.fleet.start)
            storm.fleet.until_covered()
            storm.calm(0.5, 2.0)
            for number in (0, 1) if again < 4 else ():
                storm.fleet.kill(number)
        storm.finish()


@pytest.mark.full
def test_one_joins_every_second(chaos: Chaos) -> None:
    """An engine joins every second, and soon one leaves every second, some before they are ready:
    the group hardly comes to rest, the bars are right."""
    with chaos.storm("an instance joins every second") as storm:
        for _ in range(20):
            if len(storm.fleet.engines) == MOST:
                number = chaos.chance.choice(list(storm.fleet.engines))
                storm.inject("leave", storm.fleet.leave, number)
            storm.inject("join", storm.fleet.start)
            time.sleep(SECOND_S)
            storm.fleet.check()
        storm.fleet.until_covered()
        storm.finish()
