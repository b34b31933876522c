"""Reading partitions of a compacted topic to their very end.

Compaction runs late: there may be ten records for each one that counts. So they are taken as whole
batches, of which aiokafka's compiled parser makes keys and values in a third of the time that it
needs for records of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from functools import partial
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

Record = tuple[bytes | None, bytes | None]

_SLICE: Final = 200
"""Records decoded at a stretch: a millisecond, for all partitions do this at once."""


async def read_state(
    connection: ConnectionConfig,
    topic: str,
    partition: int,
    timeout_s: float = 60.0,
    first: int = 0,
) -> list[Record]:
    """Every committed record that compaction has left, in order; a value of None is a tombstone.

    Reads up to the high watermark as it stands after the call began, not to the last stable
    offset: what a transaction still open holds back is waited for.

    Args:
        timeout_s: the longest that reading may stand still.
        first: leaves out the records before this offset.

    Raises:
        KafkaUnavailableError: nothing more came within ``timeout_s``, and it was not all.
        ConfigurationError: not allowed.
    """
    found: list[Record] = []

    def done(_: int, records: list[Record]) -> None:
        found.extend(records)

    await read_states(connection, topic, {partition: first}, timeout_s, done)
    return found


async def read_states(
    connection: ConnectionConfig,
    topic: str,
    firsts: Mapping[int, int],
    timeout_s: float,
    done: Callable[[int, list[Record]], None],
) -> None:
    """The same for several partitions, by one client.

    Args:
        firsts: by partition, the offset before which records are left out.
        done: is given a partition and its records as soon as they are all there.
    """
    wanted = {TopicPartition(topic, partition): first for partition, first in firsts.items()}
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
        async with asyncio.timeout(timeout_s) as limit:
            await consumer.start()
            FetchHook(consumer)
            answer_in_time(consumer._client, ANSWER_MS / 1000)
            consumer.assign(list(wanted))
            for tp in wanted:  # nothing is fetched, or looked up, until it is known from where
                consumer.pause(tp)
                consumer.seek(tp, 0)
            places = await asyncio.gather(*(_ends(consumer, tp, timeout_s) for tp in wanted))
            for (tp, first), (start, end) in zip(wanted.items(), places, strict=True):
                consumer.seek(tp, max(start, min(first, end)))
                consumer.resume(tp)
            ends = {tp: end for tp, (_, end) in zip(wanted, places, strict=True)}
            await _read(consumer, ends, done, partial(_extend, limit, timeout_s))
    except (KafkaError, TimeoutError) as error:
        numbers = ",".join(map(str, firsts))
        raise translate(error, f"reading all of {topic}-{numbers}") from error
    finally:
        await stop_consumer(consumer)


async def _ends(consumer: Any, tp: TopicPartition, timeout_s: float) -> tuple[int, int]:
    end = await list_offset(consumer._client, tp, LATEST, READ_UNCOMMITTED, timeout_s)
    start = await list_offset(consumer._client, tp, EARLIEST, READ_UNCOMMITTED, timeout_s)
    return start, end


def _extend(limit: asyncio.Timeout, timeout_s: float) -> None:
    limit.reschedule(asyncio.get_running_loop().time() + timeout_s)


async def _read(
    consumer: Any,
    ends: Mapping[TopicPartition, int],
    done: Callable[[int, list[Record]], None],
    moved: Callable[[], None],
) -> None:
    records: dict[TopicPartition, list[Record]] = {tp: [] for tp in ends}
    reached: dict[TopicPartition, int] = {}
    while True:
        # The newest record of a log is never compacted away: there is always a batch up to the end.
        for tp in list(records):
            position = await consumer.position(tp)
            if position != reached.get(tp):
                reached[tp] = position
                moved()
            if position >= ends[tp]:
                consumer.pause(tp)
                done(tp.partition, records.pop(tp))
        if not records:
            return
        fetched = await consumer.getmany(*records, timeout_ms=_POLL_MS)
        for tp, fetches in fetched.items():
            for fetch in fetches:
                for piece in _pieces(fetch):
                    records[tp] += ((r.key, r.value) for r in piece if r.offset >= fetch.offset)
                    await asyncio.sleep(0)


def _pieces(fetch: Fetch) -> Iterator[list[Any]]:
    """The records of a fetch as aiokafka parses them, without those of aborted transactions."""
    parsed = MemoryRecords(bytes(fetch.data))  # it takes no view of an answer
    for batch, _ in fetch.batches():
        # not its own iterator: that one begins again where it has ended
        records = (one for one in parsed.next_batch())
        while batch is not None and (piece := list(islice(records, _SLICE))):
            yield piece
