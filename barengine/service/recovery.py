"""The one recovery path: start, assignment, fenced, timed out, any failed commit.

    fence (InitProducerId) -> read the state up to the high watermark taken after the fence
    -> check it against log and settings -> seek to L -> replay [L, C) -> RUNNING from C

The fence comes first: from then on no older owner can commit, so the state that is read next is
final. docs/recovery.md has the argument.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from barengine.engine.partition import LogRange, PartitionEngine
from barengine.engine.restore import Restore, Step
from barengine.engine.state import PARTITION_KEY, StateImage
from barengine.errors import KafkaUnavailableError, StateError, UnreadableStateError
from barengine.kafka.sink import TransactionalSink
from barengine.kafka.state_reader import read_state
from barengine.naming import transactional_id
from barengine.service import group_offset
from barengine.service.wiring import PARTITION_COUNT, Wiring

_SLICE: Final = 500
"""State records that are taken in at a stretch: some milliseconds."""


@dataclass(slots=True)
class Recovered:
    """A fenced sink and an engine at offset L, ready to replay once it was told to reschedule:
    hours may have changed while it was made."""

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
        wiring.topics.max_bytes,
    )
    try:
        await sink.fence()
        # before the state: an owner that has fenced us commits the state first, then the offset
        committed = await wiring.source.committed(partition)
        records = await read_state(wiring.connection, settings.state_topic, partition)
        with _way_out(wiring, partition):
            restore = Restore(records, _SLICE)
            await _in_turns(wiring, restore.read())
            if restore.image.partition is None:
                await _check_not_new(wiring, partition)
            _check_group_offset(wiring, committed, restore.image)
            engine = await _engine(wiring, partition, restore)
    except BaseException:
        await sink.discard()
        raise
    return Recovered(sink, engine, first_run=restore.image.partition is None)


async def unmoved(wiring: Wiring, partition: int, seq: int, state_offset: int) -> bool:
    """Whether commit ``seq``, which this process has made, is still the newest of the partition.

    False, too, where that cannot be told soon: recovery finds out.

    Args:
        state_offset: where the last batch of that commit's state begins.

    Raises:
        StateError: somebody reset the group's offset.
    """
    try:
        committed = await wiring.source.committed(partition)  # before the state, as in recovery
        records = await wiring.look.records(partition, state_offset)
        tail = StateImage.read(record for record in records if record[0] == PARTITION_KEY)
        if tail.partition is None or tail.partition.seq != seq:
            return False
        with _way_out(wiring, partition):
            _check_group_offset(wiring, committed, tail)
    except KafkaUnavailableError:
        return False
    return True


async def _in_turns(wiring: Wiring, steps: Iterator[Step]) -> None:
    """Take all steps, in turns of the event loop that no other partition's work shares: there may
    be records of each of a million series."""
    for step in steps:
        async with wiring.turn:
            step()
        await asyncio.sleep(0)


async def _engine(wiring: Wiring, partition: int, restore: Restore) -> PartitionEngine:
    settings = wiring.settings
    log_start, stable_end, high_watermark = await wiring.source.offsets(partition)
    start = log_start if settings.start == "earliest" else stable_end
    kernel = wiring.fresh_kernel(restore.image, start)
    await _in_turns(wiring, restore.load(kernel, wiring.fresh_book()))
    return await asyncio.to_thread(  # it may have hundreds of thousands of windows to put back
        restore.engine,
        LogRange(log_start, high_watermark),
        wiring.fingerprint(),
        start,
        settings.late_policy,
        settings.restore_max,
    )


def _check_group_offset(
    wiring: Wiring, committed: tuple[int, str] | None, image: StateImage
) -> None:
    """What the group's offset tells of resets and lost state; nothing where there is none."""
    group_offset.check(wiring.settings.group, group_offset.parse(committed), image.partition)


async def _check_not_new(wiring: Wiring, partition: int) -> None:
    """A partition without a state may begin with the others, not behind them: series may have
    moved to it from theirs. What the first one was written with tells.

    Raises:
        StateError: it did not exist then.
    """
    settings = wiring.settings
    records = await read_state(wiring.connection, settings.state_topic, 0)
    try:
        first = StateImage.read(records).partition
        before = {} if first is None else json.loads(first.fingerprint)
    except (UnreadableStateError, ValueError):
        return  # the recovery of that partition says so
    if partition >= int(before.get(PARTITION_COUNT, partition + 1)):
        raise StateError(
            f"this partition is new: the state was begun when {settings.input_topic} had "
            f"{before[PARTITION_COUNT]} partitions"
        )


@contextmanager
def _way_out(wiring: Wiring, partition: int) -> Iterator[None]:
    """Let a StateError name the partition and the command that resolves it."""
    try:
        yield
    except StateError as error:
        command = "reset" if isinstance(error, UnreadableStateError) else "adopt"
        raise StateError(
            f"{wiring.settings.input_topic}-{partition}: {error}. Mend the cause, or stop every "
            f"engine of this group and run `barengine state {command} --partition {partition}`, "
            "which says what it will do"
        ) from error
