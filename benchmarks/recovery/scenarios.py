"""What is done to the engine, and what is measured. Each returns seconds by the name of its row."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from benchmarks.recovery.feed import PARTITIONS, Arrivals, Feed
from tests.broker.engine_process import RUN, EngineProcess
from tests.broker.records import Record, write
from tests.broker.scene import Scene
from tests.broker.ticks import many, tick
from tests.processes import PATIENCE_S, eventually

PRODUCT: Final = {
    "WINDOW": "1m",
    "GRACE": "5s",
    "IDLE_TIMEOUT": "5s",
}
"""The defaults, where a test's are shorter."""

STATE_SERIES: Final = 100_000
REPLAYED: Final = 1_000_000
RESTORE_MAX: Final = 100_000
AGAIN: Final = 2_000_000
BUSY_SERIES: Final = 1_000
BUSY_SPAN_MS: Final = 1_500_000
"""Less than an hour, and many minutes."""

_SETTLE_S: Final = 2.0
"""Between two disturbances: bars flow as if nothing had been."""

_PHASE_S: Final = 1.0
"""A heartbeat's interval: what is measured depends on how long ago the last one was."""

Seconds = dict[str, float]
Step = Callable[[str, Path], Seconds]
"""Takes the broker's address and a folder for logs."""

KILL: Final = "kill -9 of one of two, bars of all partitions again"
LEAVE: Final = "SIGTERM of one of two, bars of all partitions again"
STAY: Final = "rebalance, longest stall of a partition that stays"
STATIC: Final = "kill -9 and restart of a static member, bars again"
RESTORE: Final = "restart of a static member, 100 000 series, 1 M ticks: start to RUNNING"

_BOUND: Final = "RESTORE_MAX 100 000: start to RUNNING"
LONG: Final = f"restart in an hour's window, 2 M ticks in it, {_BOUND}"
SILENT: Final = f"restart, one broker silent for 2 M ticks of a catch-up, {_BOUND}"

MARKS: Final = {KILL: 8.0, LEAVE: 2.0, STAY: 1.0, RESTORE: 3.0, LONG: 3.0, SILENT: 3.0}
"""Most seconds: session time-out + 2 s, and what docs/recovery.md promises."""


@contextmanager
def flowing(bootstrap: str, folder: Path) -> Iterator[tuple[Scene, EngineProcess, Arrivals]]:
    """A scene with one engine through which bars flow; at the end every bar is checked."""
    scene = Scene(bootstrap, folder, PARTITIONS, PRODUCT)
    with scene.engine() as first:
        first.until_ready()
        with Arrivals(bootstrap, scene.settings.bar_topic) as arrivals:
            with Feed(bootstrap, scene.settings.input_topic):
                until_flowing(arrivals)
                yield scene, first, arrivals
            scene.finish(first)


def until_flowing(arrivals: Arrivals, patience_s: float = PATIENCE_S) -> None:
    """Wait until bars of all partitions have come for a while."""
    since = time.monotonic()
    if not eventually(lambda: arrivals.flowing(since + _SETTLE_S), patience_s):
        raise RuntimeError("no bars")


def until_shared(first: EngineProcess, second: EngineProcess) -> None:
    """Wait until both run half of the partitions."""

    def shared() -> bool:
        tasks = [*first.tasks().values(), *second.tasks().values()]
        return len(tasks) == PARTITIONS and all(task["state"] == "running" for task in tasks)

    second.until("its half", lambda: shared() and len(second.tasks()) == PARTITIONS // 2)


def members(bootstrap: str, folder: Path) -> Seconds:
    """Members come, leave and are killed, while the first one stays."""
    found: Seconds = {}
    with flowing(bootstrap, folder) as (scene, first, arrivals):
        for name, end in ((LEAVE, EngineProcess.terminate), (KILL, EngineProcess.kill9)):
            joining = time.monotonic()
            with scene.engine() as second:
                until_shared(first, second)
                stays = list(first.tasks())
                until_flowing(arrivals)
                time.sleep(random.uniform(0.0, _PHASE_S))
                ended = time.monotonic()
                end(second)
                until_flowing(arrivals)
            first.until("all partitions", lambda: len(first.tasks()) == PARTITIONS)
            until_flowing(arrivals)
            found[name] = arrivals.back(ended)
            found[STAY] = max(found.get(STAY, 0.0), arrivals.stall(joining, stays))
    return found


def static(bootstrap: str, folder: Path) -> Seconds:
    """The only member is killed and started again, under its name."""
    with ExitStack() as stack:
        scene = Scene(bootstrap, folder, PARTITIONS, PRODUCT)
        one = stack.enter_context(scene.engine(RUN, GROUP_INSTANCE_ID="one")).until_ready()
        arrivals = stack.enter_context(Arrivals(bootstrap, scene.settings.bar_topic))
        with Feed(bootstrap, scene.settings.input_topic):
            until_flowing(arrivals)
            ended = time.monotonic()
            one.kill9()
            again = stack.enter_context(scene.engine(RUN, GROUP_INSTANCE_ID="one"))
            until_flowing(arrivals)
            found = {STATIC: arrivals.back(ended)}
        scene.finish(again)
    return found


def restore(bootstrap: str, folder: Path) -> Seconds:
    """A restart with much state and many ticks of open windows to read again."""
    settings = PRODUCT | {"WATERMARK": "series", "IDLE_TIMEOUT": "off"}
    scene = Scene(bootstrap, folder, PARTITIONS, settings)
    topic = scene.settings.input_topic
    ticks = (
        tick("b", f"S{number}", at_ms, 1.0 + number, number % PARTITIONS)
        for at_ms in (0, *range(120_000, 120_000 + REPLAYED // STATE_SERIES))
        for number in range(STATE_SERIES)
    )
    write(bootstrap, topic, ticks, "lz4")
    took, replayed = restarted(scene, REPLAYED + STATE_SERIES)
    assert replayed == REPLAYED, replayed
    assert len(scene.bar_records()) == STATE_SERIES
    return {RESTORE: took}


def restarted(scene: Scene, total: int) -> tuple[float, int]:
    """Kill a static member that has committed so many records, and start it again: seconds to
    RUNNING, and records that were read again."""
    with scene.engine(RUN, GROUP_INSTANCE_ID="one") as one:
        one.until("all committed", lambda: one.total("commit_offset") == total)
        one.kill9()
    began = time.monotonic()
    with scene.engine(RUN, GROUP_INSTANCE_ID="one") as again:
        again.until("ready", lambda: len(running(again)) == PARTITIONS)
        took = time.monotonic() - began
        again.until_ready()
        replays = again.events("replay")
        assert again.terminate() == 0
    return took, sum(one["commit"] - one["low_water"] for one in replays)


def _bounded(folder: Path, bootstrap: str, window: str, quiet: Sequence[Record]) -> float:
    """Restart behind many ticks of windows that are open all the time, or of one that is."""
    settings = PRODUCT | {"WINDOW": window, "IDLE_TIMEOUT": "off", "RESTORE_MAX": str(RESTORE_MAX)}
    scene = Scene(bootstrap, folder, PARTITIONS, settings)
    each = AGAIN // PARTITIONS
    write(bootstrap, scene.settings.input_topic, quiet, "lz4")
    for partition in range(PARTITIONS):
        ticks = many("busy", each, BUSY_SERIES, BUSY_SPAN_MS, partition)
        write(bootstrap, scene.settings.input_topic, ticks, "lz4")
    took, replayed = restarted(scene, AGAIN + len(quiet))
    assert replayed <= PARTITIONS * RESTORE_MAX, replayed
    return took


def long_window(bootstrap: str, folder: Path) -> Seconds:
    """A restart inside a window that holds far more than shall be read again."""
    return {LONG: _bounded(folder, bootstrap, "1h", [])}


def silent(bootstrap: str, folder: Path) -> Seconds:
    """A restart in a catch-up, with a broker whose open window lies far behind."""
    quiet = [tick("quiet", f"Q{number}", 0, 1.0, number) for number in range(PARTITIONS)]
    return {SILENT: _bounded(folder, bootstrap, "1m", quiet)}


def running(engine: EngineProcess) -> set[int]:
    """The partitions that have come to RUNNING, by its log: asking it would slow it down."""
    return {e["partition"] for e in engine.events("task") if e["state"] == "running"}


ALL: Final[tuple[Step, ...]] = (members, static, restore, long_window, silent)
