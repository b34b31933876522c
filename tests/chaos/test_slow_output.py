"""Output that is slower than input: memory stays bounded, and the member stays in its group."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil
import pytest

from barengine.kafka.local import LocalKafka
from tests.broker.engine_process import RUN, EngineProcess
from tests.broker.proxy import PRODUCE, Proxy, Weather
from tests.broker.records import end_offsets
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, many
from tests.chaos import hasty
from tests.chaos.forms import cases
from tests.chaos.storm import Chaos

MEGABYTE: Final = 1 << 20
BARS_A_SECOND: Final = 1000
SECONDS: Final = 300
ROOM: Final = 32 * MEGABYTE
"""What may pile up on its way out: a transaction of 8 MiB, the next one, and both once more as
batches. All bars of the run are nearly twice as much."""


def bulk(
    proxy: Proxy, tmp_path: Path, bootstrap: str, seconds: int = SECONDS, **settings: str
) -> Scene:
    """A scene with so many bars waiting to be made that none could stay in memory unseen."""
    given = {"BOOTSTRAP_SERVERS": proxy.bootstrap, **settings}
    scene = Scene(bootstrap, tmp_path, settings=given)
    count = BARS_A_SECOND * seconds
    scene.produce(many("b", count, BARS_A_SECOND, seconds * SECOND), "lz4")
    return scene


def peak_of(engine: EngineProcess, seconds: float, condition: Callable[[], bool]) -> int:
    """The largest memory seen, in bytes, until the condition is true and so many seconds are
    over."""
    process, peak, ends = psutil.Process(engine.pid), 0, time.monotonic() + seconds

    def done() -> bool:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)
        return time.monotonic() > ends and condition()

    engine.until("everything read", done)
    return peak


def until_read(scene: Scene, engine: EngineProcess) -> int:
    """The same, until every tick is read."""
    end = end_offsets(scene.bootstrap, scene.settings.input_topic)[0]
    return peak_of(engine, 0.0, lambda: engine.total("position") >= end)


def undisturbed(scene: Scene) -> int:
    """The most memory that these ticks take. Their bars are not looked at: to work out hundreds of
    thousands of them again takes longer than everything else here."""
    with scene.engine() as engine:
        peak = until_read(scene, engine)
        scene.until_idle(engine)
    return peak


SLOW: Final = {
    "throttled": (Weather(bytes_per_s=100e3, only=frozenset({PRODUCE})), RUN),
    "stopped": (Weather(hung=True, only=frozenset({PRODUCE})), hasty.command()),
}


@pytest.mark.parametrize("name", cases(SLOW, short="throttled"))
def test_output_is_slower_than_input(
    name: str, network: tuple[LocalKafka, Proxy], chaos: Chaos, tmp_path: Path
) -> None:
    """Behind a slow output memory stays bounded and the member in its group; all is caught up."""
    (broker, proxy), (weather, command) = network, SLOW[name]
    usual = undisturbed(bulk(proxy, tmp_path, broker.bootstrap))
    scene = bulk(proxy, tmp_path, broker.bootstrap)
    with scene.engine(command) as engine:
        proxy.weather(weather)
        peak = peak_of(engine, chaos.pick(short=12.0, full=24.0), lambda: True)
        assert engine.total("position") < BARS_A_SECOND * SECONDS, "nothing held the input back"
        proxy.heal()
        peak = max(peak, until_read(scene, engine))
        assert engine.metric("barengine_rebalances_total") == 1 or proxy.stood_still
        report = scene.finish(engine)
    print(f"{usual / MEGABYTE:.0f} MiB, {name} {peak / MEGABYTE:.0f} MiB")  # noqa: T201
    assert peak < usual + ROOM, (usual, peak)
    chaos.add(f"output {name}", 1, report)


BARS: Final = "barengine_bars_emitted_total"
CRAWLING: Final = Weather(bytes_per_s=700e3, only=frozenset({PRODUCE}))
"""8 MiB of bars take 6 s; a hasty transaction has 3 s."""


def test_line_is_too_slow_for_a_full_transaction(
    network: tuple[LocalKafka, Proxy], chaos: Chaos, tmp_path: Path
) -> None:
    """A transaction that was not done in its time is not tried again whole for ever: smaller ones
    follow until they fit the line, and it is caught up once the line is fast again."""
    broker, proxy = network
    scene = bulk(proxy, tmp_path, broker.bootstrap, seconds=60, COMPRESSION="none")
    with scene.engine(hasty.command()) as engine:
        proxy.weather(CRAWLING)
        engine.until("bars in spite of it", lambda: engine.metric(BARS) > 20_000)
        tried = [one["error"] for one in engine.events("recovering")]
        assert tried
        assert all("was not done in 3000 ms" in error for error in tried) or proxy.stood_still
        proxy.heal()
        until_read(scene, engine)
        report = scene.finish(engine)
    chaos.add("line too slow for a full transaction", len(tried), report)
