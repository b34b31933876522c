"""RESTORE_MAX: a restart reads about so many records again, however long a window or a silence."""

from __future__ import annotations

from pathlib import Path

from tests.broker.engine_process import EngineProcess
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, many, tick

SYMBOLS = 200
RESTORE_MAX = 1000
BOUNDED = {"RESTORE_MAX": str(RESTORE_MAX), "GROUP_INSTANCE_ID": "one"}


def read_to(scene: Scene, engine: EngineProcess, offset: int) -> None:
    """Wait until everything before the offset is read, and that is stored."""
    engine.until_ready().until(
        f"offset {offset} stored",
        lambda: (stored := scene.state().partition) is not None and stored.commit_offset >= offset,
    )


def read_again(engine: EngineProcess) -> int:
    """How many records its recovery found to read a second time."""
    [replay] = engine.until_ready().events("replay")
    return int(replay["commit"]) - int(replay["low_water"])


def test_a_long_window_in_three_lives(bootstrap: str, tmp_path: Path) -> None:
    """Killed twice inside an hour, the engine reads little again, and the bars have every tick."""
    #   C         5000    5500    9000
    #   run 1    |x       |       |        stores the windows: 5000 > RESTORE_MAX
    #   run 2    |        x       |        500 more behind what is stored
    #   run 3    |                x        reads those again
    ticks = list(many("b", 9000, SYMBOLS, 600 * SECOND))
    scene = Scene(bootstrap, tmp_path, settings=BOUNDED | {"WINDOW": "1h"})
    scene.produce(ticks[:5000])
    with scene.engine() as first:
        read_to(scene, first, 5000)
        first.kill9()
    stored = scene.state()
    assert stored.partition is not None
    assert stored.partition.low_water == 5000
    assert sum(block.count for block in stored.windows.values()) == SYMBOLS

    scene.produce(ticks[5000:5500])
    with scene.engine() as second:
        assert read_again(second) == 0
        read_to(scene, second, 5500)
        second.kill9()

    scene.produce(ticks[5500:])
    with scene.engine() as third:
        assert read_again(third) == 500
        assert scene.finish_open(third, bars=SYMBOLS).bars_exact == SYMBOLS


def test_a_silent_broker_in_a_catch_up(bootstrap: str, tmp_path: Path) -> None:
    """Its open window pins nothing: far behind it in the log a restart reads few records again."""
    busy = list(many("busy", 60_000, SYMBOLS, 100 * SECOND))
    scene = Scene(bootstrap, tmp_path, settings=BOUNDED)
    scene.produce([tick("quiet", "Q", 300, 1.0), tick("quiet", "Q", 600, 2.0), *busy])
    with scene.engine(IDLE_TIMEOUT="off") as first:
        read_to(scene, first, len(busy) + 2)
        first.kill9()
    assert scene.state().windows

    with scene.engine() as second:
        assert read_again(second) <= RESTORE_MAX
        scene.finish(second, bars_exact=1 + 100 * SYMBOLS)
    [bar] = scene.bars("quiet")
    assert (bar["tick_count"], bar["first_offset"], bar["last_offset"]) == (2, 0, 1)
    assert scene.state().windows == {}
