"""Topics read the way any other client would: without the engine's group, state or hooks."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from barengine.demo.records import OutputRecord
from barengine.errors import KafkaUnavailableError
from barengine.kafka.admin import describe
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.closing import stop_consumer
from barengine.kafka.translate import translate

_POLL_MS: Final = 200
_STUCK_S: Final = 30.0
"""Without a single record for this long, the rest will not come either."""


@asynccontextmanager
async def reader(
    connection: ConnectionConfig, topics: Sequence[str], partitions: int
) -> AsyncIterator[Any]:
    """A started consumer of all partitions of the topics, from their beginning on.

    It belongs to no group and sees what is committed.
    """
    consumer: Any = AIOKafkaConsumer(
        **connection.kwargs(),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=_POLL_MS,
    )
    consumer.assign([TopicPartition(topic, p) for topic in topics for p in range(partitions)])
    try:
        await consumer.start()
        yield consumer
    except KafkaError as error:
        raise translate(error, f"reading {', '.join(topics)}") from error
    finally:
        await stop_consumer(consumer)


async def follow(consumer: Any) -> AsyncIterator[tuple[str, OutputRecord]]:
    """Topic and record of everything that comes, without end."""
    while True:
        for tp, records in (await consumer.getmany(timeout_ms=_POLL_MS)).items():
            for record in records:
                yield tp.topic, _record(record)


async def read_all(
    connection: ConnectionConfig, topic: str, partitions: int
) -> AsyncIterator[list[OutputRecord]]:
    """Everything committed in a topic by now, each partition in order, in portions.

    Raises:
        KafkaUnavailableError: not all of it could be read.
    """
    async with reader(connection, [topic], partitions) as consumer:
        left: dict[TopicPartition, int] = await consumer.end_offsets(consumer.assignment())
        moved = time.monotonic()
        while left := {tp: end for tp, end in left.items() if await consumer.position(tp) < end}:
            fetched = await consumer.getmany(*left, timeout_ms=_POLL_MS, max_records=10_000)
            for tp, records in fetched.items():
                yield [_record(record) for record in records if record.offset < left[tp]]
            now = time.monotonic()
            moved = now if fetched else moved
            if now - moved > _STUCK_S:
                raise KafkaUnavailableError(f"{topic} cannot be read to its end: {left}")


async def log_ends(connection: ConnectionConfig, topic: str) -> dict[int, tuple[int, int]]:
    """Log start and last stable offset of each partition; empty where there is no such topic.

    Raises:
        KafkaUnavailableError: no answer.
    """
    known = (await describe(connection, [topic])).get(topic)
    if known is None:
        return {}
    async with reader(connection, [topic], known.partitions) as consumer:
        starts = await consumer.beginning_offsets(consumer.assignment())
        ends = await consumer.end_offsets(consumer.assignment())
    by_partition = {tp.partition: (starts[tp], end) for tp, end in ends.items()}
    return dict(sorted(by_partition.items()))


def _record(record: Any) -> OutputRecord:
    headers = tuple((name, value or b"") for name, value in record.headers)
    return OutputRecord(
        record.partition, record.offset, record.key, record.value, record.timestamp, headers
    )
