"""What becomes of topics while an engine works at them, and what it was told otherwise before."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.broker.mend import (
    FAILED,
    brief,
    cut,
    delete_topic,
    go_on,
    group_metadata,
    refused,
    state,
)
from tests.broker.records import end_offsets
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, spread, tick
from tests.chaos.storm import Chaos
from tests.chaos.test_state_faults import exact_without, ticks_of


def test_retention_passes_an_engine_that_is_behind(
    bootstrap: str, chaos: Chaos, tmp_path: Path
) -> None:
    """It names the offset that is gone and the command, commits what it has, and ends. (It is
    frozen, and keeps its partition meanwhile.)"""
    #   offset   0   1   2 | 3   4   5 (the log begins here now)
    #   frozen at        ^
    scene = Scene(bootstrap, tmp_path)
    scene.produce([tick("b", "A", 0), tick("b", "A", SECOND)])
    with scene.engine(IDLE_TIMEOUT="off", SESSION_TIMEOUT="60s") as engine:
        engine.until_ready()
        engine.until("both are read", lambda: engine.total("position") == 2)
        engine.freeze()
        # what the request on its way is answered with, if it comes while the broker still waits
        scene.produce([tick("b", "A", 1100)])
        ends = end_offsets(bootstrap, scene.settings.input_topic)
        scene.produce([tick("b", "A", 3 * SECOND), tick("b", "A", 4 * SECOND)])
        scene.produce([tick("b", "A", 5 * SECOND)])
        ticks = ticks_of(scene)
        cut(scene, 5)
        engine.thaw()
        assert engine.exit_code() == FAILED, engine.tail()
        said = engine.text()
    assert ends == {0: 3}
    assert re.search("has no offset [23]: it lies outside of the log", said)
    assert "barengine state adopt --partition 0" in said
    assert "Traceback" not in said

    assert "are gone from the input topic" in refused(scene.engine())
    state(scene, "adopt", "--yes")

    bars = go_on(scene, 2)
    assert brief(bars)[0] == (0, 0, 1, False)
    assert (bars[-1]["first_offset"], bars[-1]["partial"]) == (5, True)
    report = exact_without(scene, [1, 2, 3, 4], ticks)
    chaos.add("retention passes an engine under way, adopt", 1, report)


@pytest.mark.full
def test_state_topic_deleted_under_way(bootstrap: str, chaos: Chaos, tmp_path: Path) -> None:
    """The partition waits; made again by hand, the topic is empty: the engine refuses to begin
    anew, and adopt goes on where the group's offset is."""
    scene = Scene(bootstrap, tmp_path)
    topic = scene.settings.state_topic
    scene.produce([tick("b", "A", 0), tick("b", "A", SECOND)])
    with scene.engine(IDLE_TIMEOUT="off") as engine:
        scene.until_bars(engine.until_ready(), 1)
        engine.until("a group offset", lambda: "seq=" in group_metadata(scene))
        delete_topic(scene, topic)
        scene.produce([tick("b", "A", 2 * SECOND)])
        engine.until("it waits", lambda: bool(engine.events("recovering")))
        assert engine.running
        scene.make_topic(topic, cleanup_policy="compact")
        assert engine.exit_code() == FAILED, engine.tail()
        said = engine.text()
    assert "the state is gone" in said
    assert "barengine state adopt --partition 0" in said
    state(scene, "adopt", "--yes")

    scene.produce([tick("b", "A", 4 * SECOND)])
    bars = go_on(scene, 3)
    assert brief(bars)[0] == (0, 0, 1, False)
    assert (bars[-1]["first_offset"], bars[-1]["partial"]) == (3, False)
    report = exact_without(scene, [1], ticks_of(scene))
    chaos.add("state topic deleted under way, adopt", 1, report)


@pytest.mark.parametrize("book", [{}, {"ROLLUPS": "5s", "CONTINUOUS": "1s"}], ids=["bars", "book"])
def test_grace_changed_between_runs(
    bootstrap: str, chaos: Chaos, tmp_path: Path, book: dict[str, str]
) -> None:
    """A shorter grace closes at once what the longer one had kept open, however much of the log is
    read again first; a longer one takes nothing back."""
    scene = Scene(bootstrap, tmp_path, settings=book | {"GRACE": "0s"})
    symbols = 4
    lots = [
        [one for one in spread("b", symbols, n * SECOND, (n + 1) * SECOND, 100) if n % 3 != 1]
        for n in range(30)
    ]
    for lot in lots:  # a batch each, so that recovery needs many
        scene.produce(lot)
    with scene.engine(IDLE_TIMEOUT="off", GRACE="1h") as first:
        first.until_ready()
        first.until("all read", lambda: first.total("position") == sum(map(len, lots)))
        assert first.terminate() == 0
    assert scene.bar_records() == []

    with scene.engine(IDLE_TIMEOUT="off") as shorter:
        shorter.until_ready()
        scene.until_bars(shorter, symbols * 19)
        assert shorter.terminate() == 0
    scene.produce(spread("b", symbols, 31 * SECOND, 32 * SECOND, 100))
    with scene.engine(GRACE="2s") as longer:
        report = scene.finish(longer.until_ready())
    name = "roll-ups and flat bars" if book else "bars"
    chaos.add(f"grace changed between runs, {name}", 2, report)
