"""The process: start-up order, the poll loop, the scheduler, rebalances, a clean end."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any, Final

import structlog

from barengine import __version__
from barengine.errors import KafkaUnavailableError, StateError
from barengine.kafka.admin import wait_for_broker
from barengine.kafka.source import Source
from barengine.kernel import Kernel, kernel_class
from barengine.model import NS_PER_MS, NS_PER_S, Watermark
from barengine.service.calendar import TradingCalendar
from barengine.service.gauges import update_gauges
from barengine.service.headers import bar_headers
from barengine.service.heartbeats import HeartbeatSource
from barengine.service.http import HttpServer
from barengine.service.lifecycle import TaskState
from barengine.service.live import LiveBars
from barengine.service.memory import keep_freed_memory
from barengine.service.metrics import Metrics
from barengine.service.parts import parts
from barengine.service.schedule_source import ScheduleSource, open_schedule
from barengine.service.task import PartitionTask
from barengine.service.topics import prepare
from barengine.service.upkeep import Upkeep
from barengine.service.wiring import Wiring, wall_ns
from barengine.settings import Settings

log = structlog.get_logger(__name__)

_BEAT_S: Final = 0.1
"""The scheduler's beat: how late, at most, a silent window closes or a commit starts."""

_POLL_S: Final = 0.5
_SCHEDULE_S: Final = 5.0
_LISTEN_S: Final = 0.5
"""A heartbeat is known before the bucket closes that it is about: those wait for GRACE, or for
IDLE_TIMEOUT."""

_EVICT_S: Final = 60.0

_FORGET_NS: Final = 600 * NS_PER_S
"""Under WATERMARK=broker a series without a window holds nothing: free its memory soon."""

_REBALANCE_MS: Final = 30_000
_REVOKE_S: Final = _REBALANCE_MS / 3 / 1000
"""A third of the rebalance time-out: the rest of the group waits for us meanwhile."""

_STOP_S: Final = 25.0
"""Budget of a clean end; Kubernetes gives 30 s before it kills."""

_LEAVE_S: Final = 10.0
"""The part of it for what follows the last commits, whatever became of them: who does not leave
the group keeps its partitions from all others until its session is over."""


class App:
    """One process of barengine. Use :func:`serve`."""

    def __init__(self, settings: Settings, kernel: type[Kernel]) -> None:
        self.settings = settings
        self.tasks: dict[int, PartitionTask] = {}
        self._kernel = kernel
        self.metrics = Metrics(
            settings.context,
            __version__,
            kernel.__name__,
            [period.name for period in settings.periods],
        )
        self._closing: set[asyncio.Task[None]] = set()
        self._looked_ns: dict[int, int] = {}
        """By tasks that could not be kept when they were revoked; until the next assignment."""
        self._stopping = asyncio.Event()
        self._error: Exception | None = None
        self._waiting_for_registry: str | None = None
        self._began = time.monotonic()
        self._source: Source | None = None
        self._upkeep: Upkeep | None = None
        self._schedule: ScheduleSource | None = None
        self._calendar = TradingCalendar()
        self._heartbeats: HeartbeatSource | None = None
        self._wiring: Wiring | None = None
        self.http = HttpServer(settings.http_host, settings.http_port, self.metrics, self)

    # -- health (http.Health) --------------------------------------------------------------

    def live(self) -> bool:
        """Alive as long as the event loop answers; a fatal error ends the process by itself."""
        return self._error is None

    def ready(self) -> tuple[bool, str]:
        """Ready when the group has assigned partitions and every one of them is RUNNING."""
        if self._stopping.is_set():
            return False, "stopping"
        if self._waiting_for_registry is not None:
            return False, f"waiting for the schema registry: {self._waiting_for_registry}"
        if self._source is None or self._source.generation == 0:
            return False, "waiting for an assignment"
        if self._upkeep is not None and not self._upkeep.input_exists:
            return False, f"topic {self.settings.input_topic} does not exist"
        waiting = [p for p, t in sorted(self.tasks.items()) if t.state is not TaskState.RUNNING]
        if waiting:
            return False, f"partitions not running: {', '.join(map(str, waiting))}"
        return True, "ready"

    def status(self) -> dict[str, object]:
        """What /status shows."""
        return {
            "version": __version__,
            "kernel": self._kernel.__name__,
            "uptime_seconds": round(time.monotonic() - self._began, 1),
            "ready": self.ready()[0],
            "settings": self.settings.public(),
            "tasks": {str(p): task.status() for p, task in sorted(self.tasks.items())},
        }

    def set_gauges(self) -> None:
        """What /metrics shows of this moment."""
        if self._source is not None:
            update_gauges(self.metrics, self._source, self.tasks.values(), self.settings)

    # -- run -------------------------------------------------------------------------------

    def stop(self, error: Exception | None = None) -> None:
        """Begin to end; the first error given is raised when everything is down."""
        if self._error is None:
            self._error = error
        self._stopping.set()

    async def run(self) -> None:
        """Serve until :meth:`stop`.

        Raises:
            BarengineError: the error that made going on impossible.
        """
        await self.http.start()
        log.info("listening", host=self.settings.http_host, port=self.http.port)
        try:
            if await self._until_stopped(self._set_up()):
                await self._loop()
        finally:
            await self._tear_down()
            await self.http.stop()
        if self._error is not None:
            raise self._error

    async def _until_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Run start-up, but let a signal end it; False when it did."""
        task = asyncio.create_task(work, name="set-up")
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return False
        task.result()
        return True

    async def _set_up(self) -> None:
        settings = self.settings
        connection, registry, schemas = parts(settings)
        await wait_for_broker(connection, lambda why: log.warning("waiting_for_kafka", why=why))
        topics = await prepare(settings, connection)
        self.metrics.set_input_partitions(topics.partitions)
        self._schedule = await open_schedule(settings, connection, self.metrics)
        if self._schedule is not None:
            self._calendar.replace(self._schedule.current)
        if settings.heartbeat_topic is not None:
            self._heartbeats = HeartbeatSource(
                settings, connection, settings.heartbeat_topic, self.metrics.heartbeats_refused
            )
            await self._heartbeats.start()
        key_header, value_headers = await bar_headers(settings, registry, self._wait_for_registry)
        self._source = Source(
            connection,
            settings.input_topic,
            settings.group,
            group_instance_id=settings.group_instance_id,
            session_timeout_ms=settings.session_timeout_ns // NS_PER_MS,
            rebalance_timeout_ms=_REBALANCE_MS,
            on_assigned=self._assigned,
            on_revoked=self._revoked,
        )
        self._upkeep = Upkeep(self._source, self.tasks)
        self._wiring = Wiring(
            settings,
            connection,
            self._source,
            topics,
            schemas,
            self.metrics,
            self._kernel,
            key_header=key_header,
            value_headers=value_headers,
            calendar=self._calendar,
            feed=None if self._heartbeats is None else self._heartbeats.heartbeats,
        )
        # What start-up has made lives to the end. Looking at it again held the loop for 20 ms in
        # each full collection.
        gc.freeze()
        await self._source.start()
        log.info("started", **settings.public())

    def _wait_for_registry(self, why: str | None) -> None:
        self._waiting_for_registry = why

    async def _loop(self) -> None:
        work = [
            asyncio.create_task(self._poll(), name="poll"),
            asyncio.create_task(self._beat(), name="beat"),
            asyncio.create_task(self._stopping.wait(), name="stopping"),
        ]
        if self._upkeep is not None:
            work.append(asyncio.create_task(self._upkeep.run(), name="upkeep"))
        if self._schedule is not None:
            work.append(asyncio.create_task(self._follow(self._schedule), name="schedule"))
        if self._heartbeats is not None:
            work.append(asyncio.create_task(self._listen(self._heartbeats), name="heartbeats"))
        if self.settings.live_ns is not None:
            assert self._wiring is not None
            live = LiveBars(self._wiring, self.tasks, self.settings.live_ns)
            work.append(asyncio.create_task(live.run(), name="live"))
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        except Exception as error:
            self.stop(error)
        finally:
            for one in work:
                one.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _tear_down(self) -> None:
        self._stopping.set()
        await _within(_STOP_S - _LEAVE_S, self._close_tasks())
        await _within(_LEAVE_S, self._leave())
        log.info("stopped")

    async def _close_tasks(self) -> None:
        closing = [self.tasks.pop(partition).close() for partition in list(self.tasks)]
        await _settle([*closing, *self._closing])

    async def _leave(self) -> None:
        if self._source is not None:
            await self._source.stop()
        if self._schedule is not None:
            await self._schedule.close()
        if self._heartbeats is not None:
            await self._heartbeats.close()

    async def _poll(self) -> None:
        assert self._source is not None
        while True:
            try:
                for fetch in await self._source.poll(_POLL_S):
                    task = self.tasks.get(fetch.partition)
                    if task is not None:
                        task.offer(fetch)
            except KafkaUnavailableError as error:
                log.warning("poll", error=str(error))
                await asyncio.sleep(_POLL_S)

    async def _beat(self) -> None:
        """The one ticker: everything that needs wall time. A late beat is only late, not lost."""
        evict_at = time.monotonic()
        while True:
            await asyncio.sleep(_BEAT_S)
            now = time.monotonic()
            for task in self.tasks.values():
                task.tick()
            if now - evict_at >= _EVICT_S:
                evict_at = now
                self._evict()

    async def _follow(self, schedule: ScheduleSource) -> None:
        """Look for another schedule now and then. No part of the beat: to read and check one may
        take as long as it likes."""
        while True:
            await asyncio.sleep(_SCHEDULE_S)
            try:
                changed = await schedule.poll()
            except KafkaUnavailableError as error:
                log.warning("schedule_not_read", error=str(error))
                continue
            if changed:
                self._calendar.replace(schedule.current)
                for task in self.tasks.values():
                    if task.work is not None:  # one without asks when it has recovered
                        task.work.engine.reschedule()

    async def _listen(self, heartbeats: HeartbeatSource) -> None:
        while True:
            await asyncio.sleep(_LISTEN_S)
            await heartbeats.poll()

    def _evict(self) -> None:
        by_series = self.settings.watermark is Watermark.SERIES
        age_ns = self.settings.series_ttl_ns if by_series else _FORGET_NS
        for task in self.tasks.values():
            if task.running is not None:
                task.running.engine.evict(wall_ns() - age_ns, self.settings.series_ttl_ns)

    # -- rebalances ------------------------------------------------------------------------

    def _assigned(self, partitions: set[int]) -> None:
        if self._stopping.is_set():  # nobody would end what begins now
            return
        assert self._wiring is not None
        self.metrics.rebalanced()
        log.info("assigned", partitions=sorted(partitions))
        unknown = [p for p in partitions if p >= self._wiring.topics.partitions]
        if unknown:
            self.stop(
                StateError(
                    f"{self.settings.input_topic} has grown: partitions {unknown} are new. Stop "
                    "every engine of this group, add them to the output and state topics too (the "
                    "next start says how), and run `barengine state adopt`"
                )
            )
            return
        for partition in self.tasks.keys() - partitions:  # nobody waits for these
            self._let_go(self.tasks.pop(partition))
        heard_ns = self._wiring.source.heard_ns  # of before: joining counts for nothing
        for partition in sorted(partitions):
            if partition not in self.tasks:
                looked_ns = self._looked_ns.get(partition, heard_ns)
                self.tasks[partition] = PartitionTask(partition, self._wiring, self.stop, looked_ns)
            self.tasks[partition].start()
        self._looked_ns.clear()  # what others run meanwhile is theirs to know

    def _let_go(self, task: PartitionTask) -> None:
        """Close in the background a task whose partition has gone elsewhere.

        It may be back, in a new task, before this one has closed.
        """
        task.hide()
        closing = asyncio.create_task(task.close(), name=f"close-{task.partition}")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _revoked(self, partitions: set[int]) -> None:
        """Commit before the group goes on, and keep what the next assignment may bring back."""
        log.info("revoked", partitions=sorted(partitions))
        revoked = [self.tasks[p] for p in partitions if p in self.tasks]
        await _settle(task.suspend() for task in revoked)
        for task in revoked:
            if task.state is TaskState.CLOSED:
                self.tasks.pop(task.partition, None)
                if task.looked_ns is not None:
                    self._looked_ns[task.partition] = task.looked_ns


async def _within(budget_s: float, work: Awaitable[None]) -> None:
    """Await one part of a clean end; the next one has its turn in any case."""
    try:
        async with asyncio.timeout(budget_s):
            await work
    except TimeoutError:
        log.warning("stopped_dirty", budget_seconds=budget_s)


async def _settle(endings: Iterable[Awaitable[None]]) -> None:
    """Await the ends of tasks side by side, in bounded time, whatever becomes of them."""
    work = [asyncio.ensure_future(one) for one in endings]
    if not work:
        return
    _, late = await asyncio.wait(work, timeout=_REVOKE_S)
    for one in late:
        one.cancel()
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, Exception):
            log.error("close_failed", error=repr(result))


async def serve(settings: Settings, kernel: str = "compiled") -> None:
    """Run one process until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: settings and cluster do not fit (exit code 2).
        BarengineError: going on would lose or double bars (exit code 1).
    """
    keep_freed_memory()
    app = App(settings, kernel_class(kernel))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.stop)
    try:
        await app.run()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
