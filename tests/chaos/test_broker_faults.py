"""A broker that restarts, dies, freezes or stays away, and what it forgets or aborts meanwhile."""

from __future__ import annotations

import os
import resource
import signal
import time
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from barengine.kafka.local import LocalKafka
from tests.broker.engine_process import EngineProcess
from tests.broker.proxy import PRODUCE, Proxy, Weather
from tests.broker.records import end_offsets
from tests.broker.scene import LONG_SESSION, Scene
from tests.broker.ticks import SECOND, spread
from tests.chaos import hasty
from tests.chaos.forms import cases
from tests.chaos.storm import Chaos
from tests.processes import PATIENCE_S, eventually

AWAY_S: Final = 60.0


# -- the broker goes away --------------------------------------------------------------------


def restart(broker: LocalKafka, _: Chaos, __: Path) -> None:
    """With one broker this is the nearest to a moved transaction coordinator, too: it is elected
    again, loads its log again, and tells old connections nothing."""
    broker.restart()


def kill(broker: LocalKafka, _: Chaos, __: Path) -> None:
    broker.kill()
    broker.start()


def freeze(broker: LocalKafka, chaos: Chaos, _: Path) -> None:
    os.kill(broker.pid, signal.SIGSTOP)
    time.sleep(chaos.chance.uniform(2.0, 6.0))
    os.kill(broker.pid, signal.SIGCONT)


def leave(broker: LocalKafka, _: Chaos, __: Path) -> None:
    broker.kill()
    time.sleep(AWAY_S)
    broker.start()


def fill_disk(broker: LocalKafka, chaos: Chaos, data: Path) -> None:
    """No file of the broker may grow much further: some write fails half-way, as on a full disk,
    the broker gives its disk up and ends. Then there is room again."""
    largest = max(log.stat().st_size for log in data.glob("**/*.log"))
    limit = largest + chaos.chance.randrange(50_000, 500_000)
    _, hard = resource.prlimit(broker.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (limit, hard))
    assert broker.wait(PATIENCE_S), "the broker goes on"
    broker.start()


OUTAGES: Final = {
    "restarted, coordinators elected again": (restart, 8),
    "kill -9": (kill, 10),
    "frozen for seconds": (freeze, 5),
    "away": (leave, 2),
} | ({"on a full disk": (fill_disk, 4)} if hasattr(resource, "prlimit") else {})
"""The last one on Linux only: elsewhere a process cannot be told so from outside."""


@pytest.mark.parametrize("name", cases(OUTAGES, short="kill -9"))
def test_broker_goes_away(name: str, chaos: Chaos, tmp_path: Path) -> None:
    """An engine outlives its broker, transactions, coordinators and all."""
    (outage, times), data = OUTAGES[name], tmp_path / "kafka"
    with (
        LocalKafka(data_dir=data) as broker,
        chaos.storm(f"broker {name}", broker.bootstrap) as storm,
    ):
        for _ in range(chaos.pick(short=1, full=times)):
            storm.calm(0.5, 5.0)
            storm.inject(name, outage, broker, chaos, data)
        storm.calm(1.0, 2.0)
        storm.finish()


@pytest.mark.full
def test_one_disk_of_two_is_pulled_out(chaos: Chaos, tmp_path: Path) -> None:
    """What half of the partitions refuse is tried again until the disk is back."""
    home, disk, drawer = tmp_path / "kafka", tmp_path / "disk", tmp_path / "drawer"
    config = {
        "log.dirs": f"{home / 'data'},{disk}",
        "replica.high.watermark.checkpoint.interval.ms": "500",  # where the broker notices it
    }
    name = "broker's second disk pulled out"
    with (
        LocalKafka(data_dir=home, config=config) as broker,
        chaos.storm(name, broker.bootstrap) as storm,
    ):
        for number in range(1, 5):
            storm.calm(0.5, 5.0)
            storm.inject(name, disk.rename, drawer)
            assert eventually(partial(failures, broker, number)), "the broker goes on"
            storm.calm(2.0, 6.0)
            drawer.rename(disk)
            broker.restart()
        storm.calm(1.0, 2.0)
        storm.finish()


def failures(broker: LocalKafka, wanted: int) -> bool:
    """Whether the broker has given a disk up so many times."""
    return broker.log_path.read_text().count("Stopping serving logs in dir") >= wanted


# -- transactions that take too long ---------------------------------------------------------


def stable_ends(scene: Scene) -> list[int]:
    """Where open transactions begin in the topic of bars, by partition; its end without one."""
    return list(end_offsets(scene.bootstrap, scene.settings.bar_topic).values())


@pytest.mark.full
def test_engine_stands_still_in_a_transaction(
    network: tuple[LocalKafka, Proxy], chaos: Chaos, tmp_path: Path
) -> None:
    """What the broker has aborted meanwhile is not committed, and is done again."""
    broker, _ = network
    # the group must not be what ends a stopped engine's work
    scene = Scene(broker.bootstrap, tmp_path, settings=LONG_SESSION)
    scene.produce(spread("b", 40, 0, 4 * SECOND, 250))
    with scene.engine(hasty.command("freeze")) as engine:
        engine.until("it stands still", lambda: engine.frozen)
        assert eventually(lambda: stable_ends(scene) > [0]), "nothing was aborted"
        assert scene.bar_records() == []
        assert len(scene.bar_records(committed=False)) == 3 * 40
        engine.thaw()
        report = scene.finish(engine)
        assert engine.events("fenced") or engine.events("recovering")
    chaos.add("transaction timed out, engine stopped", 1, report)


def hang_until_it_gives_up(engine: EngineProcess, proxy: Proxy) -> None:
    seen = len(engine.events("recovering"))
    proxy.weather(Weather(hung=True, only=frozenset({PRODUCE})))
    engine.until("it gives up", lambda: len(engine.events("recovering")) > seen)
    proxy.heal()


@pytest.mark.full
def test_output_stands_still_in_a_transaction(
    network: tuple[LocalKafka, Proxy], chaos: Chaos
) -> None:
    """A transaction that does not get through in time is given up and done again, all of it."""
    broker, proxy = network
    settings = {"BOOTSTRAP_SERVERS": proxy.bootstrap}
    name = "transaction timed out, output hung"
    with chaos.storm(name, broker.bootstrap, engines=0, settings=settings) as storm:
        engine = storm.fleet.start(command=hasty.command())
        storm.fleet.until_covered()
        for _ in range(5):
            storm.calm(1.0, 3.0)
            storm.inject("hung", hang_until_it_gives_up, engine, proxy)
        storm.calm(1.0, 2.0)
        storm.finish()
