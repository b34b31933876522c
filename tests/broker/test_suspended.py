"""A rebalance: partitions that stay go on where they were, unless anybody ran them meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from barengine.kernel import BATCH_HEADER, BATCH_PREFIX
from tests.broker import faults
from tests.broker.engine_process import EngineProcess
from tests.broker.members import reader
from tests.broker.scene import Scene
from tests.broker.test_groups import (
    OPEN_FOREVER,
    SYMBOLS,
    refused_commits,
    until_shared,
    windows,
)
from tests.broker.ticks import SECOND, spread

PARTITIONS = 2
BARS = 3 * SYMBOLS

Producer = tuple[int, int]
"""Producer id and epoch."""


async def producers(bootstrap: str, topic: str, partition: int) -> set[Producer]:
    """Everyone who wrote to a partition."""
    async with reader(bootstrap, topic) as one:
        await one.until(lambda: all(one.source.at_end(p) for p in range(PARTITIONS)))
    return {
        producer
        for fetch in one.fetches
        if fetch.partition == partition
        for producer in producers_of(fetch.data)
    }


def producers_of(data: bytes | memoryview) -> Iterator[Producer]:
    """The producer of each batch that is whole."""
    start = 0
    while start + BATCH_HEADER.size <= len(data):
        header = BATCH_HEADER.unpack_from(data, start)
        yield header[9], header[10]
        start += BATCH_PREFIX.size + header[1]


def kept(engine: EngineProcess) -> set[int]:
    """The partitions that went on after a rebalance without recovery."""
    return {event["partition"] for event in engine.events("kept")}


def visited(scene: Scene, first: EngineProcess, *, bars: int = BARS) -> int:
    """Let a second engine come and go with windows open; which partition stayed all the time."""
    #   first    |x x     x x|x x x x|x x x x|     all windows stay open until the end
    #   second        x x x x|x x
    ticks = spread("b", SYMBOLS, 0, 3 * SECOND, 250, partitions=PARTITIONS)
    parts = [ticks[: 2 * SYMBOLS], ticks[2 * SYMBOLS : 6 * SYMBOLS], ticks[6 * SYMBOLS :]]
    until_shared(first, partitions=PARTITIONS)
    scene.produce(parts[0])
    first.until("windows", lambda: windows(first) == SYMBOLS)
    with scene.engine() as second:
        until_shared(first, second, partitions=PARTITIONS)
        [stayed] = first.tasks()
        scene.produce(parts[1])
        first.until("more windows", lambda: windows(first, second) == 2 * SYMBOLS)
        assert second.terminate() == 0
    until_shared(first, partitions=PARTITIONS)
    scene.produce(parts[2])
    assert scene.finish_open(first, bars=bars).bars_exact == bars
    return stayed


async def test_partition_that_stays_keeps_windows_and_producer(
    bootstrap: str, tmp_path: Path
) -> None:
    """A partition that comes back is not recovered: same windows, same producer, same bars."""
    scene = Scene(bootstrap, tmp_path, PARTITIONS, OPEN_FOREVER)
    with scene.engine(faults.command("patient")) as first:
        stayed = visited(scene, first)

    assert kept(first) == {stayed}
    replays = [event["partition"] for event in first.events("replay")]
    assert replays.count(stayed) == 1, "recovered once, at the start"
    topic = scene.settings.state_topic
    assert len(await producers(bootstrap, topic, stayed)) == 1
    assert len(await producers(bootstrap, topic, 1 - stayed)) == 3, "there and back"


def test_partition_that_goes_is_closed(bootstrap: str, tmp_path: Path) -> None:
    """A suspended task whose partition goes elsewhere is dropped with the new assignment."""
    scene = Scene(bootstrap, tmp_path, PARTITIONS, OPEN_FOREVER)
    with scene.engine() as first:
        until_shared(first, partitions=PARTITIONS)
        with scene.engine() as second:
            until_shared(first, second, partitions=PARTITIONS)
            [gone] = second.tasks()

            def states() -> list[str]:
                return [e["state"] for e in first.events("task") if e["partition"] == gone]

            first.until("its end", lambda: states()[-1:] == ["closed"])
            assert states()[-3:] == ["suspended", "closing", "closed"]
            assert first.events("closed_dirty") == []


@pytest.mark.parametrize("rival", ["rival_commits", "rival_hangs"])
def test_partition_that_another_owner_ran_is_recovered(
    bootstrap: str, tmp_path: Path, rival: str
) -> None:
    """A commit of an owner in between is seen in the state; one under way is not waited for."""
    scene = Scene(bootstrap, tmp_path, PARTITIONS, OPEN_FOREVER)
    with scene.engine(faults.command(rival)) as first:
        stayed = visited(scene, first)

    assert kept(first) == set()
    assert stayed in {event["partition"] for event in first.events("moved_meanwhile")}
    assert refused_commits(first) == 0


def test_partition_that_another_owner_fenced_is_recovered(bootstrap: str, tmp_path: Path) -> None:
    """An owner in between that left nothing in the state has fenced: the next commit is refused."""
    scene = Scene(bootstrap, tmp_path, PARTITIONS, OPEN_FOREVER)
    with scene.engine(faults.command("rival_goes")) as first:
        stayed = visited(scene, first)

    assert kept(first) == {stayed}
    assert refused_commits(first) > 0


@pytest.mark.parametrize("step", ["overtaken_in_look", "overtaken_in_recovery"])
def test_owner_that_commits_while_the_state_is_read(
    bootstrap: str, tmp_path: Path, step: str
) -> None:
    """The group's offset may be newer than the state that was read: no sign of a loss. Who has
    been overtaken finds out by its next commit."""
    scene = Scene(bootstrap, tmp_path, PARTITIONS, OPEN_FOREVER)
    with scene.engine(faults.command(step)) as first:
        visited(scene, first)

        assert refused_commits(first) > 0


def test_silence_goes_on_after_a_rebalance(bootstrap: str, tmp_path: Path) -> None:
    """Windows that only silence can close are closed, though members come and go."""
    scene = Scene(bootstrap, tmp_path, PARTITIONS, {"IDLE_TIMEOUT": "2s"})
    with scene.engine() as first:
        until_shared(first, partitions=PARTITIONS)
        scene.produce(spread("b", SYMBOLS, 0, SECOND, 250, partitions=PARTITIONS))
        with scene.engine() as second:
            until_shared(first, second, partitions=PARTITIONS)
            assert second.terminate() == 0

        assert scene.finish(first).bars_exact == SYMBOLS
