"""Reading one partition of a compacted topic to its very end."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from barengine.kafka.client import ConnectionConfig
from barengine.kafka.closing import stop_consumer
from barengine.kafka.offsets import EARLIEST, LATEST, READ_UNCOMMITTED, list_offset
from barengine.kafka.translate import translate

_FETCH_BYTES: Final = 4 * 1024 * 1024
_FETCH_WAIT_MS: Final = 100
_POLL_MS: Final = 20

_SLICE: Final = 2000
"""Records decoded at a stretch: some milliseconds, so that the other partitions go on."""


async def read_state(
    connection: ConnectionConfig, topic: str, partition: int, timeout_s: float = 60.0
) -> list[tuple[bytes | None, bytes | None]]:
    """Every committed record that compaction has left, in order; a value of None is a tombstone.

    Reads up to the high watermark as it stands after the call began, not to the last stable
    offset: what a transaction still open holds back is waited for.

    Raises:
        KafkaUnavailableError: not all of it could be read within ``timeout_s``.
        ConfigurationError: not allowed.
    """
    tp = TopicPartition(topic, partition)
    consumer = AIOKafkaConsumer(
        **connection.kwargs(),
        auto_offset_reset="none",
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    consumer.assign([tp])
    try:
        async with asyncio.timeout(timeout_s):
            await consumer.start()
            end = await list_offset(consumer._client, tp, LATEST, READ_UNCOMMITTED, timeout_s)
            start = await list_offset(consumer._client, tp, EARLIEST, READ_UNCOMMITTED, timeout_s)
            consumer.seek(tp, start)
            return await _read(consumer, tp, end)
    except (KafkaError, TimeoutError) as error:
        raise translate(error, f"reading all of {topic}-{partition}") from error
    finally:
        await stop_consumer(consumer)


async def _read(
    consumer: Any, tp: TopicPartition, end: int
) -> list[tuple[bytes | None, bytes | None]]:
    records: list[tuple[bytes | None, bytes | None]] = []
    # The newest record of a log is never compacted away, so there is always a batch up to the end.
    while await consumer.position(tp) < end:
        fetched = await consumer.getmany(tp, timeout_ms=_POLL_MS, max_records=_SLICE)
        records += ((record.key, record.value) for record in fetched.get(tp, ()))
        await asyncio.sleep(0)  # getmany does not wait while it has data
    return records
