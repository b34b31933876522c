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
from barengine.service.task import Seen
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
        self.seen: Seen | None = None
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


def an_app(partitions: int = 1) -> Any:
    app = App(load_settings(None, {}), kernel_class("pure"))
    topics = SimpleNamespace(partitions=partitions)
    given: Any = SimpleNamespace(topics=topics, metrics=app.metrics)
    app._wiring = given
    return app


async def test_beat_goes_on_while_the_coordinator_is_ill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence closes windows on time, whatever becomes of the group's offsets."""
    monkeypatch.setattr(app_module, "update_gauges", lambda *_: None)
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

    def __init__(self) -> None:
        super().__init__()
        self.seen = Seen(5, 1000)

    async def suspend(self) -> None:
        self.state = TaskState.CLOSED


@pytest.mark.parametrize(("back_at_once", "seen"), [(True, Seen(5, 1000)), (False, None)])
async def test_what_a_lost_task_has_seen_is_for_the_one_after_it(
    monkeypatch: pytest.MonkeyPatch, back_at_once: bool, seen: Seen | None
) -> None:
    """Thrown out of the group and back, the process knows how long it was blind; where another
    member had the partition since, that one did the looking."""
    made: list[Seen | None] = []

    class Made(Ticking):
        def __init__(self, partition: int, wiring: Any, on_fatal: Any, seen: Seen | None) -> None:
            super().__init__()
            made.append(seen)

        def start(self) -> None:
            pass

    monkeypatch.setattr(app_module, "PartitionTask", Made)
    app = an_app()
    app.tasks[0] = Revoked()
    await app._revoked({0})
    if not back_at_once:
        app._assigned(set())
    app._assigned({0})
    assert made == [seen]
