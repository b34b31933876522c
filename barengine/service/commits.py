"""When to commit, and one transaction at a time, while the engine goes on."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterable
from typing import Final

from barengine.engine.partition import PartitionEngine
from barengine.engine.snapshot import Snapshot
from barengine.errors import TaskMovedError, TransactionTimeoutError
from barengine.kafka.sink import OutBatch, TransactionalSink
from barengine.kernel import Kind, Reject
from barengine.model import NS_PER_S
from barengine.service.allowance import Allowance
from barengine.service.outbox import Outbox
from barengine.service.pace import Pace
from barengine.service.wiring import Wiring, wall_ns

_PROGRESS_S: Final = 5.0
"""Without bars C is still committed this often: bounds what a crash makes us read again."""

_IDLE_S: Final = 3600.0
"""An idle partition commits this often, so that its transactional id never expires."""

_INLINE: Final = 2000
"""More records than this are built in a thread: they would hold up the event loop for more than a
millisecond, and fewer are done sooner than a thread begins."""

_SOONER_S: Final = 0.0005
"""Less is the rounding of floats, or not worth being woken for."""

_COUNTED: Final = 2000
"""Rejects that are counted at a stretch: some milliseconds."""


class Committer:
    """Turns snapshots of one engine into transactions of one sink.

    After any error both are worthless: call :meth:`discard` and recover.

    Args:
        allowance: of the task, for this engine and those after it.
        eager: commit at once, whether something is due or not.
    """

    def __init__(
        self,
        engine: PartitionEngine,
        sink: TransactionalSink,
        outbox: Outbox,
        wiring: Wiring,
        allowance: Allowance,
        *,
        eager: bool,
    ) -> None:
        self.allowance = allowance
        self.commits = 0
        self.committed_offset = engine.commit_offset
        self.committed_seq = engine.seq
        self.state_offset = 0
        """Where the last batch of the newest commit's state begins in the state topic."""
        self.backlog = 0
        """Records that the log is known to hold behind what the engine has taken."""
        self._engine = engine
        self._sink = sink
        self._outbox = outbox
        self._source = wiring.source
        self._metrics = wiring.metrics
        self._settings = wiring.settings
        self._eager = eager
        self._lock = asyncio.Lock()
        self._turn = wiring.commit_turn
        self._woken = asyncio.Event()
        self._roomy = asyncio.Event()
        self._last_begin = time.monotonic()
        self._pace = Pace(wiring.settings.commit_interval_ns / NS_PER_S, self._last_begin)
        self._waiting_since: float | None = None
        self._wakes = math.inf
        """When it looks again by itself: only what is due sooner need wake it."""

    def exclusive(self) -> asyncio.Lock:
        """Held, no transaction is in flight."""
        return self._lock

    def wake(self) -> None:
        """Look again whether something is due."""
        now = time.monotonic()
        if self._waiting_since is None and self._engine.has_output:
            self._waiting_since = now
        wait_s = self._until_due(now)
        if wait_s is not None and now + wait_s < self._wakes - _SOONER_S:
            self._woken.set()

    @property
    def full(self) -> bool:
        """Whether so much output is on its way that the input must wait."""
        return self._engine.held or self._engine.pending_bytes > self.allowance.size

    async def room(self) -> None:
        """Wait while too much output is on its way."""
        while self.full:
            self._roomy.clear()
            self.wake()
            await self._roomy.wait()

    async def run(self) -> None:
        """Commit whenever something is due, until cancelled or failed."""
        while True:
            now = time.monotonic()
            wait_s = self._until_due(now)
            if wait_s is None or wait_s > 0:
                self._wakes = math.inf if wait_s is None else now + wait_s
                await self._sleep(wait_s)
                continue
            async with self._lock:
                await self._commit()

    async def commit_now(self) -> None:
        """Commit what is processed so far; the lock must be held."""
        if not self._engine.replaying:
            await self._commit()

    async def close(self) -> None:
        """Close the producer after the last commit."""
        await self._sink.close()

    async def discard(self) -> None:
        """Throw the producer away; whatever it had not committed is aborted by the next fence."""
        await self._sink.discard()

    def _until_due(self, now: float) -> float | None:
        engine = self._engine
        if engine.replaying:
            return None
        if self._eager:
            return 0.0
        if engine.has_output:
            return 0.0 if self.full else self._pace.wait_s(now, self.backlog)
        moved = engine.position != engine.commit_offset
        return max(0.0, self._last_begin + (_PROGRESS_S if moved else _IDLE_S) - now)

    async def _sleep(self, wait_s: float | None) -> None:
        self._woken.clear()
        try:
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _commit(self) -> None:
        began = self._last_begin = time.monotonic()
        self._pace.begin(began, len(self._source.assigned))
        async with self._turn:
            closed_at, self._waiting_since = self._waiting_since, None
            carried = self._engine.pending_bytes
            snapshot = self._engine.snapshot(may_store=self.allowance.may_store)
            self._roomy.set()
            batches = self._batches(snapshot) if snapshot.records <= _INLINE else None
        try:
            if batches is None:
                batches = await asyncio.to_thread(self._batches, snapshot)
            written = await self._sink.commit(batches)
        except TaskMovedError:
            self._metrics.transaction("fenced", time.monotonic() - began)
            raise
        except BaseException as error:
            self._metrics.transaction("aborted", time.monotonic() - began)
            if isinstance(error, TransactionTimeoutError):
                self.allowance.timed_out(carried, stored=bool(len(snapshot.windows)))
            raise
        self.allowance.committed((time.monotonic() - began) / self._sink.timeout_s)
        self._eager = False
        self.commits += 1
        self.committed_offset = snapshot.commit_offset
        self.committed_seq = snapshot.seq
        self.state_offset = written[self._settings.state_topic]
        self._count(snapshot, began, closed_at)
        await self._count_rejects(snapshot)

    def _batches(self, snapshot: Snapshot) -> list[OutBatch]:
        return self._outbox.batches(snapshot, wall_ns())

    def _count(self, snapshot: Snapshot, began: float, closed_at: float | None) -> None:
        now = time.monotonic()
        self._metrics.transaction("committed", now - began)
        for leaf in snapshot.leaves:
            period = self._settings.periods[leaf.rung].name
            skipped = leaf.block.skipped
            self._metrics.skipped(period, skipped, "partial")
            if leaf.kind is Kind.FINAL:
                self._metrics.bars(period, len(leaf.block) - skipped - leaf.filled, "ticks")
                self._metrics.bars(period, leaf.filled, "filled")
            else:
                self._metrics.corrections(period, len(leaf.block) - skipped)
        if snapshot.leaves:
            self._metrics.close_to_commit(now - (began if closed_at is None else closed_at))

    async def _count_rejects(self, snapshot: Snapshot) -> None:
        async for reject in _in_turns(snapshot.late):
            self._metrics.late("topic", reject.reason, reject.lateness_ns)
        async for reject in _in_turns(snapshot.corrected):
            self._metrics.late("correct", reject.reason, reject.lateness_ns)
        async for reject in _in_turns(snapshot.dropped):
            self._metrics.late("drop", reject.reason, reject.lateness_ns)
        async for reject in _in_turns(snapshot.dead):
            self._metrics.dead(reject.reason, reject.broker)


async def _in_turns(rejects: Iterable[Reject]) -> AsyncIterator[Reject]:
    """All of them, in turns of the event loop: there may be tens of thousands."""
    for number, reject in enumerate(rejects, 1):
        yield reject
        if number % _COUNTED == 0:
            await asyncio.sleep(0)
