"""A week without a tick: what the broker has forgotten by then is not missed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from confluent_kafka import OFFSET_INVALID, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from barengine.kafka.local import LocalKafka
from tests.broker.engine_process import EngineProcess
from tests.broker.records import CALL_S, QUIET
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, spread
from tests.chaos.storm import Chaos
from tests.processes import eventually

FORGETFUL: Final = {
    "transactional.id.expiration.ms": "2000",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "500",
    "producer.id.expiration.ms": "1000",
    "producer.id.expiration.check.interval.ms": "500",
    "offsets.retention.minutes": "1",  # there is no less
    "offsets.retention.check.interval.ms": "1000",
}
IDLE_S: Final = 6.0
OFFSETS_EXPIRE_S: Final = 75.0


def first_part(scene: Scene, engine: EngineProcess) -> None:
    """Ticks whose bars leave, and one whose window stays open."""
    engine.until_ready()
    scene.produce(spread("b", 20, 0, 3 * SECOND, 100))
    scene.until_bars(engine, 2 * 20)


@pytest.fixture(scope="module")
def forgetful() -> Iterator[LocalKafka]:
    """A broker for which seconds are weeks."""
    with LocalKafka(config=FORGETFUL) as broker:
        yield broker


def test_idle_until_its_ids_expire(forgetful: LocalKafka, chaos: Chaos, tmp_path: Path) -> None:
    """An engine whose transactional and producer id the broker has forgotten goes on."""
    scene = Scene(forgetful.bootstrap, tmp_path)
    with scene.engine() as engine:
        first_part(scene, engine)
        scene.until_idle(engine)
        time.sleep(IDLE_S)
        # later than all silence until then
        scene.produce(spread("b", 20, 100 * SECOND, 103 * SECOND, 100))
        report = scene.finish(engine)
        errors = [fenced["error"] for fenced in engine.events("fenced")]
        assert any("InvalidProducerIdMapping" in error for error in errors), errors
    chaos.add("idle until transactional id expired", 1, report)


def group_offsets(scene: Scene) -> list[int]:
    """What the group has committed; -1001 stands for nothing."""
    settings = scene.settings
    asked = [TopicPartition(settings.input_topic, 0)]
    group = ConsumerGroupTopicPartitions(settings.group, asked)
    admin = AdminClient({"bootstrap.servers": scene.bootstrap, **QUIET})
    [future] = admin.list_consumer_group_offsets([group]).values()
    return [one.offset for one in future.result(CALL_S).topic_partitions or ()]


@pytest.mark.full
def test_stopped_until_everything_expires(
    forgetful: LocalKafka, chaos: Chaos, tmp_path: Path
) -> None:
    """Without group offset and transactional id an engine goes on where the state says."""
    scene = Scene(forgetful.bootstrap, tmp_path)
    with scene.engine(IDLE_TIMEOUT="off") as first:
        first_part(scene, first)
        first.until("a group offset", lambda: group_offsets(scene)[0] > 0)
        assert first.terminate() == 0
    time.sleep(OFFSETS_EXPIRE_S)
    assert eventually(lambda: group_offsets(scene) == [OFFSET_INVALID])

    scene.produce(spread("b", 20, 2 * SECOND + 50, 13 * SECOND, 100))
    with scene.engine() as second:
        report = scene.finish(second)
    chaos.add("stopped until id and group offset expired", 1, report)
