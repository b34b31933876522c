"""A task between recovery and work: what changes meanwhile is not missed."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from barengine.engine.partition import LogRange, PartitionEngine
from barengine.engine.restore import Restore
from barengine.engine.state import StateRecord
from barengine.kernel import Kernel, kernel_class
from barengine.model import NS_PER_MS
from barengine.schedule import Schedule, parse_schedule
from barengine.service import pump as pump_module
from barengine.service import task as task_module
from barengine.service.calendar import TradingCalendar
from barengine.service.metrics import Metrics
from barengine.service.recovery import Recovered
from barengine.service.schemas import SchemaBook
from barengine.service.task import PartitionTask, Work
from barengine.service.topics import Topics
from barengine.service.wiring import Wiring
from barengine.settings import load_settings
from tests.unit.kernel.build import batch, tick_value
from tests.unit.schedule.build import at

FAR_NS = 2**61


def hours(close: str) -> Schedule:
    """A market that opens at nine, every day."""
    sessions = f"{{daily: {{open: '09:00', close: '{close}'}}}}"
    return parse_schedule(f"default: M\nmarkets: {{M: {{zone: UTC, sessions: {sessions}}}}}", "t")


def wiring_of(kernel: type[Kernel], calendar: TradingCalendar) -> Wiring:
    keys = {"BARENGINE_ROLLUPS": "1d", "BARENGINE_GRACE": "0s"}
    settings = load_settings(None, keys)
    topics = Topics(1, dict.fromkeys([*settings.bar_topics, settings.state_topic], 60_000))
    nobody: Any = None  # no client is asked for anything
    return Wiring(
        settings,
        nobody,
        nobody,
        topics,
        SchemaBook(settings, None),
        Metrics("", "1", kernel.__name__),
        kernel,
        calendar=calendar,
    )


def made(wiring: Wiring, state: list[StateRecord], end: int) -> PartitionEngine:
    """An engine as recovery makes it, of a log that ends there."""
    restore = Restore(state, 1)
    for step in restore.read():
        step()
    for step in restore.load(wiring.fresh_kernel(restore.image, 0), wiring.fresh_book()):
        step()
    settings, log = wiring.settings, LogRange(0, end)
    return restore.engine(log, wiring.fingerprint(), 0, settings.late_policy, settings.restore_max)


def feed(engine: PartitionEngine, *times: str) -> None:
    """The log from its beginning: a tick at each time of 2025-06-16, UTC."""
    moments = [at(f"2025-06-16 {time}") // NS_PER_MS for time in times]
    values = [tick_value("b", "X", moment, 1.0) for moment in moments]
    engine.feed(batch(values), len(values), FAR_NS)


@pytest.mark.parametrize("kernel", [kernel_class("pure"), kernel_class("compiled")])
async def test_hours_that_change_in_recovery_are_not_missed(
    kernel: type[Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app tells running tasks alone; one that was recovering meanwhile asks again itself."""
    #   09:00 [-- day, open in the state -- 12:00 ...      16:00 )  16:30        17:00
    #                              recovery | close is 16:00 now    a tick       was the close
    calendar = TradingCalendar(hours("17:00"))
    wiring = wiring_of(kernel, calendar)
    before = made(wiring, [], 0)
    feed(before, "12:00", "12:05")
    state = before.snapshot().all_state()

    async def recover(_: Wiring, partition: int) -> Recovered:
        engine = made(wiring, state, 2)
        assert engine.book is not None
        engine.book.reschedule()  # by the old hours
        calendar.replace(hours("16:00"))
        sink: Any = None
        return Recovered(sink, engine, first_run=False)

    monkeypatch.setattr(task_module, "recover", recover)
    task = PartitionTask(0, wiring, lambda error: None)
    await task._restore()
    assert task.work is not None
    engine = task.work.engine
    feed(engine, "12:00", "12:05", "16:30")

    days = [bar for leaf in engine.snapshot().leaves if leaf.rung for bar in leaf.block.bars()]
    assert [(bar.bucket_start_ns, bar.bucket_end_ns) for bar in days] == [
        (at("2025-06-16 09:00"), at("2025-06-16 16:00"))
    ]


async def test_producer_that_is_thrown_away_is_thrown_away_whole() -> None:
    """Who throws it away may be cancelled meanwhile: it comes to its end, and closing waits for
    that."""
    wiring = wiring_of(kernel_class("pure"), TradingCalendar(hours("17:00")))
    task = PartitionTask(0, wiring, lambda error: None)
    begun, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def discard() -> None:
        begun.set()
        await go_on.wait()
        ended.set()

    seen: Any = SimpleNamespace(seq=1, looked_ns=2)
    committer: Any = SimpleNamespace(discard=discard)
    task.work = Work(seen, committer, seen)
    dropping = asyncio.create_task(task._drop())
    await begun.wait()
    dropping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dropping
    assert not ended.is_set()
    asyncio.get_running_loop().call_soon(go_on.set)
    await task.close()
    assert ended.is_set()


async def test_a_task_looks_on_from_where_the_process_has_looked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only who has just started takes all the time before it for silence; what an engine that was
    thrown away has seen is for the next one, whoever has committed meanwhile."""
    wiring = wiring_of(kernel_class("pure"), TradingCalendar(hours("17:00")))

    async def recover(_: Wiring, partition: int) -> Recovered:
        sink: Any = SimpleNamespace(discard=lambda: asyncio.sleep(0))
        return Recovered(sink, made(wiring, [], 0), first_run=False)

    async def looked_ns(task: PartitionTask) -> int:
        await task._restore()
        assert task.work is not None
        return task.work.pump.looked_ns

    monkeypatch.setattr(task_module, "recover", recover)
    monkeypatch.setattr(pump_module, "wall_ns", lambda: 3000)
    assert await looked_ns(PartitionTask(0, wiring, lambda error: None)) == 3000
    task = PartitionTask(0, wiring, lambda error: None, 1000)
    assert await looked_ns(task) == 1000
    assert task.work is not None
    task.work.pump.looked_ns = 2000
    await task._drop()
    assert await looked_ns(task) == 2000
