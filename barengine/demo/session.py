"""One demonstration from the first tick to the verdict, against a broker that runs.

    engine up -> ticks are played -> the last windows close by silence -> all is committed
    -> engine down -> everything is read back, recomputed and compared

The engine is the very one of ``barengine run``, in the same event loop. What the check is given
comes from the broker alone.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from barengine.demo.bar_reader import BarReader
from barengine.demo.board import Board
from barengine.demo.player import Plan, Player, Sent
from barengine.demo.readback import follow, reader
from barengine.demo.report import Report
from barengine.demo.settle import Settling
from barengine.demo.tasks import background, beside
from barengine.demo.verdict import check_topics
from barengine.demo.view import Status, View
from barengine.errors import KafkaUnavailableError
from barengine.kafka.admin import TopicSpec, create
from barengine.kafka.client import ConnectionConfig
from barengine.kernel import Kernel
from barengine.model import NS_PER_MS
from barengine.service.app import App
from barengine.settings import Settings

_REFRESH_S: Final = 0.25
_READY_S: Final = 60.0
"""For the engine to join the group and recover, on a machine that is busy."""
_POLL_S: Final = 0.05

_INPUT_CONFIG: Final = {"retention.ms": "-1"}
"""A broker deletes by record timestamp, and a file may hold old ticks."""


@dataclass(frozen=True, slots=True)
class Play:
    """What is played."""

    ticks: Plan
    title: str
    seconds: float | None
    """None: until the ticks or the user end."""
    partitions: int


class Session:
    """Runs once.

    Args:
        kernel: which of the two kernels the engine gets.
        check_broker: raises where the broker cannot answer any more; asked now and then.
    """

    def __init__(
        self,
        settings: Settings,
        kernel: type[Kernel],
        play: Play,
        view: View,
        check_broker: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._check_broker = check_broker
        self._connection = ConnectionConfig.of(settings)
        self._play = play
        self._view = view
        self._board = Board(
            settings.period,
            settings.grace_ns,
            settings.price_scale,
            settings.watermark,
            settings.rollups,
            live=settings.live_ns is not None,
        )
        self._status = Status(play.title, "starting the engine", play.seconds)
        self._app = App(settings, kernel)
        self._player = Player(
            self._connection, settings.input_topic, play.partitions, play.ticks, self._sending
        )

    def enough(self) -> bool:
        """Send no more ticks and come to the verdict; False where none are being sent."""
        playing = self._status.began_s is not None and not self._player.stopped
        self._player.stop()
        return playing

    async def run(self) -> Report:
        """Play to the end and check.

        Raises:
            BarengineError: the engine or the broker failed.
        """
        topic, partitions = self._settings.input_topic, self._play.partitions
        await create(self._connection, [TopicSpec(topic, partitions, 1, _INPUT_CONFIG)])
        began_ns = time.time_ns()
        self._view.start()
        try:
            await self._perform()
            ended_ns = time.time_ns()
            self._status.phase = "reading everything back and computing every bar again"
            self._show()
            report = await check_topics(
                self._settings, self._connection, partitions, (began_ns, ended_ns)
            )
            self._status.phase = "the verdict:"
            self._show()
            return report
        finally:
            self._view.stop()

    async def _perform(self) -> None:
        """Everything that the engine runs for."""
        async with self._engine() as engine, background(self._refresh()) as refresh:
            await beside(self._ready(), engine, refresh)
            async with background(self._watch()) as watch:
                await beside(self._play_and_settle(), engine, refresh, watch)

    @asynccontextmanager
    async def _engine(self) -> AsyncIterator[asyncio.Task[None]]:
        """The engine; leaving, it commits what is due and goes."""
        task = asyncio.create_task(self._app.run(), name="engine")
        try:
            yield task
        finally:
            self._app.stop()
            await asyncio.wait({task})
            task.cancelled() or task.exception()  # said already, if it was the cause
        task.result()

    async def _ready(self) -> None:
        try:
            async with asyncio.timeout(_READY_S):
                while not self._app.ready()[0]:  # noqa: ASYNC110 - the app has no event for it
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            why = self._app.ready()[1]
            raise KafkaUnavailableError(f"the engine did not come up: {why}") from None

    async def _play_and_settle(self) -> None:
        self._status.began_s = time.monotonic()
        self._status.address = f"http://127.0.0.1:{self._app.http.port}/status"
        self._status.phase = "Ctrl-C ends the ticks; then every bar is checked"
        async with background(self._player.run()) as playing:
            await asyncio.wait({playing}, timeout=self._play.seconds)
            self._player.stop()
            await playing
        settling = Settling(self._settings, self._connection, self._app)
        self._status.phase = (
            f"no more ticks: silence closes the last windows, within {settling.usual_s:.0f} s"
        )
        await settling.wait()

    # -- view ------------------------------------------------------------------------------

    def _sending(self, sent: Sent) -> None:
        now_s, wall_ms = time.monotonic(), time.time_ns() // NS_PER_MS
        for partition, tick in sent:
            self._board.tick(partition, tick, now_s, wall_ms)

    async def _refresh(self) -> None:
        while True:
            self._show()
            self._check_broker()
            await asyncio.sleep(_REFRESH_S)

    def _show(self) -> None:
        tasks: Any = self._app.status()["tasks"]
        self._status.rate = self._board.rate(time.monotonic())
        self._status.tasks = Counter(task["state"] for task in tasks.values())
        self._status.lag = sum(task.get("lag_records") or 0 for task in tasks.values())
        self._view.show(self._board, self._status)

    async def _watch(self) -> None:
        """See what is committed, as any reader of the topics would."""
        settings, board = self._settings, self._board
        bars = BarReader(settings.price_scale)
        topics = [*settings.bar_topics, settings.late_topic, settings.dead_topic]
        corrections = set(map(settings.corrections_topic, settings.periods))
        async with reader(self._connection, topics, self._play.partitions) as consumer:
            async for topic, record in follow(consumer):
                if topic == settings.late_topic:
                    board.late += 1
                elif topic == settings.dead_topic:
                    board.dead += 1
                else:
                    with suppress(ValueError):  # the check will tell
                        bar = bars.decode(record.value)
                        if topic in corrections:
                            board.correction(bar)
                        elif topic == settings.live_topic:
                            board.update(bar)
                        else:
                            board.bar(record.partition, bar, time.monotonic())
