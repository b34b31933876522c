"""SIGSTOP: an engine that slept too long writes nothing more, one that slept less just goes on.

sleeper  |x x x x| zzzzzzzzzzzzzzz |          wakes, and still believes that it is the owner
owner            | session |x x x x x x x|    has fenced it
"""

from __future__ import annotations

from typing import Final

import pytest

from barengine.kafka.local import LocalKafka
from tests.broker import faults
from tests.broker.engine_process import EngineProcess
from tests.chaos.epochs import epochs
from tests.chaos.forms import cases
from tests.chaos.storm import Chaos, Storm

IN_TRANSACTION: Final = "in a transaction"
AT_RANDOM: Final = "at random"

MANY: Final = 12
"""A sleeper in a transaction stops in the first one with bars, or in one up to this."""

SHORT_S: Final = (0.5, 3.5)
"""With the 2 s between two heartbeats still less than the session's 6 s."""


def fall_asleep(storm: Storm, where: str, nth: int) -> EngineProcess:
    """Stop engine 0; for a stop in a transaction another one must be started in its place."""
    if where == IN_TRANSACTION:
        storm.fleet.leave(0)
        sleeper = storm.fleet.start(0, faults.command("freeze", nth))
        storm.inject(f"in transaction {nth}", sleeper.until, "asleep", lambda: sleeper.frozen)
        return sleeper
    sleeper = storm.fleet.engines[0]
    storm.inject("SIGSTOP", sleeper.freeze)
    return sleeper


def wake(sleeper: EngineProcess) -> None:
    """Wake an engine up and wait until the group has given it something to do again."""
    before = len(sleeper.events("assigned"))
    sleeper.thaw()
    sleeper.until(
        "work again",
        lambda: len(sleeper.events("assigned")) > before and len(sleeper.tasks()) > 0,
    )


def refused(engine: EngineProcess) -> int:
    """How often it tried to commit what was not its own any more."""
    return len(engine.events("fenced")) + len(engine.events("closed_dirty"))


@pytest.mark.parametrize("where", cases([IN_TRANSACTION, AT_RANDOM], short=IN_TRANSACTION))
def test_zombie(where: str, chaos: Chaos, kafka_broker: LocalKafka) -> None:
    """An engine that slept until the group gave its partitions away writes nothing when it wakes
    up, and then works again."""
    with chaos.storm(f"SIGSTOP beyond the session, {where}", engines=2) as storm:
        for _ in range(chaos.pick(short=1, full=4)):
            storm.calm(0.5, 2.0)
            nth = chaos.chance.choice((1, chaos.chance.randint(2, MANY)))
            sleeper = fall_asleep(storm, where, nth)
            storm.fleet.until_covered(1)
            storm.calm(0.0, 3.0)
            wake(sleeper)
            storm.fleet.until_covered()
            assert refused(sleeper) > 0 or where == AT_RANDOM
        storm.calm(1.0, 2.0)
        storm.finish()
        written = epochs(storm.scene, kafka_broker.log_path.with_name("data"))
        assert written > storm.scene.partitions, "nobody was fenced"


@pytest.mark.full
def test_replaced_while_asleep(chaos: Chaos, kafka_broker: LocalKafka) -> None:
    """A static member that slept while another process took its name writes nothing when it wakes
    up, and ends."""
    with chaos.storm("SIGSTOP of a static member that is replaced", static=True) as storm:
        for _ in range(5):
            storm.calm(0.5, 2.0)
            with storm.fleet.engines.pop(0) as sleeper:
                storm.inject("SIGSTOP", sleeper.freeze)
                storm.fleet.start(0)
                storm.fleet.until_covered()
                storm.calm(0.0, 2.0)
                sleeper.thaw()
                assert sleeper.exit_code() == 1
                assert "another process has taken GROUP_INSTANCE_ID=member-0" in sleeper.text()
        storm.calm(1.0, 2.0)
        storm.finish()
        epochs(storm.scene, kafka_broker.log_path.with_name("data"))


@pytest.mark.full
def test_short_pause(chaos: Chaos) -> None:
    """An engine that was paused for less than its session goes on, and takes it for no silence."""
    with chaos.storm("SIGSTOP below the session", engines=2) as storm:
        for _ in range(10):
            storm.calm(0.2, 2.0)
            sleeper = storm.fleet.engines[chaos.chance.randrange(2)]
            storm.inject("SIGSTOP", sleeper.freeze)
            storm.calm(*SHORT_S)
            sleeper.thaw()
        storm.fleet.until_covered()
        storm.calm(1.0, 2.0)
        storm.finish()
