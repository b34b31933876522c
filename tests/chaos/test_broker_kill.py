"""The broker is killed at any moment: ticks and bars are what they would have been."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from barengine.kafka.local import LocalKafka
from tests.broker.scene import Scene
from tests.chaos.feed import Feed
from tests.chaos.verdict import SETTINGS, accounted, tell

PARTITIONS = 4
TICKS = 200_000
FEED_S = 25.0
KILLS = 3
GAP_S = (0.5, 5.0)


def test_broker_is_killed_at_random(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An engine outlives a broker that is killed under it, transactions and all."""
    chance = random.Random(seed)
    with LocalKafka() as broker:
        scene = Scene(broker.bootstrap, tmp_path, PARTITIONS, SETTINGS)
        topic = scene.settings.input_topic
        with (
            scene.engine() as engine,
            Feed(broker.bootstrap, topic, PARTITIONS, TICKS, FEED_S, random.Random(seed)) as feed,
        ):
            engine.until_ready()
            for _ in range(KILLS):
                time.sleep(chance.uniform(*GAP_S))
                broker.kill()
                broker.start()
            assert feed.all_sent()
            report = scene.finish(engine, late=None, dead=None)
            tell(capsys, f"broker, seed {seed}: {KILLS} kills", report)
            accounted(scene, report, TICKS)
