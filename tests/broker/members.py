"""Members of a consumer group under test, and what they have read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from barengine.codec.records import iter_records
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.fetch import Fetch
from barengine.kafka.source import Source
from tests.processes import PATIENCE_S

POLL_S = 0.1
SESSION_MS = 60_000  # who loses it would have to be told again where to read
BEAT_MS = 500  # a rebalance is noticed as soon as in a shorter session

Read = tuple[int, int, bytes | None]
"""Partition, offset and value of a record."""


class Member:
    """A source with a diary: assignments, revocations, everything read, in order."""

    def __init__(self, bootstrap: str, topic: str, group: str, **options: Any) -> None:
        self.assigned: list[set[int]] = []
        self.revoked: list[set[int]] = []
        self.fetches: list[Fetch] = []
        self.source = Source(
            ConnectionConfig(bootstrap),
            topic,
            group,
            on_assigned=self._on_assigned,
            on_revoked=self._on_revoked,
            **{"session_timeout_ms": SESSION_MS} | options,
        )
        beat_ms = min(self.source._options["heartbeat_interval_ms"], BEAT_MS)
        self.source._options["heartbeat_interval_ms"] = beat_ms

    def _on_assigned(self, partitions: set[int]) -> None:
        self.assigned.append(partitions)

    async def _on_revoked(self, partitions: set[int]) -> None:
        self.revoked.append(partitions)

    async def poll(self) -> list[Fetch]:
        """One poll; what it brings is written down."""
        fetches = await self.source.poll(POLL_S)
        self.fetches += fetches
        return fetches

    async def until(self, condition: Callable[[], bool]) -> None:
        """Poll until the condition holds.

        Raises:
            TimeoutError: it does not.
        """
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await self.poll()

    async def until_assigned(self, *partitions: int) -> None:
        """Poll until the member has these partitions and no others."""
        await self.until(lambda: bool(self.assigned) and self.assigned[-1] == set(partitions))

    def go(self, partition: int = 0, offset: int = 0) -> None:
        """Read a partition from an offset on."""
        self.source.seek(partition, offset)
        self.source.resume(partition)

    async def read(self, count: int) -> list[Read]:
        """Poll until there are so many records; returns all of them."""
        await self.until(lambda: len(self.records) >= count)
        return self.records

    @property
    def records(self) -> list[Read]:
        """Every record read so far, without those below the offset asked for."""
        return list(records_of(self.fetches))


def records_of(fetches: Iterable[Fetch]) -> Iterable[Read]:
    for fetch in fetches:
        for batch, _ in fetch.batches():
            if batch is None:
                continue
            for record in iter_records(batch.payload, batch.records):
                offset = batch.base_offset + record.offset_delta
                if offset >= fetch.offset:
                    yield fetch.partition, offset, record.value


@asynccontextmanager
async def member(bootstrap: str, topic: str, group: str, **options: Any) -> AsyncIterator[Member]:
    """A member that is started, and stopped at the end."""
    one = Member(bootstrap, topic, group, **options)
    await one.source.start()
    try:
        yield one
    finally:
        await one.source.stop()


@asynccontextmanager
async def reader(
    bootstrap: str, topic: str, offset: int = 0, **options: Any
) -> AsyncIterator[Member]:
    """A member alone in its group that reads all partitions from an offset on."""
    async with member(bootstrap, topic, f"group-of-{topic}", **options) as one:
        await one.until(lambda: bool(one.assigned))
        for partition in one.assigned[-1]:
            one.go(partition, offset)
        yield one
