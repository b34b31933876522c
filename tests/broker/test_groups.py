"""Several engines in one group: partitions move, and every bar is written once all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.broker import faults
from tests.broker.engine_process import RUN, EngineProcess
from tests.broker.scene import LONG_SESSION, Scene
from tests.broker.ticks import SECOND, spread

SYMBOLS = 400
TASK_STATE = "barengine_task_state"
OPEN_FOREVER = {"IDLE_TIMEOUT": "off", "GRACE": "1h"}
"""Nothing closes until a tick far ahead comes."""
IN_TIME = LONG_SESSION
"""A process is back before, on a machine that is busy."""


def until_shared(*engines: EngineProcess, partitions: int) -> None:
    """Wait until each engine runs as many partitions as the others."""
    each = partitions // len(engines)
    for engine in engines:
        engine.until(
            f"{each} partitions", lambda engine=engine: running(engine) == each and engine.ready()
        )


def running(engine: EngineProcess) -> int:
    return sum(task["state"] == "running" for task in engine.tasks().values())


def windows(*engines: EngineProcess) -> int:
    return sum(engine.total("windows_open") for engine in engines)


def test_join_and_leave_with_open_windows(bootstrap: str, tmp_path: Path) -> None:
    """A second engine takes half of the partitions with their open windows, and gives them back."""
    #   first    |x x     x x|x x x x|x x x x|     all windows stay open until the end
    #   second        x x x x|x x
    scene = Scene(bootstrap, tmp_path, 4, OPEN_FOREVER)
    ticks = spread("b", SYMBOLS, 0, 3 * SECOND, 250, partitions=4)
    parts = [ticks[: 2 * SYMBOLS], ticks[2 * SYMBOLS : 6 * SYMBOLS], ticks[6 * SYMBOLS :]]
    with scene.engine() as first:
        until_shared(first, partitions=4)
        scene.produce(parts[0])
        first.until("windows", lambda: windows(first) == SYMBOLS)
        with scene.engine() as second:
            until_shared(first, second, partitions=4)
            assert windows(first, second) == SYMBOLS
            scene.produce(parts[1])
            second.until("more windows", lambda: windows(first, second) == 2 * SYMBOLS)
            held = {
                partition: first.metric(TASK_STATE, partition=partition) for partition in "0123"
            }
            assert sorted(held.values()) == [0, 0, 1, 1], "metrics of a lost partition are gone"
            assert second.terminate() == 0
        until_shared(first, partitions=4)
        scene.produce(parts[2])

        report = scene.finish_open(first, bars=3 * SYMBOLS)

    assert report.bars_exact == 3 * SYMBOLS


@pytest.mark.parametrize("asleep", ["between transactions", "in a transaction"])
def test_zombie(bootstrap: str, tmp_path: Path, asleep: str) -> None:
    """An engine that was paused while its partition moved commits nothing when it wakes up."""
    #   sleeper  |x x x x| zzzzzzzzzzzzzzz   wakes, and still believes that it is the owner
    #   owner              |x x x x|x   x x x|
    in_transaction = asleep == "in a transaction"
    scene = Scene(bootstrap, tmp_path, settings={"IDLE_TIMEOUT": "off"})
    ticks = spread("b", SYMBOLS, 0, 3 * SECOND, 250)
    moved, woken = (5 if in_transaction else 4) * SYMBOLS, 9 * SYMBOLS
    with scene.engine(faults.command("freeze") if in_transaction else RUN) as sleeper:
        sleeper.until_ready()
        scene.produce(ticks[:moved])
        if in_transaction:
            sleeper.until("a transaction", lambda: sleeper.frozen)
            assert len(scene.bar_records(committed=False)) == SYMBOLS
        else:
            sleeper.until("windows", lambda: windows(sleeper) == SYMBOLS)
            sleeper.freeze()
        assert scene.bar_records() == []
        with scene.engine() as owner:
            scene.produce(ticks[moved:woken])
            scene.until_bars(owner, 2 * SYMBOLS)

            sleeper.thaw()

            sleeper.until("a refused commit", lambda: refused_commits(sleeper) > 0)
            scene.produce(ticks[woken:])
            report = scene.finish_open(owner, sleeper, bars=3 * SYMBOLS)

    assert report.bars_exact == 3 * SYMBOLS


def refused_commits(engine: EngineProcess) -> int:
    """How often it tried to commit what was not its own any more."""
    return len(engine.events("fenced")) + len(engine.events("closed_dirty"))


def test_static_member_keeps_its_partitions(bootstrap: str, tmp_path: Path) -> None:
    """A member with GROUP_INSTANCE_ID that comes back in time finds its partitions unmoved."""
    scene = Scene(bootstrap, tmp_path, 2, OPEN_FOREVER | IN_TIME)
    with scene.engine(GROUP_INSTANCE_ID="one") as one:
        one.until_ready()
        with scene.engine(GROUP_INSTANCE_ID="two") as two:
            until_shared(one, two, partitions=2)
            scene.produce(spread("b", SYMBOLS, 0, SECOND, 250, partitions=2))
            [theirs] = one.tasks().keys()
            rebalances = len(two.events("assigned"))
            two.until("windows", lambda: windows(one, two) == SYMBOLS)
            one.kill9()
            with scene.engine(GROUP_INSTANCE_ID="one") as again:
                until_shared(again, two, partitions=2)

                assert again.tasks().keys() == {theirs}
                assert len(two.events("assigned")) == rebalances

                report = scene.finish_open(again, two, bars=SYMBOLS)

    assert report.bars_exact == SYMBOLS
