"""Kills, rebalances and a broker that dies, while everything is on that bars can be: each period,
flat bar and correction is right, and there once."""

from __future__ import annotations

import time

import pytest

from barengine.kafka.local import LocalKafka
from tests.chaos.full_book import CLOSE_MS, MIX, NOON_MS, RATE, SETTINGS, check
from tests.chaos.storm import Chaos, Storm

_LONG_ENOUGH_S = (CLOSE_MS - NOON_MS) / 1000 + 6
"""The close, and late ticks from before it."""


def storm(chaos: Chaos, fault: str, bootstrap: str | None = None, *, engines: int = 1) -> Storm:
    return chaos.storm(
        f"{fault}, all kinds of bars",
        bootstrap,
        engines=engines,
        static=engines == 1,
        rate=RATE,
        settings=SETTINGS,
        mix=MIX,
        check=check,
    )


def outlive(storm: Storm, began: float) -> None:
    """Go on until the session is over and corrected."""
    storm.calm(0.5, 1.0)
    time.sleep(max(0.0, began + _LONG_ENOUGH_S - time.monotonic()))
    storm.finish()


def test_kill(chaos: Chaos) -> None:
    """Engines that are killed at random moments leave nothing half done."""
    with storm(chaos, "kill -9 at random") as one:
        began = time.monotonic()
        for _ in range(chaos.pick(short=2, full=12)):
            one.calm(0.5, 3.0)
            one.inject("kill -9", one.fleet.kill, 0)
            one.fleet.start(0)
        outlive(one, began)


@pytest.mark.full
def test_rebalances(chaos: Chaos) -> None:
    """Members come and go, with a clean end or without."""
    with storm(chaos, "members come and go", engines=2) as one:
        began = time.monotonic()
        for _ in range(5):
            one.fleet.until_covered()
            one.calm(0.5, 3.0)
            number = chaos.chance.randrange(2)
            one.inject("leaves", chaos.chance.choice((one.fleet.leave, one.fleet.kill)), number)
            one.fleet.start(number)
        one.fleet.until_covered()
        outlive(one, began)


@pytest.mark.full
def test_broker_dies(chaos: Chaos) -> None:
    """The broker is killed and comes back."""
    with LocalKafka() as broker, storm(chaos, "broker kill -9", broker.bootstrap) as one:
        began = time.monotonic()
        for _ in range(3):
            one.calm(1.0, 5.0)
            one.inject("kill -9", broker.kill)
            broker.start()
        one.fleet.until_covered()
        outlive(one, began)
