"""A group's offsets, and the ends of its topic, as seen and set from outside of the group."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from barengine.errors import KafkaUnavailableError
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.closing import stop_consumer
from barengine.kafka.group import commit_offsets, committed_offset
from barengine.kafka.offsets import EARLIEST, LATEST, READ_COMMITTED, READ_UNCOMMITTED, list_offset
from barengine.kafka.translate import translate


class GroupAdmin:
    """Made by :meth:`connected`. Not a member: it can set offsets only while there is none."""

    def __init__(self, consumer: Any, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, connection: ConnectionConfig, group: str, topic: str, partitions: int
    ) -> AsyncIterator[Self]:
        """Connected for the time of the block.

        Raises:
            KafkaUnavailableError, ConfigurationError: no answer, or not allowed.
        """
        consumer: Any = AIOKafkaConsumer(
            **connection.kwargs(),
            group_id=group,
            auto_offset_reset="none",
            enable_auto_commit=False,
        )
        consumer.assign([TopicPartition(topic, number) for number in range(partitions)])
        try:
            await consumer.start()
            consumer.pause(*consumer.assignment())
            yield cls(consumer, topic)
        except KafkaError as error:
            raise translate(error, f"looking at the group {group}") from error
        finally:
            await stop_consumer(consumer)

    async def committed(self, partition: int) -> tuple[int, str] | None:
        """The group's offset and its metadata; None where there is none."""
        return await committed_offset(self._consumer, TopicPartition(self._topic, partition))

    async def commit(self, offsets: Mapping[int, tuple[int, str]]) -> None:
        """Set offsets and metadata by partition.

        Raises:
            KafkaUnavailableError: not done; a member that has come meanwhile prevents it, too.
        """
        by_tp = {TopicPartition(self._topic, number): at for number, at in offsets.items()}
        if not await commit_offsets(self._consumer, by_tp):
            raise KafkaUnavailableError("the group's offsets could not be set")

    async def ends(self, partition: int) -> tuple[int, int, int]:
        """Log start, last stable offset and high watermark."""
        tp, client = TopicPartition(self._topic, partition), self._consumer._client
        return (
            await list_offset(client, tp, EARLIEST, READ_COMMITTED),
            await list_offset(client, tp, LATEST, READ_COMMITTED),
            await list_offset(client, tp, LATEST, READ_UNCOMMITTED),
        )

    async def offset_at(self, partition: int, time_ms: int) -> int | None:
        """The first record whose Kafka timestamp is not before; None where all are."""
        tp = TopicPartition(self._topic, partition)
        found = await list_offset(self._consumer._client, tp, time_ms, READ_COMMITTED)
        return None if found < 0 else found
