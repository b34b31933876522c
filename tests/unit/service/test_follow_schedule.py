"""The schedule of a running process is followed beside the beat."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from barengine.errors import KafkaUnavailableError
from barengine.kernel import kernel_class
from barengine.schedule import Schedule, parse_schedule
from barengine.service import app as app_module
from barengine.service.app import App
from barengine.settings import load_settings
from tests.processes import PATIENCE_S

ROUND = "default: M\nmarkets: {M: {zone: UTC, sessions: 24h}}"


class Called:
    """A task that counts what it is told."""

    def __init__(self) -> None:
        self.beats = self.reschedules = 0
        self.running = None
        self.work = SimpleNamespace(engine=self)

    def tick(self) -> None:
        self.beats += 1

    def reschedule(self) -> None:
        self.reschedules += 1


class Slow:
    """A schedule that cannot be read at first, and then takes its time."""

    def __init__(self) -> None:
        self.current = Schedule()
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()
        self._polls = 0

    async def poll(self) -> bool:
        self._polls += 1
        if self._polls == 1:
            raise KafkaUnavailableError("no broker")
        self.asked.set()
        await self.answer.wait()
        before, self.current = self.current, parse_schedule(ROUND, "t")
        return self.current != before

    async def close(self) -> None:
        """Nothing."""


async def until(done: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not done():  # noqa: ASYNC110 - counters, no events
            await asyncio.sleep(0.001)


async def test_one_that_takes_long_does_not_hold_the_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is observed and commits begin as ever; the new hours hold when they are there."""
    for name, value in {"_BEAT_S": 0.001, "_SCHEDULE_S": 0.001}.items():
        monkeypatch.setattr(app_module, name, value)
    app = App(load_settings(None, {}), kernel_class("pure"))
    nothing_comes: Any = SimpleNamespace(poll=lambda _: asyncio.Event().wait())
    app._source = nothing_comes
    task: Any = Called()
    app.tasks[0] = task
    schedule = app._schedule = Slow()
    work = asyncio.create_task(app._loop())
    await schedule.asked.wait()
    before = task.beats

    await until(lambda: task.beats > before + 10)
    assert (task.reschedules, app._calendar("b", 0)) == (0, None)
    schedule.answer.set()
    await until(lambda: task.reschedules)

    assert app._calendar("b", 0) is not None
    assert task.reschedules == 1
    app.stop()
    await work
