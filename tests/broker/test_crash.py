"""Ends of every kind, at every step: the bars are those of an engine that never ended."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.broker import faults
from tests.broker.engine_process import EngineProcess
from tests.broker.records import Record
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, spread, tick

SYMBOLS = 40
OPEN_WINDOWS = 3 * 1000
KILLED = -signal.SIGKILL

STATIC = {"GROUP_INSTANCE_ID": "one"}
"""The group gives a killed member's partitions to its next life at once."""


def until_read(scene: Scene, engine: EngineProcess, offset: int) -> None:
    """Wait until partition 0 has been read to there, and that is stored."""
    engine.until_ready().until(
        f"offset {offset} stored",
        lambda: (stored := scene.state().partition) is not None and stored.commit_offset >= offset,
    )


def test_restart_in_the_middle_of_a_window(bootstrap: str, tmp_path: Path) -> None:
    """A window that was open at a restart gives one bar of the ticks before and after it."""
    #   run 1    |x  x      |
    #   run 2    |     x  x |
    scene = Scene(bootstrap, tmp_path)
    with scene.engine(IDLE_TIMEOUT="off") as first:
        first.until_ready()
        scene.produce([tick("b", "A", 0, 1.0), tick("b", "A", 200, 2.0)])
        first.until("two ticks read", lambda: first.tasks()[0]["position"] == 2)
        assert first.terminate() == 0
    assert scene.bar_records() == []

    # before it starts: where it finds nothing new, the time since the last tick was silence
    scene.produce([tick("b", "A", 400, 3.0), tick("b", "A", 600, 4.0)])
    with scene.engine() as second:
        assert scene.finish(second).bars_exact == 1

    [bar] = scene.bars()
    assert (bar["tick_count"], bar["open"], bar["close"]) == (4, 1, 4)


@pytest.mark.parametrize("end", ["SIGTERM", "kill -9"])
def test_restart_with_many_open_windows(end: str, bootstrap: str, tmp_path: Path) -> None:
    """Thousands of windows open at the end of one engine are found again by the next one."""
    scene = Scene(bootstrap, tmp_path, 3, STATIC)
    with scene.engine(GRACE="4s", IDLE_TIMEOUT="off") as first:
        scene.produce(spread("b", 1000, 0, 3 * SECOND, SECOND // 2, partitions=3))
        first.until("many open windows", lambda: first.total("windows_open") == OPEN_WINDOWS)
        if end == "SIGTERM":
            assert first.terminate() == 0
        else:
            first.kill9()
    assert scene.bar_records() == []

    scene.produce(spread("b", 1000, 3 * SECOND, 4 * SECOND, SECOND // 2, partitions=3))
    with scene.engine() as second:
        assert scene.finish(second).bars_exact == OPEN_WINDOWS + 1000


def broken_run(scene: Scene, step: str) -> list[Record]:
    """Run an engine, then one that breaks at the step with bars in hand; what is left to send.

    The broken one finds open windows to replay, and ticks that close them.
    """
    ticks = spread("b", SYMBOLS, 0, 4 * SECOND, SECOND // 4)
    half, third = len(ticks) // 2, 3 * len(ticks) // 4
    scene.produce(ticks[:half])
    with scene.engine(IDLE_TIMEOUT="off") as healthy:
        until_read(scene, healthy, half)
        healthy.kill9()
    scene.produce(ticks[half:third])
    with scene.engine(faults.command(step), IDLE_TIMEOUT="off") as broken:
        assert broken.exit_code() == KILLED, broken.tail()
    return ticks[third:]


@pytest.mark.parametrize("step", faults.DEADLY)
def test_kill_at_a_step(step: str, bootstrap: str, tmp_path: Path) -> None:
    """Killed at any step of recovery or of a transaction, an engine leaves nothing half done."""
    scene = Scene(bootstrap, tmp_path, settings=STATIC)
    rest = broken_run(scene, step)
    written = len(scene.bar_records(committed=False)), len(scene.bar_records())
    # one window of each symbol closed in the first run, one more in the broken one
    assert written == {
        "before_commit": (2 * SYMBOLS, SYMBOLS),
        "after_commit": (2 * SYMBOLS, 2 * SYMBOLS),
    }.get(step, (SYMBOLS, SYMBOLS))

    scene.produce(rest)
    with scene.engine() as last:
        assert scene.finish(last).bars_exact == 4 * SYMBOLS


def test_lost_answer_to_a_commit(bootstrap: str, tmp_path: Path) -> None:
    """A commit that succeeded although its answer was lost is not done again."""
    scene = Scene(bootstrap, tmp_path)
    scene.produce(spread("b", SYMBOLS, 0, 4 * SECOND, SECOND // 4))

    with scene.engine(faults.command("lost_answer")) as engine:
        assert scene.finish(engine).bars_exact == 4 * SYMBOLS
        errors = [one["error"] for one in engine.events("recovering")]
        assert sum("the answer is lost" in error for error in errors) == 1


def test_second_run_finds_nothing_to_do(bootstrap: str, tmp_path: Path) -> None:
    """An engine that starts where all is done writes no bar again."""
    scene = Scene(bootstrap, tmp_path)
    scene.produce(spread("b", SYMBOLS, 0, 2 * SECOND, SECOND // 4))
    with scene.engine() as first:
        scene.finish(first)
    before = scene.bar_records()

    with scene.engine() as second:
        second.until_ready()
        scene.finish(second)

    assert scene.bar_records() == before
