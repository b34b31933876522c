"""A network that delays, throttles, cuts, half-closes, hangs and swallows: bars do not notice.

Every connection of the engine goes through a proxy; feed and verdict do not.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import count
from operator import attrgetter
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from barengine.kafka.local import LocalKafka
from tests.broker.engine_process import EngineProcess
from tests.broker.proxy import FETCH, Proxy, Weather
from tests.broker.scene import LONG_SESSION, Scene
from tests.broker.ticks import SECOND, START_MS, spread, tick
from tests.chaos.forms import cases
from tests.chaos.storm import Chaos


class Trouble(NamedTuple):
    """One way in which a network breaks.

    ``times`` are those of the full form; ``lasting_s`` is the shortest and the
    longest time until it heals, ``calm_s`` the same until the next one; ``sign`` is what the proxy
    counts more of when it was there.
    """

    strike: Callable[[Proxy, random.Random], object]
    sign: Callable[[Proxy], int]
    times: int
    lasting_s: tuple[float, float]
    calm_s: tuple[float, float] = (0.5, 4.0)


def delay(proxy: Proxy, chance: random.Random) -> None:
    proxy.weather(Weather(delay_s=(0.0, chance.uniform(0.05, 0.2))))


def throttle(proxy: Proxy, chance: random.Random) -> None:
    proxy.weather(Weather(bytes_per_s=chance.uniform(50e3, 150e3)))


def hang(proxy: Proxy, _: random.Random) -> None:
    proxy.weather(Weather(hung=True))


def cut(proxy: Proxy, chance: random.Random) -> None:
    proxy.cut(chance.uniform(0.3, 1.0))


def half_close(proxy: Proxy, chance: random.Random) -> None:
    proxy.half_close(chance.uniform(0.3, 1.0))


def swallow(proxy: Proxy, _: random.Random) -> None:
    proxy.swallow()


connections = attrgetter("connections")
"""The engine needs new ones, for the old ones do not outlive it."""

TROUBLES: Final = {
    "delayed": Trouble(delay, attrgetter("delayed"), 4, (4.0, 8.0)),
    "throttled": Trouble(throttle, attrgetter("throttled"), 4, (4.0, 8.0)),
    "cut": Trouble(cut, connections, 40, (0.0, 0.1), (0.1, 3.0)),
    "half-closed": Trouble(half_close, connections, 20, (0.0, 0.1), (0.1, 3.0)),
    "hung": Trouble(hang, attrgetter("held"), 6, (1.0, 5.0)),
    "swallowed": Trouble(swallow, connections, 3, (2.0, 8.0), (1.0, 6.0)),
}


@pytest.mark.parametrize("name", cases(TROUBLES, short="cut"))
def test_broken_network(name: str, network: tuple[LocalKafka, Proxy], chaos: Chaos) -> None:
    """Whatever the network does to the engine's connections, each tick is in its bar."""
    (broker, proxy), trouble = network, TROUBLES[name]
    settings = {"BOOTSTRAP_SERVERS": proxy.bootstrap}
    with chaos.storm(f"network {name}", broker.bootstrap, settings=settings) as storm:
        before = trouble.sign(proxy)
        for _ in range(chaos.pick(short=4, full=trouble.times)):
            storm.calm(*trouble.calm_s)
            storm.inject(name, trouble.strike, proxy, chaos.chance)
            storm.calm(*trouble.lasting_s)
            proxy.heal()
        storm.calm(1.0, 2.0)
        storm.finish()
        assert trouble.sign(proxy) > before, "the fault was never there"


@pytest.mark.full
def test_member_is_parted_from_its_group(network: tuple[LocalKafka, Proxy], chaos: Chaos) -> None:
    """A member in a black hole loses its partitions to the others, and joins them afterwards."""
    broker, proxy = network
    name = "network parts a member from its group"
    with chaos.storm(name, broker.bootstrap, engines=0) as storm:
        storm.fleet.start(BOOTSTRAP_SERVERS=proxy.bootstrap)
        other = storm.fleet.start()
        storm.fleet.until_covered()
        for _ in range(4):
            storm.calm(0.5, 4.0)
            storm.inject("parted", proxy.swallow)
            other.until("all partitions", lambda: len(other.tasks()) == storm.scene.partitions)
            storm.calm(0.0, 3.0)
            proxy.heal()
            storm.fleet.until_covered()
        storm.calm(1.0, 2.0)
        storm.finish()


HUNG: Final = {"WINDOW": "5s", "GRACE": "0s", "IDLE_TIMEOUT": "2s"} | LONG_SESSION
HUNG_S: Final = 9.0
"""If it counted as silence, the clock would be behind the window and the next ticks late."""


def hang_in_time(scene: Scene, engine: EngineProcess, proxy: Proxy) -> int:
    """Send a tick, and hang the fetches before much silence is seen behind it; its time in ms.

    Where this process has stood still in between, that market has fallen silent: another tick is
    sent when its bar has left.
    """
    for number in count():
        start = number * 100 * SECOND
        scene.produce([tick("b", "S", start)])
        engine.until("the tick", lambda n=number: engine.total("position") > n)
        proxy.weather(Weather(hung=True, only=frozenset({FETCH})))
        clock_ms = engine.tasks()[0]["brokers"]["b"]["market_clock_ms"] - START_MS
        if clock_ms < start + 3 * SECOND:
            break
        proxy.heal()
        engine.until("its bar", lambda n=number: len(scene.bar_records()) > n)
    return start


@pytest.mark.parametrize("ending", cases(["answered at last", "cut"], short="cut"))
def test_hung_fetch_is_no_silence(
    ending: str, network: tuple[LocalKafka, Proxy], chaos: Chaos, tmp_path: Path
) -> None:
    """Data that waits behind a hung fetch is not late, and no window closes before it."""
    #   event time   |x   wwwwwwwwww  |
    #   fetches       ok  hung ------------------ ok
    #   idle time-out      |.......|
    broker, proxy = network
    scene = Scene(broker.bootstrap, tmp_path, settings=HUNG)
    with scene.engine(BOOTSTRAP_SERVERS=proxy.bootstrap) as engine:
        engine.until_ready()
        start = hang_in_time(scene, engine, proxy)
        before = scene.bar_records()
        scene.produce(spread("b", 3, start + 1 * SECOND, start + 4 * SECOND, 100))
        time.sleep(HUNG_S)
        assert engine.total("windows_open") == 1
        assert scene.bar_records() == before
        if ending == "cut":
            proxy.cut()
        proxy.heal()
        report = scene.finish(engine, late=0, dead=0)
    chaos.add(f"hung fetch with data waiting, {ending}", 1, report)
