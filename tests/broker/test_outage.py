"""A broker that goes away, and one that compacts: brokers of these tests' own."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from barengine.errors import KafkaUnavailableError, TransactionTimeoutError
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.local import LocalKafka
from barengine.kafka.output import OutRecord, build_records
from barengine.kafka.sink import OutBatch, TransactionalSink
from barengine.kafka.state_reader import read_state
from tests.broker.members import Member, reader
from tests.broker.records import Record, make_topic, read_output, write
from tests.processes import PATIENCE_S, eventually

EAGER_CLEANER = {"log.cleaner.backoff.ms": "100"}


@pytest.fixture
def own_broker() -> Iterator[LocalKafka]:
    """A broker that the test may stop."""
    with LocalKafka() as broker:
        yield broker


def out(topic: str, value: bytes) -> list[OutBatch]:
    [records] = build_records([OutRecord(None, value, (), 0)], 1000)
    return [OutBatch(topic, 0, records)]


async def poll(one: Member) -> None:
    """Poll through the errors of an outage."""
    try:
        await one.poll()
    except KafkaUnavailableError:
        await asyncio.sleep(0.1)


async def polled_until(one: Member, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await poll(one)


async def test_no_silence_while_the_broker_is_away(own_broker: LocalKafka, topic_name: str) -> None:
    """Without answers the clock stands; it goes on after the broker's return, without the gap."""
    make_topic(own_broker.bootstrap, topic_name, 1)
    async with reader(own_broker.bootstrap, topic_name, fetch_max_wait_ms=50) as one:
        await polled_until(one, lambda: one.source.observed_ns(0) > 0)
        await asyncio.to_thread(own_broker.kill)
        await asyncio.to_thread(own_broker.wait, PATIENCE_S)
        await poll(one)
        stands = one.source.observed_ns(0)
        away = asyncio.get_running_loop().time()
        for _ in range(20):
            await poll(one)
        assert one.source.observed_ns(0) == stands
        await asyncio.to_thread(own_broker.start)
        generation = one.source.generation
        await polled_until(
            one,
            lambda: one.source.observed_ns(0) > stands or one.source.generation > generation,
        )
        away = asyncio.get_running_loop().time() - away
        assert one.source.observed_ns(0) - stands < away * 1e9 / 2


async def test_a_sink_without_its_broker(own_broker: LocalKafka, topic_name: str) -> None:
    """A commit gives up in bounded time, discarding hangs at nothing, and nothing is committed."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, found: complaints.append(found))
    make_topic(own_broker.bootstrap, topic_name, 1, retention_ms="-1")
    connection = ConnectionConfig(own_broker.bootstrap)
    one = TransactionalSink(connection, topic_name, "none", transaction_timeout_ms=3000)
    await one.fence()
    await one.commit(out(topic_name, b"before"))
    await asyncio.to_thread(own_broker.kill)
    with pytest.raises(KafkaUnavailableError, match=f"the transaction of {topic_name}"):
        await one.commit(out(topic_name, b"during"))
    async with asyncio.timeout(PATIENCE_S):
        await one.discard()
    await asyncio.to_thread(own_broker.start)
    two = TransactionalSink(connection, topic_name, "none")
    async with asyncio.timeout(PATIENCE_S):
        await fenced(two)
    await two.commit(out(topic_name, b"behind"))
    await two.close()
    found = [record.value for record in read_output(own_broker.bootstrap, topic_name)]
    assert found == [b"before", b"behind"]
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def test_a_line_that_takes_no_second_batch(own_broker: LocalKafka, topic_name: str) -> None:
    """A batch that waits too long for the one before it is a transaction not done in its time: the
    next one shall be smaller."""
    make_topic(own_broker.bootstrap, topic_name, 1, retention_ms="-1")
    one = TransactionalSink(ConnectionConfig(own_broker.bootstrap), topic_name, "none")
    await one.fence()
    await one.commit(out(topic_name, b"before"))
    await asyncio.to_thread(own_broker.kill)
    one._producer._request_timeout_ms = 500  # how long a batch waits for the one before it
    with pytest.raises(TransactionTimeoutError, match=topic_name):
        await one.commit([*out(topic_name, b"first"), *out(topic_name, b"second")])
    await one.discard()


async def fenced(sink: TransactionalSink) -> None:
    while True:
        try:
            return await sink.fence()
        except KafkaUnavailableError:
            await asyncio.sleep(0.2)


async def test_stopping_a_source_without_its_broker(
    own_broker: LocalKafka, topic_name: str
) -> None:
    """A source whose broker is gone can be stopped in bounded time."""
    make_topic(own_broker.bootstrap, topic_name, 1)
    async with reader(own_broker.bootstrap, topic_name) as one:
        await one.until(lambda: one.source.at_end(0))
        await asyncio.to_thread(own_broker.kill)
        async with asyncio.timeout(PATIENCE_S):
            await one.source.stop()


@pytest.fixture(scope="module")
def compacting() -> Iterator[LocalKafka]:
    """A broker that compacts as soon as it may."""
    with LocalKafka(config=EAGER_CLEANER) as broker:
        yield broker


def make_compacted(broker: LocalKafka, topic: str) -> None:
    make_topic(
        broker.bootstrap,
        topic,
        1,
        cleanup_policy="compact",
        segment_ms="200",
        min_cleanable_dirty_ratio="0.001",
        delete_retention_ms="1",
    )


def compacted_to(broker: LocalKafka, topic: str, values: list[bytes]) -> None:
    """Wait until compaction has left these values, apart from the last one.

    Segments are compacted only when a newer one has begun, so something must be written.
    """

    def done() -> bool:
        write(broker.bootstrap, topic, [Record(b"last", b"last")])
        left = [one.value for one in read_output(broker.bootstrap, topic)]
        return [value for value in left if value != b"last"] == values

    assert eventually(done)


async def test_gaps_that_compaction_leaves(compacting: LocalKafka, topic_name: str) -> None:
    """Records keep their offsets, positions pass the gaps, and the state is read whole."""
    make_compacted(compacting, topic_name)
    for number in range(5):
        keys = (b"a", b"b") if number else (b"only once", b"b")
        write(compacting.bootstrap, topic_name, [Record(b"%d" % number, key) for key in keys])
    compacted_to(compacting, topic_name, [b"0", b"4", b"4"])
    # without those that compaction, which goes on, may take next
    seen = [
        (one.partition, one.offset, one.value)
        for one in read_output(compacting.bootstrap, topic_name)
        if one.value != b"last"
    ]
    async with reader(compacting.bootstrap, topic_name) as one:
        await one.until(lambda: one.source.at_end(0))
        assert [read for read in one.records if read[2] != b"last"] == seen
    state = await read_state(ConnectionConfig(compacting.bootstrap), topic_name, 0)
    assert dict(state) == {b"only once": b"0", b"a": b"4", b"b": b"4", b"last": b"last"}
