"""Sends planned ticks into the input topic when they are due."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from barengine.demo.ticks import Planned, series_key
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.closing import cancel_tasks_of, close_client
from barengine.kafka.translate import translate
from barengine.model import NS_PER_MS

_SLICE: Final = 2_000
"""Ticks sent at once, at the most: 10 ms of work, so that nobody waits long for the loop."""
_LINGER_S: Final = 0.01
"""Ticks due within this time travel together."""
_BATCH_BYTES: Final = 256 * 1024
_STOP_S: Final = 3.0
"""Everything is acknowledged before the producer is stopped, unless the broker is gone."""

Plan = Callable[[int], Iterator[Planned]]
"""Given the wall clock of the first tick in ms, yields all of them."""

Sent = list[tuple[int, Planned]]
"""Partition and tick."""


def partition_of(broker: str, symbol: str, partitions: int) -> int:
    """The partition of a series: the same in every process and every run."""
    return zlib.crc32(series_key(broker, symbol)) % partitions


class Player:
    """Plays ticks into a topic.

    Args:
        on_send: told of every slice just before it is sent.
    """

    def __init__(
        self,
        connection: ConnectionConfig,
        topic: str,
        partitions: int,
        ticks: Plan,
        on_send: Callable[[Sent], None],
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._partitions = partitions
        self._plan = ticks
        self._on_send = on_send
        self._stopping = asyncio.Event()
        self._keys: dict[tuple[str, str], tuple[int, bytes]] = {}

    @property
    def stopped(self) -> bool:
        """Whether no more is to be sent."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Send no more."""
        self._stopping.set()

    async def run(self) -> None:
        """Play until all is sent and acknowledged, or :meth:`stop`.

        Raises:
            KafkaUnavailableError: the broker does not take them.
        """
        producer = AIOKafkaProducer(
            **self._connection.kwargs(),
            acks="all",
            compression_type="lz4",
            max_batch_size=_BATCH_BYTES,
        )
        try:
            await producer.start()
            await self._play(producer)
        except KafkaError as error:
            raise translate(error, f"sending ticks to {self._topic}") from error
        finally:
            await _close(producer)

    async def _play(self, producer: Any) -> None:
        began = time.monotonic()
        ticks = _Upcoming(self._plan(time.time_ns() // NS_PER_MS))
        while not self._stopping.is_set():
            slice_ = ticks.due((time.monotonic() - began) * 1_000)
            if slice_:
                await self._send(producer, slice_)
            elif ticks.next_due_ms is None:
                return
            wait_s = began + (ticks.next_due_ms or 0.0) / 1_000 - time.monotonic()
            await self._sleep(max(wait_s, _LINGER_S) if wait_s > 0 else 0.0)

    async def _sleep(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def _send(self, producer: Any, ticks: list[Planned]) -> None:
        placed = [(*self._place(tick), tick) for tick in ticks]
        self._on_send([(partition, tick) for partition, _, tick in placed])
        now_ms = time.time_ns() // NS_PER_MS
        by_partition: dict[int, list[tuple[bytes, Planned]]] = defaultdict(list)
        for partition, key, tick in placed:
            by_partition[partition].append((key, tick))
        futures = []
        for partition, records in by_partition.items():
            batch = producer.create_batch()
            for key, tick in records:
                # A broker takes no record timestamp far ahead of its clock.
                stamp_ms = min(tick.event_ms, now_ms)
                if batch.append(timestamp=stamp_ms, key=key, value=tick.value) is None:
                    futures.append(await self._submit(producer, batch, partition))
                    batch = producer.create_batch()
                    batch.append(timestamp=stamp_ms, key=key, value=tick.value)
            futures.append(await self._submit(producer, batch, partition))
        await asyncio.gather(*futures)

    async def _submit(self, producer: Any, batch: Any, partition: int) -> Any:
        batch.close()
        return await producer.send_batch(batch, self._topic, partition=partition)

    def _place(self, tick: Planned) -> tuple[int, bytes]:
        """Partition and key."""
        series = (tick.broker, tick.symbol)
        placed = self._keys.get(series)
        if placed is None:
            partition = partition_of(*series, self._partitions)
            placed = self._keys[series] = (partition, series_key(*series))
        return placed


async def _close(producer: Any) -> None:
    """Stop a producer; one that waits for a broker that is gone is thrown away."""
    try:
        async with asyncio.timeout(_STOP_S):
            await producer.stop()
    except Exception:  # whatever it is, the producer must go
        await cancel_tasks_of(producer._sender, producer._message_accumulator)
        await close_client(producer.client)


class _Upcoming:
    """An iterator of ticks that can be asked for those due by now."""

    def __init__(self, ticks: Iterator[Planned]) -> None:
        self._ticks = ticks
        self._next = next(ticks, None)

    @property
    def next_due_ms(self) -> float | None:
        """When the next tick is due; None: there is none."""
        return None if self._next is None else self._next.due_ms

    def due(self, now_ms: float) -> list[Planned]:
        """The next slice of ticks due at ``now_ms``, in order."""
        slice_: list[Planned] = []
        while self._next is not None and self._next.due_ms <= now_ms and len(slice_) < _SLICE:
            slice_.append(self._next)
            self._next = next(self._ticks, None)
        return slice_
