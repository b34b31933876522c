"""An engine that cannot see the broker does not take that for silence."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from barengine.kafka.local import LocalKafka
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, tick
from tests.chaos import hasty

IDLE_S = 3
"""Idle time-out: an outage is longer, the moments before and after it are shorter."""


@pytest.fixture
def broker() -> Iterator[LocalKafka]:
    """A broker of one's own, to be killed."""
    with LocalKafka() as broker:
        yield broker


def test_outage_is_no_silence(broker: LocalKafka, tmp_path: Path) -> None:
    """A window that was open when the broker went away is open when it is back, however long that
    took, and closes when silence has been seen."""
    #   broker   up    | gone, for longer than the idle time-out | up
    #   A        |x                                                 x    |
    scene = Scene(broker.bootstrap, tmp_path, settings={"IDLE_TIMEOUT": f"{IDLE_S}s"})
    with scene.engine() as engine:
        engine.until_ready()
        scene.produce([tick("b", "A", 0, 1.0)])
        engine.until("an open window", lambda: engine.total("windows_open") == 1)

        broker.kill()
        time.sleep(1.5 * IDLE_S)
        assert engine.get("/livez")[0] == 200
        broker.start()
        scene.produce([tick("b", "A", 500, 2.0)])

        report = scene.finish(engine)

    assert (report.bars_exact, report.in_bars) == (1, 2)


def test_commit_waits_for_the_broker(broker: LocalKafka, tmp_path: Path) -> None:
    """A bar that fell due while the broker was away leaves when it is back, once."""
    scene = Scene(broker.bootstrap, tmp_path, settings={"COMMIT_INTERVAL": "5s"})
    with scene.engine() as engine:
        engine.until_ready()
        engine.until("the first commit", lambda: scene.state().partition is not None)
        scene.produce([tick("b", "A", at) for at in (0, SECOND)])
        engine.until("a bar that waits", lambda: engine.total("position") == 2)

        broker.restart()

        assert scene.finish(engine).bars_exact == 2


LONG_IDLE_S = 20
SEEN_S = 2.0
"""Some answers, of which the first ones tell that the end of the log is reached."""

AWAY_S = 1.2 * LONG_IDLE_S
"""Longer than a transaction may take, and than a window of LONG_IDLE_S needs to close."""


def test_outage_that_a_transaction_does_not_outlive_is_no_silence(
    broker: LocalKafka, tmp_path: Path
) -> None:
    """A task that has recovered from an outage counts silence up to the last answer before it: a
    tick that waited for the broker, too, is in its bar."""
    #   broker   up        | gone, a commit times out | up
    #   A        |x            .                         x    |
    settings = {"WINDOW": f"{LONG_IDLE_S}s", "IDLE_TIMEOUT": "1s"}
    scene = Scene(broker.bootstrap, tmp_path, settings=settings)
    with scene.engine(hasty.command()) as engine:
        engine.until_ready()
        engine.until("the first commit", lambda: scene.state().partition is not None)
        scene.produce([tick("b", "A", SECOND, 1.0)])
        engine.until("an open window", lambda: engine.total("windows_open") == 1)

        broker.kill()
        time.sleep(AWAY_S)
        assert engine.events("recovering"), "no transaction has timed out"
        broker.start()
        engine.until("a second recovery", lambda: len(engine.events("replay")) == 2)
        engine.until_ready()
        time.sleep(SEEN_S)
        assert scene.bar_records() == [], "the outage was taken for silence"
        scene.produce([tick("b", "A", 2 * SECOND, 2.0)])

        report = scene.finish(engine)

    assert (report.bars_exact, report.in_bars) == (1, 2)
