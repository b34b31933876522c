"""ListOffsets with an isolation level of one's own: aiokafka's consumer knows only its own one."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka import errors as kafka
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.structs import TopicPartition

from barengine.kafka.translate import translate

EARLIEST: Final = -2
LATEST: Final = -1

READ_UNCOMMITTED: Final = 0
READ_COMMITTED: Final = 1

_RETRY_S: Final = 0.05
_NO_REPLICA: Final = -1


async def list_offset(
    client: Any, tp: TopicPartition, which: int, isolation: int, timeout_s: float = 30.0
) -> int:
    """One end of a partition: EARLIEST, or LATEST (the high watermark under READ_UNCOMMITTED,
    the last stable offset under READ_COMMITTED).

    Args:
        client: a bootstrapped ``AIOKafkaClient``.

    Raises:
        KafkaUnavailableError: no answer within ``timeout_s``.
        ConfigurationError: not allowed.
    """
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                offset = await _try(client, tp, which, isolation)
                if offset is not None:
                    return offset
                await asyncio.sleep(_RETRY_S)
    except (kafka.KafkaError, TimeoutError) as error:
        raise translate(error, f"asking for the ends of {tp.topic}-{tp.partition}") from error


async def _try(client: Any, tp: TopicPartition, which: int, isolation: int) -> int | None:
    """None: not now."""
    try:
        await client._wait_on_metadata(tp.topic)
        leader = client.cluster.leader_for_partition(tp)
        if leader is None or leader == _NO_REPLICA:
            raise kafka.LeaderNotAvailableError(tp)
        request = OffsetRequest(-1, isolation, [(tp.topic, [(tp.partition, which)])])
        response = await client.send(leader, request)
        [(_, [(_, code, _, offset)])] = response.topics
        if code:
            raise kafka.for_code(code)(tp)
    except kafka.KafkaError as error:
        if not error.retriable:
            raise
        if error.invalid_metadata:
            await client.force_metadata_update()
        return None
    return int(offset)
