"""What the process does beside its partitions: beat, upkeep, rebalances, a clean end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from barengine.errors import StateError
from barengine.kernel import kernel_class
from barengine.service import app as app_module
from barengine.service import upkeep
from barengine.service.app import App
from barengine.service.lifecycle import TaskState
from barengine.service.task import PartitionTask, Work
from barengine.service.upkeep import Upkeep
from barengine.settings import load_settings
from tests.processes import PATIENCE_S


class Sick:
    """A member of a group whose coordinator answers nothing."""

    topic = "ticks"
    generation = 1

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.stopped = False

    async def poll(self, timeout_s: float) -> list[Any]:
        await asyncio.sleep(timeout_s)
        return []

    async def commit_group_offset(self, _: dict[int, tuple[int, str]]) -> bool:
        self.asked.set()
        return await asyncio.Future()

    async def topic_exists(self) -> bool:
        return await asyncio.Future()

    async def stop(self) -> None:
        self.stopped = True


class Ticking:
    """A task that counts the beats."""

    def __init__(self, on_tick: Callable[[], None] = lambda: None) -> None:
        self.partition = 0
        self.beats = 0
        self.state = TaskState.RUNNING
        self.looked_ns: int | None = None
        committer = SimpleNamespace(committed_offset=5, committed_seq=1)
        self.running = SimpleNamespace(committer=committer)
        self._on_tick = on_tick

    def tick(self) -> None:
        self.beats += 1
        self._on_tick()

    async def close(self) -> None:
        while True:  # whoever cancels it waits
            try:
                await asyncio.sleep(PATIENCE_S)
            except asyncio.CancelledError:
                await asyncio.sleep(0.5)


def an_app(partitions: int = 1, heard_ns: int | None = None) -> Any:
    app = App(load_settings(None, {}), kernel_class("pure"))
    topics, source = SimpleNamespace(partitions=partitions), SimpleNamespace(heard_ns=heard_ns)
    given: Any = SimpleNamespace(topics=topics, metrics=app.metrics, source=source)
    app._wiring = given
    return app


async def test_beat_goes_on_while_the_coordinator_is_ill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence closes windows on time, whatever becomes of the group's offsets."""
    monkeypatch.setattr(app_module, "_BEAT_S", 0.001)
    monkeypatch.setattr(upkeep, "_PAUSE_S", 0.001)
    app, source = an_app(), Sick()
    task = Ticking(lambda: app.stop() if task.beats > 20 and source.asked.is_set() else None)
    app.tasks[0] = task
    app._source, app._upkeep = source, Upkeep(source, app.tasks)  # type: ignore[arg-type]
    async with asyncio.timeout(PATIENCE_S):
        await app._loop()
    assert source.asked.is_set()
    assert app._error is None


async def test_group_is_left_though_the_last_commits_take_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each part of a clean end has a time of its own."""
    monkeypatch.setattr(app_module, "_STOP_S", 0.2)
    monkeypatch.setattr(app_module, "_LEAVE_S", 0.1)
    monkeypatch.setattr(app_module, "_REVOKE_S", 0.05)
    app, source = an_app(), Sick()
    app.tasks[0] = Ticking()
    app._source = source
    async with asyncio.timeout(PATIENCE_S):
        await app._tear_down()
    assert source.stopped


async def test_no_task_begins_once_the_process_ends() -> None:
    """A rebalance that comes to its end meanwhile changes nothing: nobody would end the task."""
    app = an_app()
    app.stop()
    app._assigned({0})
    assert app.tasks == {}


async def test_input_topic_that_has_grown_ends_the_process() -> None:
    """A partition that output and state do not have is named, with the command that helps."""
    app = an_app(partitions=2)
    app._assigned({1, 2})
    assert app.tasks == {}
    error = app._error
    assert isinstance(error, StateError)
    assert "partitions [2] are new" in str(error)
    assert "barengine state adopt" in str(error)
    assert not app.live()


class Revoked(Ticking):
    """A task whose last commit fails."""

    def __init__(self, looked_ns: int | None) -> None:
        super().__init__()
        self.looked_ns = looked_ns

    async def suspend(self) -> None:
        self.state = TaskState.CLOSED


@pytest.mark.parametrize("heard_ns", [None, 2000])
@pytest.mark.parametrize("looked_ns", [None, 1000])
@pytest.mark.parametrize("back_at_once", [True, False])
async def test_how_far_a_new_task_may_take_time_for_silence(
    monkeypatch: pytest.MonkeyPatch,
    back_at_once: bool,
    looked_ns: int | None,
    heard_ns: int | None,
) -> None:
    """Thrown out of the group and back, the process knows how long it was blind; where another
    member had the partition since, or it has never looked, as far as it has heard of the cluster;
    just started it has heard nothing, and leaves all of it to the state."""
    made: list[int | None] = []

    class Made(Ticking):
        def __init__(
            self, partition: int, wiring: Any, on_fatal: Any, looked_ns: int | None
        ) -> None:
            super().__init__()
            made.append(looked_ns)

        def start(self) -> None:
            pass

    monkeypatch.setattr(app_module, "PartitionTask", Made)
    app = an_app(heard_ns=heard_ns)
    app.tasks[0] = Revoked(looked_ns)
    await app._revoked({0})
    if not back_at_once:
        app._assigned(set())
    app._assigned({0})
    assert made == [looked_ns if back_at_once and looked_ns is not None else heard_ns]


async def test_task_that_closes_late_leaves_the_metrics_to_the_one_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A partition that comes back while its last task is still closing keeps the new one's."""
    #   assigned   0 | - | 0
    #   first      | closing .... closed
    #   second           | restoring ...
    monkeypatch.setattr(PartitionTask, "start", lambda task: task._move(TaskState.RESTORING))
    app, closed = an_app(), asyncio.Event()
    app._assigned({0})
    first = app.tasks[0]
    nothing: Any = SimpleNamespace(looked_ns=1)
    committer: Any = SimpleNamespace(
        exclusive=asyncio.Lock, close=closed.wait, discard=lambda: asyncio.sleep(0)
    )
    first.work = Work(nothing, committer, nothing)
    app._assigned(set())
    [closing] = app._closing
    await asyncio.sleep(0)
    assert shown(app) == {}

    app._assigned({0})
    app.metrics.count_ticks(0, 7)
    assert not closing.done()
    closed.set()
    await closing
    assert first.state is TaskState.CLOSED
    assert shown(app) == {"restoring": 1, "ticks": 7}


def shown(app: App) -> dict[str, float]:
    """What the metrics say of partition 0: the states that it is in, and its ticks."""
    return {
        sample.labels.get("state", "ticks"): sample.value
        for family in app.metrics.registry.collect()
        for sample in family.samples
        if sample.labels.get("partition") == "0"
        and sample.value
        and not sample.name.endswith("_created")
    }
