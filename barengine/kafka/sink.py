"""Everything that one partition's task writes, one transaction after the other.

aiokafka 0.14 has five traps here, each with a test: it commits a transaction one of whose batches
was refused; it retries without end while the broker is gone; it may wait for ever when it is
stopped then; it leaves futures behind whose errors nobody fetches; and it lets a transaction that
follows another wait (``markers``).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka

from barengine.errors import (
    BarengineError,
    KafkaUnavailableError,
    RefusedBatchError,
    TransactionTimeoutError,
)
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.closing import hang_up_at_the_end, retrieve, throw_away
from barengine.kafka.markers import ask_again_soon
from barengine.kafka.output import PrebuiltBatch
from barengine.kafka.translate import summary, translate
from barengine.kernel import EncodedRecords

_FENCE_S: Final = 30.0
"""For InitProducerId: an older owner's open transaction is aborted first."""

_REQUEST_TIMEOUT_MS: Final = 10_000
"""Below the transaction's timeout, so that a lost request can be sent again in time."""

_RETRY_MS: Final = 50
_STOP_S: Final = 5.0

_INLINE_BYTES: Final = 256 * 1024
"""Compressing more than this would hold up the event loop for a millisecond: use a thread."""


class InvalidRecordError(kafka.BrokerResponseError):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka 0.14 does not know this code, and would say only that an error is unknown."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker takes no such record: a compacted topic none without a key."


_INVALID_RECORD: Final = kafka.kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)

_REFUSED: Final = {
    kafka.MessageSizeTooLargeError: "raise its max.message.bytes",
    kafka.RecordListTooLargeError: "raise its segment.bytes",
    kafka.InvalidTimestampError: "raise its message.timestamp.after.max.ms",
    _INVALID_RECORD: "set its cleanup.policy=delete, or mend what else checks its records",
    kafka.PolicyViolationError: "a policy of the cluster is against it",
}
"""What is refused once is refused each time; and the way out."""


class OutBatch(NamedTuple):
    """Records for one partition of one topic, small enough for one record batch."""

    topic: str
    partition: int
    records: EncodedRecords


class _Sent(NamedTuple):
    topic: str
    size: int
    future: asyncio.Future[Any]


class TransactionalSink:
    """One transactional producer: fence, commit, commit, ..., close.

    After an error or a cancellation in ``fence`` or ``commit`` it is worthless: ``discard`` it,
    make a new one and fence again. Whatever was not committed is aborted then.

    Args:
        compression: none, gzip, snappy, lz4 or zstd.
        topics: to ask the brokers about as soon as it is fenced. Of any other one they are asked
            when it is written to, and bars wait for each answer.
        transaction_timeout_ms: the broker aborts what takes longer, and ``commit`` gives up.
    """

    def __init__(
        self,
        connection: ConnectionConfig,
        transactional_id: str,
        compression: str,
        topics: Iterable[str] = (),
        transaction_timeout_ms: int = 15_000,
    ) -> None:
        self._connection = connection
        self._id = transactional_id
        self._codec = str(compression)
        self._topics = tuple(topics)
        self._timeout_ms = transaction_timeout_ms
        self._producer: Any = None
        self._usable = False

    @property
    def timeout_s(self) -> float:
        """The time that a transaction has."""
        return self._timeout_ms / 1000

    def __repr__(self) -> str:
        return f"<TransactionalSink {self._id} {'usable' if self._usable else 'not usable'}>"

    async def fence(self) -> None:
        """Become the owner: every older producer of this id is fenced, its transaction aborted.

        Raises:
            KafkaUnavailableError, ConfigurationError: not now, or not allowed.
        """
        self._producer = AIOKafkaProducer(
            **self._connection.kwargs(),
            transactional_id=self._id,
            transaction_timeout_ms=self._timeout_ms,
            request_timeout_ms=_REQUEST_TIMEOUT_MS,
            retry_backoff_ms=_RETRY_MS,
        )
        ask_again_soon(self._producer)
        try:
            async with asyncio.timeout(_FENCE_S):
                await self._producer.start()
        except BaseException as error:
            await self.discard()
            if isinstance(error, Exception):
                raise translate(error, f"fencing as {self._id}") from error
            raise
        for topic in self._topics:  # all in one request, whose answer is waited for in commit
            self._producer.client.add_topic(topic)
        self._usable = True

    async def commit(self, batches: Sequence[OutBatch]) -> dict[str, int]:
        """Write all batches in one transaction; without batches there is none.

        Returns the offset at which the last batch of each topic begins.

        Raises:
            TaskMovedError: a newer producer has this id, or the broker aborted the transaction.
            RefusedBatchError: the broker takes none such, now or later.
            TransactionTimeoutError: it was not done in ``transaction_timeout_ms``.
            KafkaUnavailableError, ConfigurationError: anything else. The transaction may have
                been committed all the same: only reading the state tells.
        """
        if not self._usable:
            raise KafkaUnavailableError(f"{self!r} must be fenced before it can commit")
        if not batches:
            return {}
        self._usable = False
        try:
            async with asyncio.timeout(self.timeout_s):
                offsets = await self._transaction(batches)
        except Exception as error:
            raise self._translated(error) from error
        self._usable = True
        return offsets

    async def close(self) -> None:
        """Close after the last commit; a sink that is not usable is discarded."""
        if not self._usable:
            await self.discard()
            return
        self._usable = False
        hang_up_at_the_end(self._producer.client)
        try:
            async with asyncio.timeout(_STOP_S):
                await self._producer.stop()
        except Exception:  # nothing is open any more: only the connections are left
            await self.discard()
        self._producer = None

    async def discard(self) -> None:
        """Throw the producer away at once; commits nothing, never raises, takes bounded time."""
        producer, self._producer, self._usable = self._producer, None, False
        if producer is not None:
            await throw_away(producer)

    # -- one transaction -------------------------------------------------------------------

    async def _transaction(self, batches: Sequence[OutBatch]) -> dict[str, int]:
        lanes = _lanes(batches, await self._built(batches))
        await self._check_partitions(lanes)
        await self._producer.begin_transaction()
        sent = []
        # The first of every lane goes without a pause between: one request adds all partitions.
        for position in range(max(map(len, lanes.values()))):
            for (topic, partition), lane in lanes.items():
                if position < len(lane):
                    sent.append(await self._send(topic, partition, lane[position]))
        await asyncio.wait([one.future for one in sent], return_when=asyncio.FIRST_EXCEPTION)
        _raise_first(sent)
        await self._producer.commit_transaction()
        return {one.topic: one.future.result().offset for one in sent}

    async def _built(self, batches: Sequence[OutBatch]) -> list[PrebuiltBatch]:
        if sum(len(one.records.payload) for one in batches) <= _INLINE_BYTES:
            return _build(batches, self._codec)
        return await asyncio.to_thread(_build, batches, self._codec)

    async def _check_partitions(self, lanes: Iterable[tuple[str, int]]) -> None:
        """Fetch what must be known of the topics, so that sending needs not wait for it."""
        for topic, partition in lanes:
            if partition not in await self._partitions_of(topic):
                raise KafkaUnavailableError(
                    f"{topic} has no partition {partition}, or is gone: make it again, or restart "
                    "with BARENGINE_AUTO_CREATE_TOPICS=on. Nothing is lost meanwhile"
                )

    async def _partitions_of(self, topic: str) -> Collection[int]:
        try:
            async with asyncio.timeout(self.timeout_s / 3):
                return await self._producer.partitions_for(topic) or ()
        except (TimeoutError, kafka.UnknownTopicOrPartitionError):
            return ()

    async def _send(self, topic: str, partition: int, batch: PrebuiltBatch) -> _Sent:
        future = await self._producer.send_batch(batch, topic, partition=partition)
        future.add_done_callback(retrieve)
        return _Sent(topic, batch.size(), future)

    def _translated(self, error: Exception) -> BarengineError:
        sender = self._producer._sender.sender_task
        if sender.done() and not sender.cancelled() and sender.exception() is not None:
            error = sender.exception()  # the rest only says that the sender has ended
        if not isinstance(error, BarengineError):
            error = _exception(self._producer._txn_manager._transaction_waiter) or error
        # aiokafka's own: a batch had to wait too long for the one before it
        if isinstance(error, TimeoutError | kafka.KafkaTimeoutError):
            return TransactionTimeoutError(
                f"the transaction of {self._id} was not done in {self._timeout_ms} ms"
            )
        return translate(error, f"committing as {self._id}")


def _build(batches: Sequence[OutBatch], codec: str) -> list[PrebuiltBatch]:
    return [PrebuiltBatch(one.records, codec) for one in batches]


def _lanes(
    batches: Sequence[OutBatch], built: Sequence[PrebuiltBatch]
) -> dict[tuple[str, int], list[PrebuiltBatch]]:
    """Batches by topic and partition, each in its order."""
    lanes = defaultdict(list)
    for out, batch in zip(batches, built, strict=True):
        lanes[out.topic, out.partition].append(batch)
    return lanes


def _raise_first(sent: Sequence[_Sent]) -> None:
    """Raise for the first batch that failed; those behind it may have failed because of it."""
    for one in sent:
        error = one.future.exception() if one.future.done() else None
        if error is None:
            continue
        way_out = _REFUSED.get(type(error))
        if way_out is not None:
            raise RefusedBatchError(
                f"{one.topic} refuses a batch of {one.size} bytes ({summary(error)}): {way_out}",
                one.topic,
                one.size,
            )
        raise error


def _exception(waiter: asyncio.Future[Any] | None) -> Any:
    """What ended a transaction before its end: a topic, say, that may not be written to. Its
    batches are sent all the same, outside of any transaction, and their errors mislead."""
    if waiter is None or not waiter.done() or waiter.cancelled():
        return None
    return waiter.exception()
