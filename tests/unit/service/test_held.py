"""Pump and committer together where a broker may be closed in steps alone (``engine.held``)."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from barengine.engine import turns
from barengine.engine.snapshot import Snapshot
from barengine.kafka.raw import Fetch
from barengine.kafka.sink import OutBatch
from barengine.kernel import Kernel, kernel_class
from barengine.model import NS_PER_S
from barengine.service.allowance import Allowance
from barengine.service.commits import Committer
from barengine.service.pump import Pump
from barengine.settings import load_settings
from tests.processes import PATIENCE_S
from tests.unit.engine.log import KNOWN_ID
from tests.unit.engine.market import Market
from tests.unit.engine.sim import SECOND
from tests.unit.kafka.build import batch
from tests.unit.kernel.build import TICK_PLAN
from tests.unit.service.test_pump import Seat

GRACE_S = 600
STEP = 100
"""Flat bars of a transaction."""


class Outputs:
    """An outbox and a sink: keeps every snapshot of which a transaction was made."""

    timeout_s = 15.0

    def __init__(self, state_topic: str) -> None:
        self.snapshots: list[Snapshot] = []
        self._state_topic = state_topic

    def batches(self, snapshot: Snapshot, _: int) -> list[OutBatch]:
        self.snapshots.append(snapshot)
        return []

    async def commit(self, _: list[OutBatch]) -> dict[str, int]:
        await asyncio.sleep(0)
        return {self._state_topic: 0}

    @property
    def ticks(self) -> int:
        """In all bars of the base window."""
        return sum(
            bar.tick_count
            for snapshot in self.snapshots
            for leaf in snapshot.leaves
            if leaf.rung == 0
            for bar in leaf.block.bars()
        )


@pytest.fixture(params=["pure", "compiled"])
def market(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Market:
    """Windows of the last ten minutes are open, then everything up to the last tick is due."""
    monkeypatch.setattr(turns, "MOST_FILLS", STEP)
    kernel: type[Kernel] = kernel_class(request.param)
    market = Market(kernel, period=SECOND, continuous="1s", continuous_max_ns=3600 * NS_PER_S)
    market.restart(grace=GRACE_S)
    for at in range(0, GRACE_S, 20):
        market.put(at)
    market.owner.feed_all()
    market.commit()
    market.restart(grace=0)
    return market


async def test_a_broker_that_is_held_in_replay_holds_nothing_back(market: Market) -> None:
    """Its clock has run ahead of what is closed (GRACE is shorter than it was): replay goes
    through however many fetches it takes, and what is due leaves behind it, in steps."""
    engine = market.owner.engine
    assert engine.replaying
    assert engine.kernel.held(), "the scene is not what it is for"
    engine.kernel.add_schema(KNOWN_ID, TICK_PLAN)
    end = market.world.log.end
    settings = load_settings(None, {"BARENGINE_WINDOW": "1s", "BARENGINE_COMMIT_INTERVAL": "1ms"})
    metrics: Any = SimpleNamespace(**dict.fromkeys(METRICS, lambda *_: None))
    seat = Seat()
    seat.asked_ahead.set()
    wiring: Any = SimpleNamespace(
        source=seat,
        turn=asyncio.Lock(),
        commit_turn=asyncio.Lock(),
        metrics=metrics,
        settings=settings,
    )
    outputs: Any = Outputs(settings.state_topic)
    committer = Committer(engine, outputs, outputs, wiring, Allowance(), eager=False)
    live = asyncio.Event()
    pump = Pump(0, engine, committer, wiring, live.set)
    work = [asyncio.create_task(pump.run()), asyncio.create_task(committer.run())]
    await asyncio.sleep(0)
    for offset in range(engine.position, end):
        value = market.world.log.entries[offset].value or b""
        data = batch(offset, [value])
        pump.offer(Fetch(0, offset, offset + 1, data, (), end, offset + 1 == end, 0, epoch=1))

    async def all_out() -> None:
        await live.wait()
        while engine.has_output or not outputs.snapshots:
            committer.wake()
            await asyncio.sleep(0.001)

    work.append(asyncio.create_task(all_out()))
    done, _ = await asyncio.wait(work, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
    for one in work:
        one.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    assert done == {work[-1]}, engine.position
    assert len(outputs.snapshots) > GRACE_S // STEP // 2
    assert outputs.ticks == end - 1, "the last tick's window is open"


METRICS = ("count_ticks", "transaction", "skipped", "bars", "corrections", "close_to_commit")
