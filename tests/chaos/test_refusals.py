"""A broker that says no: a clear error, nothing committed, and all of it once the cause is gone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from barengine.demo.records import OutputRecord
from tests.broker.engine_process import EngineProcess
from tests.broker.records import CALL_S, QUIET
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, spread
from tests.chaos import hasty
from tests.chaos.forms import cases
from tests.chaos.storm import Chaos
from tests.processes import eventually

SYMBOLS: Final = 100
FAILED: Final = 1
MISCONFIGURED: Final = 2


def admin(scene: Scene) -> AdminClient:
    return AdminClient({"bootstrap.servers": scene.bootstrap, **QUIET})


def alter(scene: Scene, topic: str, **values: str) -> None:
    """Change a topic's configuration; ``max_message_bytes`` stands for ``max.message.bytes``."""
    entries = [
        ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
        for name, value in values.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    client = admin(scene)  # it must outlive the answer
    client.incremental_alter_configs([resource])[resource].result(CALL_S)


def begin(scene: Scene, engine: EngineProcess) -> list[OutputRecord]:
    """Let the first bars leave, and return them: three seconds, one after the other."""
    engine.until_ready()
    scene.produce(spread("b", SYMBOLS, 0, 3 * SECOND, 250))
    scene.until_bars(engine, 3 * SYMBOLS)
    return scene.bar_records()


def go_on(scene: Scene) -> None:
    """Three more seconds, later than all silence until then: the first of them closes at once."""
    scene.produce(spread("b", SYMBOLS, 100 * SECOND, 103 * SECOND, 250))


def ended(engine: EngineProcess, code: int) -> str:
    """Its last words, without a traceback, after it has ended by itself with that code."""
    assert engine.exit_code() == code, engine.tail()
    assert "Traceback" not in engine.text(), engine.tail()
    return "\n".join(line for line in engine.text().splitlines() if not line.startswith("{"))


# -- batches that the broker does not take ---------------------------------------------------


@pytest.mark.parametrize("limit", cases(["600", "6000"], short="600"))
def test_message_too_large(limit: str, bootstrap: str, chaos: Chaos, tmp_path: Path) -> None:
    """A transaction whose batch is refused commits nothing, and the error names what to raise."""
    scene = Scene(bootstrap, tmp_path, settings={"COMPRESSION": "none"})
    topic = scene.settings.bar_topic
    with scene.engine() as engine:
        before = begin(scene, engine)
        alter(scene, topic, max_message_bytes=limit)
        go_on(scene)
        said = ended(engine, FAILED)
    assert f"{topic} refuses a batch" in said
    assert "raise its max.message.bytes" in said
    assert scene.bar_records() == before
    stored = scene.state().partition
    assert stored is not None
    assert stored.commit_offset == 3 * 4 * SYMBOLS

    if limit == "600":
        with scene.engine() as again:
            assert f"{topic} refuses a batch" in ended(again, FAILED)
        assert scene.bar_records() == before
        alter(scene, topic, max_message_bytes="1000000")
    with scene.engine() as last:
        report = scene.finish(last)
    assert report.bars_exact == 6 * SYMBOLS
    chaos.add(f"message too large, {limit} bytes allowed", 1, report)


# -- topics that vanish ----------------------------------------------------------------------


class Survivor(Scene):
    """A scene one of whose topics is deleted."""

    kept: Sequence[OutputRecord] = ()
    """Bars that were read before their topic was deleted."""
    hidden = 0
    """Bars of ticks whose topic was deleted."""

    def bar_records(self, *, committed: bool = True) -> list[OutputRecord]:
        found = super().bar_records(committed=committed)
        return [*self.kept, *found[self.hidden :]]


def delete(scene: Scene, topic: str) -> None:
    """Delete a topic, and wait until the broker says that there is none."""
    client = admin(scene)
    client.delete_topics([topic])[topic].result(CALL_S)
    assert eventually(lambda: topic not in client.list_topics(timeout=CALL_S).topics)


@pytest.mark.parametrize(
    "how", cases(["made again by hand", "made again by a restart"], short="made again by hand")
)
def test_bar_topic_deleted(how: str, bootstrap: str, chaos: Chaos, tmp_path: Path) -> None:
    """Without its topic no bar is lost: the engine says which one is missing, and waits."""
    scene = Survivor(bootstrap, tmp_path)
    topic = scene.settings.bar_topic
    with scene.engine(hasty.command()) as engine:
        begin(scene, engine)
        scene.kept = scene.bar_records()
        delete(scene, topic)
        go_on(scene)
        gone = f"{topic} has no partition 0, or is gone"

        def told() -> bool:
            errors = [one["error"] for one in engine.events("recovering")]
            return len(errors) >= 2 and any(gone in error for error in errors)

        engine.until("two attempts, and why", told)
        if how == "made again by hand":
            scene.make_topic(topic)
            report = scene.finish(engine)
        else:
            assert engine.terminate() == 0
    if how == "made again by a restart":
        with scene.engine() as last:
            report = scene.finish(last)
    assert report.bars_exact == 6 * SYMBOLS
    chaos.add(f"bar topic deleted, {how}", 1, report)


def test_input_topic_deleted(bootstrap: str, chaos: Chaos, tmp_path: Path) -> None:
    """An input topic made anew is not taken for the old one; another group reads it."""
    scene = Survivor(bootstrap, tmp_path)
    topic = scene.settings.input_topic
    with scene.engine() as engine:
        begin(scene, engine)
        assert scene.verify().bars_exact == 3 * SYMBOLS
        delete(scene, topic)
        missing = (503, f"topic {topic} does not exist\n")
        engine.until("it notices", lambda: engine.get("/readyz") == missing)
        assert len(engine.events("input_topic_missing")) == 1
        scene.make_topic(topic)
        scene.produce(spread("b", 10, 20 * SECOND, 23 * SECOND, 250))
        said = ended(engine, FAILED)
    assert "it was made anew or cut" in said
    assert "barengine state adopt --partition 0" in said  # or another group, as here

    scene.hidden = len(scene.bar_records())
    assert scene.hidden == 3 * SYMBOLS
    with scene.engine(GROUP_ID="another") as last:
        report = scene.finish(last)
    assert report.bars_exact == 3 * 10
    chaos.add("input topic deleted and made again", 1, report)
