"""Leave a state behind, break what it stands on, mend it by ``barengine state``, and look."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from tests.broker.engine_process import ROOT, EngineProcess, environment
from tests.broker.records import CALL_S, QUIET
from tests.broker.scene import Bar, Scene
from tests.broker.ticks import SECOND, tick
from tests.processes import PATIENCE_S

FAILED: Final = 1
MISCONFIGURED: Final = 2


def refused(engine: EngineProcess, code: int = FAILED) -> str:
    """Wait for its end with that exit code; what it said last, without a traceback."""
    with engine:
        assert engine.exit_code() == code, engine.tail()
    assert "Traceback" not in engine.text()
    return "\n".join(line for line in engine.text().splitlines() if not line.startswith("{"))


def state(scene: Scene, *words: str, code: int = 0, **settings: str) -> str:
    """Run ``barengine state`` and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "barengine", "state", *words],
        cwd=ROOT,
        env=environment(scene.given | settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def first_run(scene: Scene, window: str | None = None) -> None:
    """Leave a state behind: one bar is out, one window is open."""
    scene.produce([tick("b", "A", 0), tick("b", "A", SECOND)])
    window = window or scene.settings.period.name
    with scene.engine(IDLE_TIMEOUT="off", WINDOW=window) as engine:
        engine.until_ready()
        engine.until("both ticks are read", lambda: engine.total("position") == 2)
        assert engine.terminate() == 0


def ask(scene: Scene, question: Callable[[AdminClient], Mapping[Any, Any]]) -> Any:
    """The answer to a request about one thing; the client must live until it is there."""
    admin = AdminClient({"bootstrap.servers": scene.bootstrap, **QUIET})
    [future] = question(admin).values()
    return future.result(CALL_S)


def reset_group(scene: Scene, offset: int) -> None:
    """What ``kafka-consumer-groups.sh --reset-offsets`` does."""
    at = [TopicPartition(scene.settings.input_topic, 0, offset)]
    request = [ConsumerGroupTopicPartitions(scene.settings.group, at)]
    ask(scene, lambda admin: admin.alter_consumer_group_offsets(request))


def group_metadata(scene: Scene) -> str:
    """Metadata of the group's offset of partition 0."""
    at = [TopicPartition(scene.settings.input_topic, 0)]
    request = [ConsumerGroupTopicPartitions(scene.settings.group, at)]
    answer = ask(scene, lambda admin: admin.list_consumer_group_offsets(request))
    [found] = answer.topic_partitions
    return found.metadata or ""


def cut(scene: Scene, start: int) -> None:
    """Let the log of partition 0 begin there, as retention does."""
    at = TopicPartition(scene.settings.input_topic, 0, start)
    ask(scene, lambda admin: admin.delete_records([at]))


def grow(scene: Scene, topic: str) -> None:
    """Add a second partition."""
    ask(scene, lambda admin: admin.create_partitions([NewPartitions(topic, 2)]))
    scene.partitions = 2


def delete_topic(scene: Scene, topic: str) -> None:
    ask(scene, lambda admin: admin.delete_topics([topic]))


def go_on(scene: Scene, bars: int) -> list[Bar]:
    """An engine runs until all bars are out, and ends cleanly."""
    with scene.engine() as engine:
        found = scene.until_bars(engine.until_ready(), bars)
        scene.until_idle(engine)
        assert engine.terminate() == 0
    return found


def brief(bars: list[Bar]) -> list[tuple[int, int, int, bool]]:
    """First and last offset, number of ticks, partial."""
    return [(b["first_offset"], b["last_offset"], b["tick_count"], b["partial"]) for b in bars]
