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

WINDOW_S = 50
"""Longer than all silence that is seen before and after an outage, though this process stands still
for half a minute then."""

AWAY_S = 1.1 * WINDOW_S
"""More than the window needs to close, if an outage is taken for silence."""

SETTINGS = {"WINDOW": f"{WINDOW_S}s"}
FIRST, LAST = SECOND, (WINDOW_S - 2) * SECOND
"""Two ticks of the first window. Little silence behind the second closes it."""


@pytest.fixture
def broker() -> Iterator[LocalKafka]:
    """A broker of one's own, to be killed."""
    with LocalKafka() as broker:
        yield broker


def test_outage_is_no_silence(broker: LocalKafka, tmp_path: Path) -> None:
    """A window that was open when the broker went away is open when it is back, however long that
    took, and closes when silence has been seen."""
    #   broker   up    | gone, for longer than the window | up
    #   A        |x                                          x    |
    scene = Scene(broker.bootstrap, tmp_path, settings=SETTINGS)
    with scene.engine() as engine:
        engine.until_ready()
        scene.produce([tick("b", "A", FIRST, 1.0)])
        # so that no transaction is tried, and times out, meanwhile
        engine.until("its commit", lambda: scene.has_committed(0))

        broker.kill()
        time.sleep(AWAY_S)
        assert engine.get("/livez")[0] == 200
        broker.start()
        scene.produce([tick("b", "A", LAST, 2.0)])

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


SEEN_S = 2.0
"""Some answers, of which the first ones tell that the end of the log is reached."""


def test_outage_that_a_transaction_does_not_outlive_is_no_silence(
    broker: LocalKafka, tmp_path: Path
) -> None:
    """A task that has recovered from an outage counts silence up to the last answer before it: a
    tick that waited for the broker, too, is in its bar."""
    #   broker   up        | gone, a commit times out | up
    #   A        |x            .                         x    |
    scene = Scene(broker.bootstrap, tmp_path, settings=SETTINGS)
    # a commit is due when the broker is gone, not before
    with scene.engine(hasty.command("unhurried")) as engine:
        engine.until_ready()
        engine.until("the first commit", lambda: scene.state().partition is not None)
        scene.produce([tick("b", "A", FIRST, 1.0)])
        engine.until("an open window", lambda: engine.total("windows_open") == 1)

        broker.kill()
        time.sleep(AWAY_S)
        assert engine.events("recovering"), "no transaction has timed out"
        broker.start()
        engine.until("a second recovery", lambda: len(engine.events("replay")) > 1)
        engine.until_ready()
        time.sleep(SEEN_S)
        assert scene.bar_records() == [], "the outage was taken for silence"
        scene.produce([tick("b", "A", LAST, 2.0)])

        report = scene.finish(engine)

    assert (report.bars_exact, report.in_bars) == (1, 2)
