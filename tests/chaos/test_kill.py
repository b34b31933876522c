"""``kill -9`` at any moment, again and again: not one bar is missing, doubled or different.

``CHAOS_SEED`` repeats a run's decisions (the moments of its kills, and its ticks); it is printed.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import NamedTuple, Self

import pytest

from tests.broker.engine_process import RUN, EngineProcess
from tests.broker.scene import Scene
from tests.chaos.feed import Feed
from tests.chaos.verdict import SETTINGS, accounted, tell

PARTITIONS = 4
KILLS = 10
"""At least as many, in every run."""


class Storm(NamedTuple):
    """One way to disturb.

    ``gap_s`` are the shortest and longest time from one kill to the next: both shorter and longer
    than an engine takes to come back.
    """

    engines: int
    static: bool
    ticks: int
    seconds: float
    gap_s: tuple[float, float]


STORMS = {
    "one static member": Storm(1, True, 1_000_000, 40.0, (0.2, 5.0)),
    # a member that is killed holds its partitions for the session's 6 s
    "two members": Storm(2, False, 500_000, 50.0, (0.5, 8.5)),
}


class Fleet:
    """Engines that are killed and come back, each under its own name if they are static."""

    def __init__(self, scene: Scene, count: int, *, static: bool) -> None:
        self._scene = scene
        self._static = static
        self.engines = [self._start(number) for number in range(count)]
        self.kills = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for engine in self.engines:
            engine.kill9()

    def _start(self, number: int) -> EngineProcess:
        member = {"GROUP_INSTANCE_ID": f"member-{number}"} if self._static else {}
        return self._scene.engine(RUN, **member)

    def kill(self, number: int) -> None:
        """Kill one and start it again at once."""
        assert self.engines[number].running, self.engines[number].tail()
        self.engines[number].kill9()
        self.kills += 1
        self.engines[number] = self._start(number)


def disturb(fleet: Fleet, feed: Feed, storm: Storm, chance: random.Random) -> None:
    """Kill at random while ticks come, and until there were enough kills."""
    while feed.running or fleet.kills < KILLS:
        time.sleep(chance.uniform(*storm.gap_s))
        fleet.kill(chance.randrange(storm.engines))


@pytest.mark.parametrize("name", STORMS)
def test_kill_at_random(
    name: str, seed: int, bootstrap: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Engines that are killed at random moments make the bars of an engine that never was."""
    storm, chance = STORMS[name], random.Random(seed)
    scene = Scene(bootstrap, tmp_path, PARTITIONS, SETTINGS)
    topic, ticks_of = scene.settings.input_topic, random.Random(seed)
    with (
        Fleet(scene, storm.engines, static=storm.static) as fleet,
        Feed(bootstrap, topic, PARTITIONS, storm.ticks, storm.seconds, ticks_of) as feed,
    ):
        disturb(fleet, feed, storm, chance)
        assert feed.all_sent()
        report = scene.finish(*fleet.engines, late=None, dead=None)

    tell(capsys, f"{name}, seed {seed}: {fleet.kills} kills", report)
    assert fleet.kills >= KILLS
    accounted(scene, report, storm.ticks)
