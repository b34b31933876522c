"""The recorded day of tests/golden on a real broker, the engine being killed in the middle."""

from __future__ import annotations

from pathlib import Path

from barengine.demo.records import OutputRecord
from tests.broker.engine_process import EngineProcess
from tests.broker.records import Record, end_offsets, read_output
from tests.broker.scene import Scene
from tests.golden.day import BARS, PARTITIONS, SETTINGS, Row, lines, rows

MEMBER = {"GROUP_INSTANCE_ID": "one"}
"""Who keeps the name of a killed one need not wait for its session to end."""


def records(some: list[Row]) -> list[Record]:
    return [Record(row.value(), None, row.partition, row.time_ms) for row in some]


def until_read(scene: Scene, engine: EngineProcess) -> None:
    """Wait until everything is read; open windows stay open."""
    ends = end_offsets(scene.bootstrap, scene.settings.input_topic)

    def done() -> bool:
        tasks = engine.tasks()
        return tasks.keys() == ends.keys() and all(
            task.get("position", -1) >= ends[number] for number, task in tasks.items()
        )

    engine.until("everything read", done)


def output(scene: Scene) -> dict[str, list[OutputRecord]]:
    """Every record that left, by topic without its context."""
    settings = scene.settings
    topics = [settings.late_topic, settings.dead_topic]
    for period in settings.periods:
        topics += [settings.topic_of(period), settings.corrections_topic(period)]
    return {
        topic.removeprefix(f"{scene.context}."): read_output(scene.bootstrap, topic)
        for topic in topics
    }


def test_a_killed_engine_gives_the_golden_file(bootstrap: str, tmp_path: Path) -> None:
    """Killed while it commits, and again behind half of the day: every line is there, once."""
    scene = Scene(bootstrap, tmp_path, PARTITIONS, SETTINGS | MEMBER)
    day = rows()
    half = len(day) // 2
    with scene.engine(COMMIT_INTERVAL="10ms") as engine:
        scene.produce(records(day[:half]))
        engine.until("a first commit", lambda: engine.total("commit_offset") > 0)
        engine.kill9()
    with scene.engine() as engine:
        until_read(scene, engine)
        engine.kill9()
    with scene.engine() as engine:
        scene.produce(records(day[half:]))
        until_read(scene, engine)
        assert engine.terminate() == 0, engine.tail()
    assert lines(output(scene)) == BARS.read_text(encoding="utf-8").splitlines()
