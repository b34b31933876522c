"""``kill -9`` again and again, at any moment and at every step: not one bar is missing, doubled or
different. The full form kills 100 times."""

from __future__ import annotations

import signal
from random import Random
from typing import Final, NamedTuple

import pytest

from tests.broker import faults
from tests.chaos.storm import PARTITIONS, Chaos, Storm
from tests.processes import eventually


class Fleets(NamedTuple):
    """One way to be many.

    ``gap_s`` are the shortest and longest time from one kill to the next: both shorter and longer
    than an engine takes to come back.
    """

    engines: int
    static: bool
    gap_s: tuple[float, float]


FLEETS: Final = {
    "one static member": Fleets(1, True, (0.2, 5.0)),
    # A member that is killed holds its partitions for the session's 6 s. With shorter gaps the
    # group never comes to rest, and most kills hit an engine that owns nothing.
    "two members": Fleets(2, False, (0.5, 14.0)),
}
RANDOM_KILLS: Final = 20

KILLERS: Final = (*faults.DEADLY, *faults.ON_THE_WIRE, *faults.CLOSING)
EACH_STEP: Final = 6

FEW: Final = {"in_fence": 4, "after_fence": 4, "in_close": 4}
"""How often a step is reached at least: once for each partition."""

MANY: Final = 15
"""The others are reached as often within a few seconds."""


@pytest.mark.full  # the short form has the steps
@pytest.mark.parametrize("name", FLEETS)
def test_kill_at_random(name: str, chaos: Chaos) -> None:
    """Engines that are killed at random moments make the bars of an engine that never was."""
    engines, static, gap_s = FLEETS[name]
    with chaos.storm(f"kill -9 at random, {name}", engines=engines, static=static) as storm:
        for _ in range(RANDOM_KILLS):
            storm.calm(*gap_s)
            number = chaos.chance.randrange(engines)
            storm.inject(f"kill -9 of {number}", storm.fleet.kill, number)
            storm.fleet.start(number)
        storm.calm(*gap_s)
        storm.finish()


def test_kill_at_every_step(chaos: Chaos) -> None:
    """Engines that die at any step, the first or the k-th time they come to it, leave nothing half
    done and do nothing twice."""
    steps = list(KILLERS) * chaos.pick(short=1, full=EACH_STEP)
    chaos.chance.shuffle(steps)
    with chaos.storm("kill -9 at every named step", static=True) as storm:
        # a replay is one of the steps: there must be something to read again
        assert eventually(lambda: all(map(storm.scene.has_committed, range(PARTITIONS))))
        storm.calm(1.0, 2.0)
        storm.fleet.kill(0)
        for step in steps:
            live_until(storm, step, pass_of(step, chaos.chance))
        storm.fleet.start(0)
        storm.fleet.until_covered()
        storm.calm(1.0, 2.0)
        storm.finish()


def pass_of(step: str, chance: Random) -> int:
    """Which time the step breaks: as often the first as any other."""
    return chance.choice((1, chance.randint(2, FEW.get(step, MANY))))


def live_until(storm: Storm, step: str, nth: int) -> None:
    """One life of an engine that ends at that step."""
    engine = storm.fleet.start(0, faults.command(step, nth))
    if step in faults.CLOSING:
        storm.fleet.until_covered()
        storm.calm(0.0, 2.0)
        engine.send(signal.SIGTERM)
    storm.inject(f"{step}, time {nth}", storm.fleet.died, 0)


@pytest.mark.full
def test_lost_answers(chaos: Chaos) -> None:
    """A commit that succeeded although its answer was lost is not done again."""
    with chaos.storm("answer to a commit lost", static=True, engines=0) as storm:
        for _ in range(10):
            nth = pass_of("lost_answer", chaos.chance)
            engine = storm.fleet.start(0, faults.command("lost_answer", nth))
            storm.inject(
                f"time {nth}", engine.until, "recovery", lambda e=engine: e.events("recovering")
            )
            storm.fleet.until_covered()
            storm.calm(0.0, 2.0)
            storm.fleet.leave(0)
        storm.fleet.start(0)
        storm.finish()
