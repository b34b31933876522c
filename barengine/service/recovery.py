"""The one recovery path: start, assignment, fenced, timed out, any failed commit.

    fence (InitProducerId) -> read the state up to the high watermark taken after the fence
    -> check it against log and settings -> seek to L -> replay [L, C) -> RUNNING from C

The fence comes first: from then on no older owner can commit, so the state that is read next is
final. docs/recovery.md has the argument.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from barengine.engine.partition import LogRange, PartitionEngine
from barengine.engine.state import PARTITION_KEY, StateImage, is_page, is_series, load_pages
from barengine.errors import KafkaUnavailableError, StateError, UnreadableStateError
from barengine.kafka.sink import TransactionalSink
from barengine.kafka.state_reader import read_state
from barengine.kernel import Book, Kernel, SeriesState
from barengine.naming import transactional_id
from barengine.service import group_offset
from barengine.service.wiring import PARTITION_COUNT, Wiring

Record = tuple[bytes | None, bytes | None]

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
    )
    try:
        await sink.fence()
        # before the state: an owner that has fenced us commits the state first, then the offset
        committed = await wiring.source.committed(partition)
        records = await read_state(wiring.connection, settings.state_topic, partition)
        with _way_out(wiring, partition):
            image, single = await _split(wiring, records)
            if image.partition is None:
                await _check_not_new(wiring, partition)
            _check_group_offset(wiring, committed, image)
            engine = await _engine(wiring, partition, image, single)
    except BaseException:
        await sink.discard()
        raise
    return Recovered(sink, engine, first_run=image.partition is None)


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


async def _split(wiring: Wiring, records: Sequence[Record]) -> tuple[StateImage, Sequence[Record]]:
    """The image without series and pages, and the newest record of each of these.

    There may be millions of these: as bytes they cost the garbage collector nothing, and only
    the newest need be looked into.
    """
    rest: list[Record] = []
    newest: dict[bytes | None, bytes | None] = {}

    def take(part: Sequence[Record]) -> None:
        for key, value in part:
            if is_series(key) or is_page(key):
                newest[key] = value
            else:
                rest.append((key, value))

    await _in_turns(wiring, records, take)
    return StateImage.read(rest), list(newest.items())


def _load(kernel: Kernel, states: list[SeriesState] | None, part: Sequence[Record]) -> None:
    """Take series into the kernel, and note them in ``states`` where somebody asks for them."""
    series = list(StateImage.read(one for one in part if is_series(one[0])).series.values())
    kernel.load((), series)
    if states is not None:
        states += series


async def _fill(
    wiring: Wiring,
    book: Book,
    image: StateImage,
    series: Sequence[SeriesState],
    single: Sequence[Record],
) -> None:
    """Make the book what it was."""
    book.load(list(image.brokers.values()), series, list(image.books.values()))
    await _in_turns(wiring, single, partial(load_pages, book))


async def _in_turns(
    wiring: Wiring, records: Sequence[Record], take: Callable[[Sequence[Record]], None]
) -> None:
    """Take all records, some at a time, in turns of the event loop that no other partition's work
    shares: there may be one for each of a million series."""
    for begin in range(0, len(records), _SLICE):
        async with wiring.turn:
            take(records[begin : begin + _SLICE])
        await asyncio.sleep(0)


async def _engine(
    wiring: Wiring, partition: int, image: StateImage, single: Sequence[Record]
) -> PartitionEngine:
    settings = wiring.settings
    log_start, stable_end, high_watermark = await wiring.source.offsets(partition)
    start = log_start if settings.start == "earliest" else stable_end
    kernel = wiring.fresh_kernel(image, start)
    # before the engine: it puts stored windows back, which the clocks of their series may close
    kernel.load(list(image.brokers.values()), ())
    book = wiring.fresh_book()
    series: list[SeriesState] | None = None if book is None else []
    await _in_turns(wiring, single, partial(_load, kernel, series))
    if book is not None and series is not None:
        await _fill(wiring, book, image, series, single)
    else:
        image.kept = {key: b"" for key, value in single if key and value and is_page(key)}
    return await asyncio.to_thread(  # it may have hundreds of thousands of windows to put back
        PartitionEngine,
        kernel,
        image,
        LogRange(log_start, high_watermark),
        wiring.fingerprint(),
        start,
        settings.late_policy,
        settings.restore_max,
        book,
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
