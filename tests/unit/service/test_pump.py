"""The pump through a suspension: where it goes on, and what counts as silence."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from barengine.kafka.raw import Fetch
from barengine.kafka.silence import PartitionWatch
from barengine.kernel import Kernel, kernel_class
from barengine.model import NS_PER_S
from barengine.service import pump as pump_module
from barengine.service.pump import Pump
from tests.unit.engine.log import Tick
from tests.unit.engine.market import HOUR, B, Market
from tests.unit.kafka.build import batch
from tests.unit.kernel.build import NOON_MS, NOON_NS

ONE = B("x", 0, 1, 1, 1, 1, 1)
"""The bar of one tick of x at price 1 in the first minute."""


class Seat:
    """A place in the group: what a pump asks of its source, and answers at the end of the log."""

    def __init__(self) -> None:
        self.seeks: list[int] = []
        self.assigned = {0}
        self.paused = True
        self.asked_ahead = asyncio.Event()
        self._watch = PartitionWatch(3600 * NS_PER_S)
        self._now_ns = 0

    def seek(self, _: int, offset: int) -> None:
        self.seeks.append(offset)
        self._watch.restart()

    def pause(self, _: int) -> None:
        self.paused = True
        self._watch.broken()

    def resume(self, _: int) -> None:
        self.paused = False
        self._watch.broken()

    async def ask_ahead(self) -> None:
        await self.asked_ahead.wait()

    def is_current(self, fetch: Fetch) -> bool:
        return self._watch.epoch == fetch.epoch

    def observed_ns(self, _: int) -> int:
        return self._watch.observed_ns

    def at_end(self, _: int) -> bool:
        return self._watch.at_end

    def answers(self, after_s: float) -> None:
        """Nothing new, so many seconds after the answer before."""
        self._now_ns += round(after_s * NS_PER_S)
        self._watch.handed(self._watch.answered(self._now_ns, True), True)


class Scene:
    """A market whose partition is pumped, suspended and pumped again."""

    def __init__(self, kernel: type[Kernel]) -> None:
        self.market = Market(kernel, idle=5)
        self.market.tick(50)
        self.seat = Seat()
        self.live = 0
        metrics = SimpleNamespace(count_ticks=lambda *_: None)
        wiring: Any = SimpleNamespace(source=self.seat, turn=asyncio.Lock(), metrics=metrics)
        committer: Any = SimpleNamespace(full=False, wake=lambda: None, room=_at_once)
        engine = self.market.owner.engine
        self.committer = committer
        self.pump = Pump(0, engine, committer, wiring, self._on_live)

    def _on_live(self) -> None:
        self.live += 1

    async def assigned(self, *, silent_s: float) -> list[B]:
        """Be owner while nothing comes for so long; returns the bars so far."""
        running = asyncio.create_task(self.pump.run())
        await asyncio.sleep(0)
        self.seat.answers(1)  # the first answer ends no gap
        self.seat.answers(silent_s)
        self.pump.observe()
        running.cancel()
        await asyncio.wait([running])
        return self.market.bars


async def _at_once() -> None:
    """There is room."""


@pytest.fixture(params=["compiled", "pure"])
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(kernel_class(request.param))


async def test_silence_goes_on_where_it_was(scene: Scene) -> None:
    """What was observed before a suspension counts behind it, the suspension does not."""
    #   1  ....  (suspended for an hour)  ......|
    #   50    54                                60
    assert await scene.assigned(silent_s=4) == []
    scene.seat.answers(3600)
    assert await scene.assigned(silent_s=5.999) == []
    assert await scene.assigned(silent_s=0.001) == [ONE]


async def test_pump_goes_on_at_the_position_of_its_engine(scene: Scene) -> None:
    """Each run seeks to where the engine is, says once that it is live, and takes no old fetch."""
    await scene.assigned(silent_s=0)
    old = Fetch(0, 1, 2, b"never read", (), 2, True, 0, epoch=1)
    scene.pump.offer(old)
    scene.seat.seek(0, 99)  # the next assignment places the partition anywhere

    await scene.assigned(silent_s=0)

    assert scene.seat.seeks == [1, 99, 1]
    assert scene.live == 2


async def test_what_was_paused_is_fetched_again_while_the_pump_works(scene: Scene) -> None:
    """A full inbox holds the partition back, until one fetch is taken out of it, not all."""
    running = asyncio.create_task(scene.pump.run())
    await asyncio.sleep(0)
    full, taken = [], []
    for offset in (1, 2, 3):
        scene.pump.offer(Fetch(0, offset, offset, b"", (), 9, False, 0, epoch=1))
        full.append(scene.seat.paused)
    await asyncio.sleep(0)  # now it works at the first, and two are left
    taken.append(scene.seat.paused)
    running.cancel()
    await asyncio.wait([running])
    assert (full, taken) == ([False, True, True], [False])


@pytest.mark.parametrize("end", [1, 9])
async def test_the_committer_hears_how_much_the_log_goes_on(scene: Scene, end: int) -> None:
    """The backlog is what a fetch leaves between its own end and the end of the log."""
    scene.seat.asked_ahead.set()
    running = asyncio.create_task(scene.pump.run())
    await asyncio.sleep(0)
    heard = asyncio.Event()
    scene.committer.wake = heard.set
    scene.pump.offer(Fetch(0, 1, 1, b"", (), end, end == 1, 0, epoch=1))
    await heard.wait()
    running.cancel()
    await asyncio.wait([running])
    assert scene.committer.backlog == end - 1


_END = 11


class Full:
    """A committer that has no room left after three records, each time."""

    def __init__(self, market: Market) -> None:
        self.allowance = SimpleNamespace(records=3)
        self.full = True
        self.positions: set[int] = set()
        self.all_taken = asyncio.Event()
        self._engine = market.owner.engine

    def wake(self) -> None:
        pass

    async def room(self) -> None:
        self.positions.add(self._engine.position)
        if self._engine.position == _END:
            self.all_taken.set()


async def test_a_large_batch_is_taken_in_parts(scene: Scene) -> None:
    """No part of it makes much more output than a transaction may carry: behind each one the pump
    looks whether there is room."""
    committer = Full(scene.market)
    wiring: Any = SimpleNamespace(
        source=scene.seat,
        turn=asyncio.Lock(),
        metrics=SimpleNamespace(count_ticks=lambda *_: None),
    )
    engine = scene.market.owner.engine
    given: Any = committer
    pump = Pump(0, engine, given, wiring, lambda: None)
    scene.seat.asked_ahead.set()
    running = asyncio.create_task(pump.run())
    await asyncio.sleep(0)
    values = [Tick("a", "x", NOON_MS + 60_000 * number, 1).value() for number in range(1, _END)]
    pump.offer(Fetch(0, 1, _END, batch(1, values), (), _END, True, 0, epoch=1))
    await committer.all_taken.wait()
    running.cancel()
    await asyncio.wait([running])
    assert committer.positions == {4, 7, 10, _END}
    assert len(scene.market.bars) == 10


@pytest.mark.parametrize(("seen_s", "missing_s"), [(None, 0), (3, 7)])
async def test_silence_before_a_recovery(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, seen_s: int | None, missing_s: int
) -> None:
    """Who takes a partition over counts the time since the last arrival; who has lost sight of it
    counts up to the last look, and an outage of an hour makes nothing late."""
    #   1                |            |
    #   50  53 (an hour without answers) 60
    monkeypatch.setattr(pump_module, "wall_ns", lambda: NOON_NS + 2 * HOUR * NS_PER_S)
    scene.market.commit()
    scene.market.restart()
    scene.market.owner.feed_all()
    until_ns = None if seen_s is None else NOON_NS + (HOUR + seen_s) * NS_PER_S
    wiring: Any = SimpleNamespace(source=scene.seat, turn=asyncio.Lock())
    committer: Any = scene.committer
    engine = scene.market.owner.engine
    scene.pump = Pump(0, engine, committer, wiring, lambda: None, until_ns)
    if missing_s:
        assert await scene.assigned(silent_s=missing_s - 0.001) == []
    assert await scene.assigned(silent_s=0.001) == [ONE]


async def test_last_look_is_the_last_answer(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats without an answer between them are no look at the log."""
    now_ns = [1000]
    monkeypatch.setattr(pump_module, "wall_ns", lambda: now_ns[0])
    await scene.assigned(silent_s=1)
    assert scene.pump.looked_ns == 1000
    now_ns[0] = 2000
    scene.pump.observe()
    assert scene.pump.looked_ns == 1000
    await scene.assigned(silent_s=1)
    assert scene.pump.looked_ns == 2000
