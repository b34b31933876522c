"""Reading a small topic to its end, and following it from there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from barengine.errors import ConfigurationError
from barengine.kafka.admin import describe
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.closing import stop_consumer
from barengine.kafka.offsets import LATEST, READ_COMMITTED, list_offset
from barengine.kafka.patience import ANSWER_MS, answer_in_time
from barengine.kafka.topic import TopicInfo
from barengine.kafka.translate import translate

_FETCH_WAIT_MS: Final = 500
_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Record:
    """One committed record; a value of None is a tombstone."""

    offset: int
    key: bytes | None
    value: bytes | None
    time_ms: int = 0
    partition: int = 0


class TopicFollower:
    """A topic without a group: all of one that is compacted, or what is new in any other.

    Args:
        connection: where the brokers are.
        topic: must exist.
    """

    def __init__(self, connection: ConnectionConfig, topic: str) -> None:
        self.topic: Final = topic
        self._connection = connection
        self._consumer: Any = None

    async def start(self, timeout_s: float = 60.0, *, since_ms: int | None = None) -> list[Record]:
        """Every record up to the end as it is after the call began.

        Args:
            timeout_s: for all of it.
            since_ms: older ones are left out, by record timestamp. Without it all are wanted: the
                topic must be compacted and have one partition.

        Raises:
            ConfigurationError: the topic does not fit, or may not be read.
            KafkaUnavailableError: not all of it could be read within ``timeout_s``.
        """
        info = (await describe(self._connection, [self.topic])).get(self.topic)
        if since_ms is None:
            _check(self.topic, info)
        elif info is None:
            raise ConfigurationError(f"there is no topic {self.topic}; create it")
        partitions = 1 if info is None else info.partitions
        try:
            async with asyncio.timeout(timeout_s):
                tps = [TopicPartition(self.topic, number) for number in range(partitions)]
                return await self._read(tps, since_ms)
        except (KafkaError, TimeoutError) as error:
            raise translate(error, f"reading all of {self.topic}") from error

    async def poll(self) -> list[Record]:
        """What has come since, at once; nothing while no broker answers.

        Raises:
            ConfigurationError: it may not be read any more.
            KafkaUnavailableError: it could not be read now.
        """
        try:
            fetched = await self._consumer.getmany(timeout_ms=0)
        except KafkaError as error:
            raise translate(error, f"reading {self.topic}") from error
        return [
            Record(one.offset, one.key, one.value, one.timestamp, one.partition)
            for records in fetched.values()
            for one in records
        ]

    async def stop(self) -> None:
        """Close the connection, if there is one."""
        if self._consumer is not None:
            await stop_consumer(self._consumer)
            self._consumer = None

    async def _read(self, tps: list[TopicPartition], since_ms: int | None) -> list[Record]:
        consumer = self._consumer = AIOKafkaConsumer(
            **self._connection.kwargs(),
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            request_timeout_ms=ANSWER_MS,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
        )
        await consumer.start()
        answer_in_time(consumer._client, ANSWER_MS / 1000)
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        if since_ms is not None:
            since = await consumer.offsets_for_times(dict.fromkeys(tps, since_ms))
            for tp, found in since.items():
                if found is not None:
                    consumer.seek(tp, found.offset)
                else:
                    await consumer.seek_to_end(tp)
        ends = {tp: await list_offset(consumer._client, tp, LATEST, READ_COMMITTED) for tp in tps}
        records: list[Record] = []
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            records += await self.poll()
            await asyncio.sleep(_POLL_S)
        return records


def _check(topic: str, info: TopicInfo | None) -> None:
    if info is None:
        raise ConfigurationError(f"there is no topic {topic}; create it, compacted")
    if info.partitions != 1:
        raise ConfigurationError(
            f"topic {topic} has {info.partitions} partitions, among which there is no order; "
            "create it with one"
        )
    if info.cleanup_policy != "compact":
        raise ConfigurationError(
            f"topic {topic} has cleanup.policy={info.cleanup_policy}: what is in it would be "
            "deleted with time; set it to compact"
        )
