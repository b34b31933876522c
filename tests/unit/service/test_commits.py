"""What a committer does on the event loop itself, and when nothing asks for it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from barengine.kernel import PureKernel, Reject
from barengine.model import Reason
from barengine.service import commits
from barengine.service.allowance import Allowance
from barengine.service.commits import _COUNTED, Committer, _in_turns
from barengine.settings import load_settings
from tests.unit.engine.market import HOUR, Market
from tests.unit.service.test_held import METRICS, Outputs


async def test_a_flood_of_letters_is_counted_in_turns() -> None:
    """Each of them once, in order, and whatever else waits for the loop comes in between."""
    letters = [Reject(n, 0, None, None, b"", Reason.FUTURE) for n in range(3 * _COUNTED)]
    turns = 0

    async def work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(work())
    assert [one.offset async for one in _in_turns(letters)] == list(range(3 * _COUNTED))
    other.cancel()
    assert turns == 3


class Enough(Exception):  # noqa: N818 - ends a run, and says nothing is wrong
    pass


async def test_an_idle_partition_commits_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a tick and without a bar there is a transaction every hour: a broker forgets a
    transactional id that stands idle for longer than it likes, by default for a week."""
    #   hours          0           1           2           3
    #   input          t, committed
    #   transactions               x           x           x
    market = Market(PureKernel)
    market.put(0)
    market.owner.feed_all()
    market.commit()
    engine, clock_s = market.owner.engine, [0.0]
    settings = load_settings(None, {})
    metrics: Any = SimpleNamespace(**dict.fromkeys(METRICS, lambda *_: None))
    source = SimpleNamespace(assigned={0})
    wiring: Any = SimpleNamespace(
        commit_turn=asyncio.Lock(), metrics=metrics, settings=settings, source=source
    )
    outputs: Any = Outputs(settings.state_topic)

    async def sleep(_: Committer, wait_s: float | None) -> None:
        assert wait_s is not None, "nothing would ever be due"
        assert len(outputs.snapshots) * HOUR == clock_s[0]
        if len(outputs.snapshots) == 3:
            raise Enough
        clock_s[0] += wait_s

    monkeypatch.setattr(commits, "time", SimpleNamespace(monotonic=lambda: clock_s[0]))
    monkeypatch.setattr(Committer, "_sleep", sleep)
    committer = Committer(engine, outputs, outputs, wiring, Allowance(), eager=False)
    with pytest.raises(Enough):
        await committer.run()
    assert committer.committed_offset == engine.position
    assert all(snapshot.all_state() for snapshot in outputs.snapshots), "there is something in it"


async def test_a_committer_sleeps_on_where_nothing_is_due_sooner() -> None:
    """It is woken for the first tick behind a commit, which must not wait for an hour, and not
    again for the next ones."""
    market = Market(PureKernel)
    market.put(0)
    market.owner.feed_all()
    market.commit()
    settings = load_settings(None, {})
    metrics: Any = SimpleNamespace(**dict.fromkeys(METRICS, lambda *_: None))
    wiring: Any = SimpleNamespace(
        commit_turn=asyncio.Lock(),
        metrics=metrics,
        settings=settings,
        source=SimpleNamespace(assigned={0}),
    )
    outputs: Any = Outputs(settings.state_topic)
    committer = Committer(market.owner.engine, outputs, outputs, wiring, Allowance(), eager=False)

    def woken() -> bool:
        committer.wake()
        return committer._woken.is_set()

    running = asyncio.create_task(committer.run())
    await asyncio.sleep(0)
    assert not woken(), "nothing has come"
    for at in (1, 2):
        market.put(at)
        market.owner.feed_all()
        assert woken() == (at == 1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert outputs.snapshots == []
