"""Records in and out by librdkafka, which shares nothing with the client under test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from barengine.demo.records import InputRecord, OutputRecord
from tests.processes import PATIENCE_S, eventually

CALL_S: Final = PATIENCE_S  # bounds one call of a client, on a machine that is busy
QUIET: Final = {"log_level": 0}  # a broker that a test kills is no news
_POLL_S: Final = 0.2
_COMING_UP: Final = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)
"""What a broker says of its own topics in its first moments."""

Headers = Sequence[tuple[str, bytes | None]]


class Record(NamedTuple):
    """One record to write."""

    value: bytes | None
    key: bytes | None = None
    partition: int = 0
    time_ms: int = 0
    """0: now."""
    headers: Headers | None = None


def make_topic(bootstrap: str, topic: str, partitions: int, **config: str) -> None:
    """Make a topic; ``max_message_bytes="2000000"`` stands for ``max.message.bytes``."""
    settings = {key.replace("_", "."): value for key, value in config.items()}
    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
    new = NewTopic(topic, partitions, config=settings)
    admin.create_topics([new])[topic].result(CALL_S)


def write(
    bootstrap: str, topic: str, records: Iterable[Record], codec: str = "none", **config: Any
) -> None:
    """Write records and wait for the broker's word that all of them are stored.

    Raises:
        AssertionError: one is not.
    """
    with writer(bootstrap, topic, codec, **config) as send:
        for record in records:
            send(record)


@contextmanager
def writer(
    bootstrap: str, topic: str, codec: str = "none", **config: Any
) -> Iterator[Callable[[Record], None]]:
    """Yields what sends one record; at the end all of them are stored."""
    failed: list[KafkaError] = []
    producer = Producer(_producing(bootstrap, codec) | config)

    def done(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error)

    def send(record: Record) -> None:
        produce(producer, topic, record, done)

    yield send
    left = producer.flush(PATIENCE_S)
    if left or failed:
        raise AssertionError(f"{left} records not sent, {len(failed)} refused: {failed[:3]}")


def produce(
    producer: Producer,
    topic: str,
    record: Record,
    done: Any = None,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Hand one record over, waiting while the producer's queue is full.

    Args:
        stopped: ends the wait; the record is not handed over then, and False comes back.
    """
    while not stopped():
        try:
            producer.produce(
                topic,
                record.value,
                record.key,
                record.partition,
                on_delivery=done,
                timestamp=record.time_ms,
                headers=[*(record.headers or ())],
            )
            return True
        except BufferError:
            producer.poll(_POLL_S)
    return False


def _producing(bootstrap: str, codec: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": bootstrap,
        "compression.type": codec,
        # A flush ends it: what is sent at once arrives at once, in one batch, though this process
        # stands still in between.
        "linger.ms": 60_000,
        "delivery.report.only.error": True,
        "message.max.bytes": 64 * 1024 * 1024,
        "queue.buffering.max.kbytes": 1024 * 1024,
        **QUIET,
    }


def read_messages(bootstrap: str, topic: str, *, committed: bool = True) -> Iterator[Any]:
    """Every record of a topic up to its end as it is now, each partition in offset order, as
    librdkafka's messages.

    Args:
        committed: false shows open and aborted transactions as well.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "tests",  # never joined: partitions are assigned by hand
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 50,
            **QUIET,
        }
    )
    try:
        known = _partitions(consumer, topic)
        consumer.assign([TopicPartition(topic, partition, 0) for partition in known])
        ended: set[int] = set()  # one that grows meanwhile reaches its end more than once
        while len(ended) < len(known):
            message: Any = consumer.poll(CALL_S)
            if message is None:
                raise AssertionError(f"{topic}: no answer for {CALL_S} s")
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                raise KafkaException(error)
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    found = consumer.list_topics(topic, CALL_S).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    if not found.partitions:
        raise AssertionError(f"{topic} has no partition")
    return sorted(found.partitions)


def read_input(bootstrap: str, topic: str) -> Iterator[InputRecord]:
    """The committed records of an input topic, each partition in offset order."""
    for m in read_messages(bootstrap, topic):
        yield InputRecord(m.partition(), m.offset(), m.key(), m.value(), m.timestamp()[1])


def read_output(bootstrap: str, topic: str, *, committed: bool = True) -> list[OutputRecord]:
    """The records of an output topic."""
    return [
        OutputRecord(
            m.partition(),
            m.offset(),
            m.key(),
            m.value(),
            m.timestamp()[1],
            tuple(m.headers() or ()),
        )
        for m in read_messages(bootstrap, topic, committed=committed)
    ]


def end_offsets(bootstrap: str, topic: str) -> dict[int, int]:
    """High watermarks by partition; waits for a broker that has just come back."""
    found: dict[int, int] = {}

    def ask() -> bool:
        try:
            found.update(_ends(bootstrap, topic))
        except KafkaException as error:
            if error.args[0].code() not in _COMING_UP:
                raise
        return bool(found)

    if not eventually(ask):
        raise AssertionError(f"{topic} has no leader")
    return found


def _ends(bootstrap: str, topic: str) -> dict[int, int]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "tests", **QUIET})
    try:
        return {
            partition: consumer.get_watermark_offsets(
                TopicPartition(topic, partition), CALL_S, cached=False
            )[1]
            for partition in _partitions(consumer, topic)
        }
    finally:
        consumer.close()


def topic_config(bootstrap: str, topic: str) -> Mapping[str, str]:
    """What the broker says of a topic."""
    from confluent_kafka.admin import ConfigResource, ResourceType

    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
    resource = ConfigResource(ResourceType.TOPIC, topic)
    entries = admin.describe_configs([resource])[resource].result(CALL_S)
    return {name: entry.value for name, entry in entries.items()}
