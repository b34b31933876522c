"""Loads as contenders meet them: a topic with the ticks, a schema, the bars to expect."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from barengine.kafka.admin import TopicSpec, create, describe
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.output import PrebuiltBatch
from benchmarks.encode import batches
from benchmarks.expected import Bar as Bar
from benchmarks.expected import expected as expected
from benchmarks.ticks import Load as Load
from benchmarks.ticks import chunks, closing

FOLDER: Final = Path(__file__).parents[1] / ".bench"
"""Everything that is kept between runs."""

_KEEP: Final = {"retention.ms": "-1"}
_IN_FLIGHT: Final = 4
_GONE_POLLS: Final = 300
_GONE_POLL_S: Final = 0.1


def schema_path(load: Load) -> Path | None:
    """The .avsc file of the load's values; None: they are of the built-in Tick schema."""
    if load.plain:
        return None
    path = FOLDER / "schemas" / f"{load.name}.avsc"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(load.schema, indent=2))
    return path


async def prepare(bootstrap: str, load: Load) -> str:
    """Make sure that the load's topic is there and complete; returns its name.

    Raises:
        RuntimeError: the broker has not stored what it was sent.
    """
    connection = ConnectionConfig(bootstrap)
    topic, wanted = load.name, _wanted(load)
    if topic in await describe(connection, [topic]):
        if await end_offsets(bootstrap, topic, load.partitions) == wanted:
            return topic
        await delete(bootstrap, [topic])
    await create(connection, [TopicSpec(topic, load.partitions, config=_KEEP)])
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    async with producer:
        await asyncio.gather(*(_send(producer, load, p) for p in range(load.partitions)))
    if (found := await end_offsets(bootstrap, topic, load.partitions)) != wanted:
        raise RuntimeError(f"{topic} ends at {found}, it should at {wanted}")
    return topic


async def end_offsets(bootstrap: str, topic: str, partitions: int) -> list[int]:
    """Where each partition ends."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        parts = [TopicPartition(topic, number) for number in range(partitions)]
        ends = await consumer.end_offsets(parts)
        return [ends[part] for part in parts]


async def delete(bootstrap: str, topics: list[str]) -> None:
    """Delete topics and wait until they are gone.

    Raises:
        RuntimeError: they are still there after 30 s.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(topics)
    finally:
        await admin.close()
    for _ in range(_GONE_POLLS):
        if not await describe(ConnectionConfig(bootstrap), topics):
            return
        await asyncio.sleep(_GONE_POLL_S)
    raise RuntimeError(f"the broker does not delete {', '.join(topics)}")


def _wanted(load: Load) -> list[int]:
    return [load.partition_ticks(partition) + 1 for partition in range(load.partitions)]


async def _send(producer: Any, load: Load, partition: int) -> None:
    """Send a partition. Ticks are made in a thread, so that the other partitions go on."""
    waiting: deque[Any] = deque()
    made = _built(load, partition)
    while (batch := await asyncio.to_thread(next, made, None)) is not None:
        waiting.append(await producer.send_batch(batch, load.name, partition=partition))
        if len(waiting) > _IN_FLIGHT:
            await waiting.popleft()
    await asyncio.gather(*waiting)


def _built(load: Load, partition: int) -> Iterator[PrebuiltBatch]:
    for chunk in chunks(load, partition):
        for encoded in batches(load, chunk):
            yield PrebuiltBatch(encoded, load.codec, transactional=False)
    [last] = batches(load, closing(load, partition))
    yield PrebuiltBatch(last, load.codec, transactional=False)
