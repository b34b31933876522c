"""One input partition from assignment to revocation: recover, serve, recover again, close.

A rebalance takes every partition away for a moment. What a task has in memory is kept through it:
``suspend``, and ``start`` again if the partition comes back, else ``close``.

Decisions are the engine's (synchronous); the service awaits. Three coroutines share one task:
this one recovers and supervises, the pump feeds fetches in order, the committer runs one
transaction at a time. Whatever fails in any of them ends in the one recovery path.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from barengine.engine.partition import PartitionEngine
from barengine.errors import (
    BarengineError,
    ConfigurationError,
    RefusedBatchError,
    StateError,
    TaskMovedError,
)
from barengine.kafka.closing import being_cancelled
from barengine.kafka.fetch import Fetch
from barengine.model import NS_PER_MS
from barengine.service.allowance import Allowance
from barengine.service.commits import Committer
from barengine.service.lifecycle import TaskState, check_move
from barengine.service.outbox import Outbox
from barengine.service.pump import Pump
from barengine.service.recovery import recover, unmoved
from barengine.service.wiring import Wiring

log = structlog.get_logger(__name__)

_BACKOFF_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Waits between attempts to recover; the last one repeats."""

_FATAL: Final = (StateError, ConfigurationError, RefusedBatchError)


@dataclass(frozen=True, slots=True)
class Work:
    """What one recovery brought; thrown away as a whole after any error, kept while suspended."""

    engine: PartitionEngine
    committer: Committer
    pump: Pump


class PartitionTask:
    """Owner of one input partition.

    Args:
        on_fatal: told once of an error that no retry can mend; the process should end.
        looked_ns: wall time up to which this process has looked: as an earlier task of this
            assignment did, or at the cluster at all. The time since is no silence. None: it has
            just started, and all the time since the last arrival was.
    """

    def __init__(
        self,
        partition: int,
        wiring: Wiring,
        on_fatal: Callable[[Exception], None],
        looked_ns: int | None = None,
    ) -> None:
        self.partition = partition
        self.state = TaskState.CREATED
        self.work: Work | None = None
        self.looked_ns = looked_ns
        self._wiring = wiring
        self._on_fatal = on_fatal
        self._log = log.bind(partition=partition)
        self._restore_began = 0.0
        self._allowance = Allowance()
        self._shown = True
        self._main: asyncio.Task[None] | None = None
        self._discarding: asyncio.Task[None] | None = None
        wiring.metrics.set_task_state(partition, self.state)

    def __repr__(self) -> str:
        position = self.work.engine.position if self.work else "?"
        return f"<PartitionTask {self.partition} {self.state} position={position}>"

    # -- called by the app -----------------------------------------------------------------

    @property
    def running(self) -> Work | None:
        """The work of a RUNNING task; None in any other state."""
        return self.work if self.state is TaskState.RUNNING else None

    def start(self) -> None:
        """Begin in the background: recover, or go on where the last assignment was taken away."""
        self._move(TaskState.RESTORING)
        self._main = asyncio.create_task(self._run(), name=f"partition-{self.partition}")

    def offer(self, fetch: Fetch) -> None:
        """Take a fetch; one for a task that cannot use it is dropped (the task will seek)."""
        if self.work is not None and self.state in (TaskState.RESTORING, TaskState.RUNNING):
            self.work.pump.offer(fetch)

    def tick(self) -> None:
        """The scheduler's beat: apply observed silence, wake the committer."""
        if self.running is not None:
            self.running.pump.observe()
            self.running.committer.wake()

    async def suspend(self) -> None:
        """Revoked: commit what is due, and keep everything in memory for the next assignment.

        The task is closed instead where there is nothing to keep, or the commit fails.
        """
        work = self.work if self.state in (TaskState.RESTORING, TaskState.RUNNING) else None
        if work is None or work.engine.replaying:
            await self.close()
            return
        self._move(TaskState.SUSPENDED)
        kept = False
        try:
            kept = await self._end(work, commit=True)
        finally:  # the app cancels what takes too long
            if not kept:
                await self.close()

    def hide(self) -> None:
        """Drop the metrics of the partition, and leave them alone from now on. Idempotent."""
        if self._shown:
            self._shown = False
            self._wiring.metrics.drop_partition(self.partition)

    async def close(self) -> None:
        """Moved away or stopping: commit what is due, then drop everything. Idempotent."""
        if self._closing:
            return
        work, running = self.work, self.running is not None
        self._move(TaskState.CLOSING)
        try:
            if work is not None and await self._end(work, commit=running):
                await work.committer.close()
        finally:
            await self._cancel()
            self._move(TaskState.CLOSED)
            self.hide()
            await self._drop()

    def status(self) -> dict[str, object]:
        """What /status shows of this partition."""
        status: dict[str, object] = {"state": self.state.value}
        if self.work is None:
            return status
        engine = self.work.engine
        return status | {
            "position": engine.position,
            "commit_offset": self.work.committer.committed_offset,
            "low_water": engine.low_water,
            "lag_records": self._wiring.source.lag(self.partition),
            "windows_open": engine.kernel.open_windows,
            "waiting_for_schema": self.work.pump.waiting_for_schema,
            "brokers": {
                broker.broker: {
                    "market_clock_ms": broker.clock_ns // NS_PER_MS,
                    "closed_through_ms": broker.closed_through_ns // NS_PER_MS,
                    "last_arrival_ms": broker.arrival_wall_ns // NS_PER_MS,
                }
                for broker in engine.kernel.brokers()
            },
        }

    # -- life cycle ------------------------------------------------------------------------

    @property
    def _closing(self) -> bool:
        return self.state in (TaskState.CLOSING, TaskState.CLOSED)

    @property
    def _leaving(self) -> bool:
        return self._closing or self.state is TaskState.SUSPENDED

    def _move(self, state: TaskState) -> None:
        check_move(self.state, state)
        self.state = state
        if self._shown:
            self._wiring.metrics.set_task_state(self.partition, state)
        self._log.info("task", state=state.value)

    async def _cancel(self) -> None:
        main, self._main = self._main, None
        if main is not None:
            main.cancel()
            await asyncio.gather(main, return_exceptions=True)

    async def _end(self, work: Work, *, commit: bool) -> bool:
        """Stop working, once the transaction in flight has ended; False: the commit has failed."""
        try:
            async with work.committer.exclusive():
                await self._cancel()
                if commit:
                    await work.committer.commit_now()
        except BarengineError as error:
            self._log.warning("closed_dirty", error=str(error))
            return False
        return True

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._restore()
                await self._serve()
            except _FATAL as error:
                await self._drop()
                self._on_fatal(error)
                return
            except TaskMovedError as error:
                await self._fenced(error)
            except BarengineError as error:
                self._log.warning("recovering", error=str(error), attempt=failures)
            except Exception:
                self._log.exception("recovering", attempt=failures)
            except asyncio.CancelledError:
                if being_cancelled():
                    raise
                self._log.exception("recovering", attempt=failures)
            failures = 0 if self._commits() else failures + 1
            await self._drop()
            await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
            if self._leaving:
                return
            self._move(TaskState.RESTORING)

    def _commits(self) -> int:
        return 0 if self.work is None else self.work.committer.commits

    async def _fenced(self, error: TaskMovedError) -> None:
        """May be a zombie's error: only a member that the group still knows goes on."""
        self._log.warning("fenced", error=str(error))
        if self._leaving:
            return
        self._move(TaskState.FENCED)
        source = self._wiring.source
        seen = source.heartbeats
        while source.heartbeats == seen:  # noqa: ASYNC110 - a counter of the source, no event
            await asyncio.sleep(0.1)

    async def _restore(self) -> None:
        self._restore_began = time.monotonic()
        if self.work is not None:
            if await self._unmoved(self.work):
                return
            await self._drop()
        recovered = await recover(self._wiring, self.partition)
        engine = recovered.engine
        outbox = Outbox(self._wiring.settings, self._wiring.topics, self.partition)
        committer = Committer(
            engine,
            recovered.sink,
            outbox,
            self._wiring,
            self._allowance,
            eager=recovered.first_run,
        )
        pump = Pump(self.partition, engine, committer, self._wiring, self._live, self.looked_ns)
        self.work = Work(engine, committer, pump)
        # from here on the app tells it of changed hours: what it knows is from before the replay
        engine.reschedule()
        self._log.info("replay", low_water=engine.low_water, commit=engine.commit_offset)

    async def _unmoved(self, work: Work) -> bool:
        """Whether the partition came back as it was; its producer is still the newest then."""
        seq = work.engine.seq
        same = await unmoved(self._wiring, self.partition, seq, work.committer.state_offset)
        self._log.info("kept" if same else "moved_meanwhile", commit=work.engine.commit_offset)
        return same

    def _live(self) -> None:
        if self._leaving:
            return
        self._move(TaskState.RUNNING)
        self._wiring.metrics.restored(time.monotonic() - self._restore_began)

    async def _serve(self) -> None:
        """Pump and commit until one of them fails."""
        assert self.work is not None
        work = [
            asyncio.create_task(self.work.pump.run(), name=f"pump-{self.partition}"),
            asyncio.create_task(self.work.committer.run(), name=f"commit-{self.partition}"),
        ]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            for one in work:
                one.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _drop(self) -> None:
        """Forget the engine and throw its producer away; both are worthless after an error."""
        work, self.work = self.work, None
        if work is not None:
            self.looked_ns = work.pump.looked_ns
            self._discarding = asyncio.create_task(work.committer.discard())
        if self._discarding is not None:  # whoever is cancelled here, it comes to its end
            await asyncio.shield(self._discarding)
