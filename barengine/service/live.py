"""Bars so far, sent now and then while their buckets are open, outside of every transaction.

Finals never wait for them. A round takes what has changed, which is quick, and sends it by a
producer of its own; the next one begins when it is done, however many intervals that takes. What
is lost with an error is given again, as it is then.

A reader that keeps, of each series, the bar of the newest bucket and in it the one of the highest
``tick_count``, never goes back. Within the life of an engine both only grow. An engine that takes
over reads the ticks of open windows again, in the same order, and sends nothing until it has read
all that the log held when it began, so all that any engine before it had read. What an owner sends
that does not know yet that it is one no more, is of older ticks: that reader passes it over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

import structlog

from barengine.engine.partition import PartitionEngine
from barengine.kafka.plain import PlainSink
from barengine.kafka.sink import OutBatch
from barengine.kernel import BarBlock
from barengine.model import NS_PER_S
from barengine.service.outbox import Outbox
from barengine.service.task import PartitionTask
from barengine.service.wiring import Wiring

log = structlog.get_logger(__name__)

_AGAIN_S: Final = 5.0
"""Wait after an error: rights and topics do not come back within milliseconds."""


class _Taken(NamedTuple):
    partition: int
    engine: PartitionEngine
    block: BarBlock


class LiveBars:
    """Sends the bars so far of all running tasks.

    Args:
        every_ns: the smallest time between two bars of a series.
    """

    def __init__(self, wiring: Wiring, tasks: Mapping[int, PartitionTask], every_ns: int) -> None:
        self._wiring = wiring
        self._tasks = tasks
        self._every_s = every_ns / NS_PER_S
        self._failing = False
        settings = wiring.settings
        self._sink = PlainSink(wiring.connection, settings.compression, "live bars")

    async def run(self) -> None:
        """Send until cancelled; no error ends it."""
        try:
            while True:
                began = time.monotonic()
                sent = await self._round()
                wait_s = max(self._every_s, 0.0 if sent else _AGAIN_S)
                await asyncio.sleep(max(0.0, began + wait_s - time.monotonic()))
        finally:
            await self._sink.discard()

    async def _round(self) -> bool:
        """Send what has changed; False where that failed."""
        taken = [one for partition in list(self._tasks) if (one := await self._take(partition))]
        try:
            batches = await asyncio.to_thread(self._encode, taken) if taken else []
            if batches:
                await self._sink.send(batches)
        except Exception as error:  # whatever it is, finals go on
            self._failed(taken, error)
            return False
        self._wiring.metrics.live(sum(len(one.block) - one.block.skipped for one in taken))
        if self._failing and batches:
            self._failing = False
            log.info("live_bars_go_on")
        return True

    async def _take(self, partition: int) -> _Taken | None:
        async with self._wiring.turn:
            task = self._tasks.get(partition)
            work = None if task is None else task.running
            block = None if work is None else work.engine.take_live()
        await asyncio.sleep(0)
        if work is None or block is None or not len(block):
            return None
        return _Taken(partition, work.engine, block)

    def _encode(self, taken: list[_Taken]) -> list[OutBatch]:
        wiring = self._wiring
        return [
            batch
            for partition, _, block in taken
            for batch in Outbox(wiring.settings, wiring.topics, partition).live(block)
        ]

    def _failed(self, taken: list[_Taken], error: Exception) -> None:
        for one in taken:
            one.engine.give_live_again()
        self._wiring.metrics.live_failed()
        if not self._failing:
            self._failing = True
            log.warning("live_bars_failing", error=str(error), every_seconds=_AGAIN_S)
