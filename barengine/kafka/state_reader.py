"""Reading one partition of a compacted topic to its very end.

Compaction runs late: there may be ten records for each one that counts. So they are taken as whole
batches, of which aiokafka's compiled parser makes keys and values in a third of the time that it
needs for records of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from barengine.kafka.client import ConnectionConfig
from barengine.kafka.closing import stop_consumer
from barengine.kafka.fetch import Fetch, FetchHook
from barengine.kafka.offsets import EARLIEST, LATEST, READ_UNCOMMITTED, list_offset
from barengine.kafka.patience import ANSWER_MS, answer_in_time
from barengine.kafka.translate import translate

_FETCH_BYTES: Final = 4 * 1024 * 1024
_FETCH_WAIT_MS: Final = 100
_POLL_MS: Final = 20

_SLICE: Final = 200
"""Records decoded at a stretch: a millisecond, for all partitions do this at once."""


async def read_state(
    connection: ConnectionConfig,
    topic: str,
    partition: int,
    timeout_s: float = 60.0,
    first: int = 0,
) -> list[tuple[bytes | None, bytes | None]]:
    """Every committed record that compaction has left, in order; a value of None is a tombstone.

    Reads up to the high watermark as it stands after the call began, not to the last stable
    offset: what a transaction still open holds back is waited for.

    Args:
        first: leaves out the records before this offset.

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
        request_timeout_ms=ANSWER_MS,
        fetch_max_wait_ms=_FETCH_WAIT_MS,
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    try:
        async with asyncio.timeout(timeout_s):
            await consumer.start()
            FetchHook(consumer)
            answer_in_time(consumer._client, ANSWER_MS / 1000)
            consumer.assign([tp])
            end = await list_offset(consumer._client, tp, LATEST, READ_UNCOMMITTED, timeout_s)
            start = await list_offset(consumer._client, tp, EARLIEST, READ_UNCOMMITTED, timeout_s)
            consumer.seek(tp, max(start, min(first, end)))
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
        fetched = await consumer.getmany(tp, timeout_ms=_POLL_MS)
        for fetch in fetched.get(tp, ()):
            for piece in _pieces(fetch):
                records += ((one.key, one.value) for one in piece if one.offset >= fetch.offset)
                await asyncio.sleep(0)
    return records


def _pieces(fetch: Fetch) -> Iterator[list[Any]]:
    """The records of a fetch as aiokafka parses them, without those of aborted transactions."""
    parsed = MemoryRecords(fetch.data)
    for batch, _ in fetch.batches():
        # not its own iterator: that one begins again where it has ended
        records = (one for one in parsed.next_batch())
        while batch is not None and (piece := list(islice(records, _SLICE))):
            yield piece
