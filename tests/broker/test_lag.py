"""A consumer that is behind: a million ticks wait, and nobody may take its lag for silence."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from tests.broker import faults
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, many, tick

TICKS = 1_000_000
SPAN_MS = 20 * SECOND
IDLE_S = 1.0  # the scene's IDLE_TIMEOUT
A_THIRD = 100  # of 300 pieces, into which batches of 10 000 are cut


def test_lag_is_no_silence(bootstrap: str, tmp_path: Path) -> None:
    """An engine that is a million ticks behind closes nothing by silence, however long it takes.

    Offsets, left to right; a rare market stands at both ends of one bucket:

        rare   x                                                  x
        busy    xxxxxxxxxxxxxxxxxxx a million ticks xxxxxxxxxxxxxx
    """
    scene = Scene(bootstrap, tmp_path)
    rare = [tick("rare", "A", 100, 1.0)], [tick("rare", "A", 900, 2.0)]
    scene.produce(itertools.chain(rare[0], many("busy", TICKS, 500, SPAN_MS), rare[1]))

    with scene.engine(faults.command("freeze_behind", A_THIRD)) as engine:
        engine.until("a third", lambda: engine.frozen)
        time.sleep(1.5 * IDLE_S)  # whoever took wall time for silence would close windows now
        engine.thaw()
        report = scene.finish(engine, late=0, dead=0)

    assert report.ticks_in == TICKS + 2
    assert [bar["tick_count"] for bar in scene.bars("rare")] == [2]
