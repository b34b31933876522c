"""The one recovery path: start, assignment, fenced, timed out, any failed commit.

    fence (InitProducerId) -> read the state up to the high watermark taken after the fence
    -> check it against log and settings -> seek to L -> replay [L, C) -> RUNNING from C

The fence comes first: from then on no older owner can commit, so the state that is read next is
final. docs/recovery.md has the argument.
"""

from __future__ import annotations

from dataclasses import dataclass

from barengine.engine.partition import LogRange, PartitionEngine
from barengine.engine.state import StateImage
from barengine.errors import StateError
from barengine.kafka.sink import TransactionalSink
from barengine.kafka.state_reader import read_state
from barengine.naming import transactional_id
from barengine.service.wiring import GROUP_TAG, Wiring


@dataclass(slots=True)
class Recovered:
    """A fenced sink and an engine at offset L, ready to replay."""

    sink: TransactionalSink
    engine: PartitionEngine
    first_run: bool
    """There was no state: the choice of the start offset is not durable yet."""


async def recover(wiring: Wiring, partition: int) -> Recovered:
    """Take the partition over.

    Raises:
        StateError: going on would lose or double bars; retrying does not help.
        KafkaUnavailableError, TaskMovedError: try again later.
    """
    settings = wiring.settings
    sink = TransactionalSink(
        wiring.connection,
        transactional_id(settings.context, settings.group_id, settings.input_topic_bare, partition),
        settings.compression,
    )
    try:
        await sink.fence()
        image = StateImage.read(
            await read_state(wiring.connection, settings.state_topic, partition)
        )
        engine = await _engine(wiring, partition, image)
    except BaseException:
        await sink.discard()
        raise
    return Recovered(sink, engine, first_run=image.partition is None)


async def _engine(wiring: Wiring, partition: int, image: StateImage) -> PartitionEngine:
    settings = wiring.settings
    log_start, stable_end, high_watermark = await wiring.source.offsets(partition)
    start = log_start if settings.start == "earliest" else stable_end
    await _check_group_offset(wiring, partition, image)
    return PartitionEngine(
        wiring.fresh_kernel(image, start),
        image,
        LogRange(log_start, high_watermark),
        wiring.fingerprint(),
        start,
        settings.late_policy,
    )


async def _check_group_offset(wiring: Wiring, partition: int, image: StateImage) -> None:
    """A group offset that we cannot have committed means that someone reset it."""
    committed = await wiring.source.committed(partition)
    if committed is None:
        return  # normal: it expires
    offset, metadata = committed
    if metadata.startswith(GROUP_TAG):
        return
    ours = image.partition.commit_offset if image.partition else None
    if offset != ours:
        raise StateError(
            f"group {wiring.settings.group} has offset {offset} for "
            f"{wiring.settings.input_topic}-{partition}, which barengine did not commit (the "
            f"state says {'nothing yet' if ours is None else ours}): someone reset it. The state "
            "topic alone says where to go on. Delete the group's offsets to go on from the state, "
            "or start anew under another GROUP_ID or CONTEXT"
        )
