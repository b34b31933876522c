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
from barengine.service.pump import Pump
from tests.unit.engine.market import B, Market

ONE = B("x", 0, 1, 1, 1, 1, 1)
"""The bar of one tick of x at price 1 in the first minute."""


class Seat:
    """A place in the group: what a pump asks of its source, and answers at the end of the log."""

    def __init__(self) -> None:
        self.seeks: list[int] = []
        self._watch = PartitionWatch(3600 * NS_PER_S)
        self._now_ns = 0

    def seek(self, _: int, offset: int) -> None:
        self.seeks.append(offset)
        self._watch.restart()

    def pause(self, _: int) -> None:
        self._watch.broken()

    def resume(self, _: int) -> None:
        self._watch.broken()

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
        wiring: Any = SimpleNamespace(source=self.seat)
        committer: Any = SimpleNamespace()
        engine = self.market.owner.engine
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
