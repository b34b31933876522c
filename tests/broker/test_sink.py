"""The sink: fenced transactions of whole record batches."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.producer.sender import AddPartitionsToTxnHandler

from barengine.errors import KafkaUnavailableError, RefusedBatchError, TaskMovedError
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.compression import CODECS
from barengine.kafka.markers import Waits
from barengine.kafka.output import OutRecord, PrebuiltBatch, build_records
from barengine.kafka.sink import OutBatch, TransactionalSink
from tests.broker.records import make_topic, read_output
from tests.processes import PATIENCE_S


def out(topic: str, *values: bytes, partition: int = 0, max_bytes: int = 500_000) -> list[OutBatch]:
    """Batches for one partition that hold these values."""
    records = [
        OutRecord(b"key", value, [("n", b"%d" % place)], 1_700_000_000_000 + place)
        for place, value in enumerate(values)
    ]
    return [OutBatch(topic, partition, one) for one in build_records(records, max_bytes)]


def committed(bootstrap: str, topic: str) -> list[bytes | None]:
    """Values that librdkafka sees as committed."""
    return [one.value for one in read_output(bootstrap, topic)]


@asynccontextmanager
async def sink(bootstrap: str, name: str, codec: str = "lz4") -> AsyncIterator[TransactionalSink]:
    """A fenced sink, thrown away at the end if it is still there."""
    one = TransactionalSink(ConnectionConfig(bootstrap), name, codec)
    await one.fence()
    try:
        yield one
    finally:
        await one.discard()


def batch_of(batches: list[OutBatch]) -> PrebuiltBatch:
    """The only one of the batches, ready to be sent past the sink."""
    [one] = batches
    return PrebuiltBatch(one.records, "none")


@pytest.fixture(autouse=True)
async def complaints() -> AsyncIterator[list[dict[str, Any]]]:
    """No test leaves behind what asyncio complains of: errors nobody saw, tasks nobody ended."""
    found: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context))
    yield found
    for _ in range(3):
        gc.collect()
        await asyncio.sleep(0)
    assert found == []
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in others if "aiokafka" in repr(task)]


async def test_a_transaction_that_follows_another_asks_again_soon(
    bootstrap: str, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coordinator acknowledges a commit before its markers are written: of many commits in a
    row some come too soon, and aiokafka asks by our handler, which does not wait for 20 ms."""
    make_topic(bootstrap, topic_name, 1)
    asked = []

    def again(waits: Waits) -> float:
        asked.append(waits)
        return 0.001

    monkeypatch.setattr(Waits, "again", again)
    values = [b"%d" % number for number in range(100)]
    async with sink(bootstrap, topic_name) as one:
        for value in values:
            await one.commit(out(topic_name, value))
    assert asked
    assert committed(bootstrap, topic_name) == values


async def test_topics_are_known_before_the_first_commit(
    bootstrap: str, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bars wait for no question to the brokers that could have been asked before."""
    topics = [f"{topic_name}-{number}" for number in range(5)]
    for topic in topics:
        make_topic(bootstrap, topic, 1)
    one = TransactionalSink(ConnectionConfig(bootstrap), topic_name, "none", topics)
    await one.fence()
    client = one._producer.client
    async with asyncio.timeout(PATIENCE_S):
        await client._maybe_wait_metadata()
    known = client.cluster.partitions_for_topic
    assert [known(topic) for topic in topics] == [{0}] * 5
    monkeypatch.setattr(client, "force_metadata_update", None)
    await one.commit([batch for topic in topics for batch in out(topic, b"a bar")])
    await one.discard()
    assert [committed(bootstrap, topic) for topic in topics] == [[b"a bar"]] * 5


@pytest.mark.parametrize("codec", CODECS)
async def test_every_codec_is_read_by_librdkafka(
    bootstrap: str, topic_name: str, codec: str
) -> None:
    """What is committed under any codec has its keys, values, headers and times elsewhere."""
    make_topic(bootstrap, topic_name, 2, retention_ms="-1")
    values = [b"value %d" % number for number in range(2000)]
    async with sink(bootstrap, topic_name, codec) as one:
        await one.commit(out(topic_name, *values, partition=1))
        await one.close()
    found = read_output(bootstrap, topic_name)
    assert [record.value for record in found] == values
    assert {(record.partition, record.key) for record in found} == {(1, b"key")}
    assert found[7].headers == (("n", b"7"),)
    assert found[7].time_ms == 1_700_000_000_007


async def test_many_batches_in_many_transactions(bootstrap: str, topic_name: str) -> None:
    """Batches of a partition keep their order, within a transaction and from one to the next."""
    make_topic(bootstrap, topic_name, 1, retention_ms="-1")
    values = [b"%06d" % number for number in range(3000)]
    async with sink(bootstrap, topic_name) as one:
        for start in range(0, 3000, 1000):
            batches = out(topic_name, *values[start : start + 1000], max_bytes=5000)
            assert len(batches) > 3
            await one.commit(batches)
        await one.close()
    assert committed(bootstrap, topic_name) == values


async def test_a_large_transaction(bootstrap: str, topic_name: str) -> None:
    """Megabytes, compressed beside the event loop, arrive as they were."""
    make_topic(bootstrap, topic_name, 1, retention_ms="-1")
    values = [b"%06d" % number * 50 for number in range(15_000)]
    async with sink(bootstrap, topic_name, "zstd") as one:
        await one.commit(out(topic_name, *values))
    assert committed(bootstrap, topic_name) == values


async def test_nothing_is_committed_for_nothing(bootstrap: str, topic_name: str) -> None:
    """Without batches there is no transaction; the next one is as any other."""
    make_topic(bootstrap, topic_name, 1, retention_ms="-1")
    async with sink(bootstrap, topic_name) as one:
        await one.commit([])
        await one.commit(out(topic_name, b"a"))
        await one.commit([])
        await one.close()
    assert [(record.offset, record.value) for record in read_output(bootstrap, topic_name)] == [
        (0, b"a")
    ]


async def test_all_partitions_are_added_at_once(
    bootstrap: str, unique_name: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request adds every partition of a transaction, however many topics there are."""
    topics = [unique_name(f"topic{number}") for number in range(3)]
    for topic in topics:
        make_topic(bootstrap, topic, 1, retention_ms="-1")
    asked: list[int] = []
    create = AddPartitionsToTxnHandler.create_request

    def counted(self: Any) -> Any:
        asked.append(len(self._tps))
        return create(self)

    monkeypatch.setattr(AddPartitionsToTxnHandler, "create_request", counted)
    batches = [batch for topic in topics for batch in out(topic, b"x" * 900, b"y", max_bytes=1000)]
    async with sink(bootstrap, topics[0]) as one:
        await one.commit([*batches, *out(topics[0], b"z")])
    assert asked == [3]
    assert committed(bootstrap, topics[0]) == [b"x" * 900, b"y", b"z"]


async def test_the_first_of_two_owners_is_fenced(bootstrap: str, topic_name: str) -> None:
    """Who fences last owns the id: the other's next commit says that the task has moved."""
    make_topic(bootstrap, topic_name, 1, retention_ms="-1")
    async with sink(bootstrap, topic_name) as one:
        await one.commit(out(topic_name, b"by one"))
        async with sink(bootstrap, topic_name) as two:
            late = out(topic_name, b"too", b"late", b"now", max_bytes=10)
            assert len(late) == 3
            with pytest.raises(TaskMovedError, match=topic_name):
                await one.commit(late)
            await two.commit(out(topic_name, b"by two"))
    assert committed(bootstrap, topic_name) == [b"by one", b"by two"]


async def test_fencing_aborts_what_was_open(bootstrap: str, topic_name: str) -> None:
    """A transaction left open by the older owner is aborted before the newer one begins."""
    make_topic(bootstrap, topic_name, 1, retention_ms="-1")
    async with sink(bootstrap, topic_name) as one:
        await one._producer.begin_transaction()
        await (await one._send(topic_name, 0, batch_of(out(topic_name, b"open")))).future
        async with sink(bootstrap, topic_name) as two:
            await two.commit(out(topic_name, b"by two"))
            await two.close()
        assert committed(bootstrap, topic_name) == [b"by two"]


async def test_a_refused_batch_commits_nothing(
    bootstrap: str, unique_name: Callable[[str], str]
) -> None:
    """If the broker refuses one batch, none of its transaction is committed, anywhere."""
    small, too_small, other = unique_name("small"), unique_name("small"), unique_name("other")
    make_topic(bootstrap, small, 1, max_message_bytes="2000", retention_ms="-1")
    make_topic(bootstrap, too_small, 1, max_message_bytes="2000", retention_ms="-1")
    make_topic(bootstrap, other, 1, retention_ms="-1")
    large = b"x" * 5000
    async with sink(bootstrap, small, "none") as one:
        with pytest.raises(RefusedBatchError, match=f"{small} refuses a batch of") as caught:
            await one.commit(
                [
                    *out(other, b"good"),
                    *out(small, large),
                    *out(too_small, large),
                    *out(small, b"behind"),
                ]
            )
        assert caught.value.topic == small
        assert caught.value.size > len(large)
        with pytest.raises(KafkaUnavailableError, match="must be fenced"):
            await one.commit(out(other, b"not any more"))
    async with sink(bootstrap, small) as two:
        await two.commit(out(other, b"new") + out(small, b"new"))
    assert committed(bootstrap, other) == [b"new"]
    assert committed(bootstrap, small) == [b"new"]


async def test_times_that_the_broker_refuses(bootstrap: str, topic_name: str) -> None:
    """A record far ahead of the broker's clock would be refused again and again."""
    make_topic(bootstrap, topic_name, 1, message_timestamp_after_max_ms="1000")
    far = OutRecord(None, b"2099", (), 4_070_908_800_000)
    [records] = build_records([far], 1000)
    async with sink(bootstrap, topic_name) as one:
        with pytest.raises(RefusedBatchError, match="InvalidTimestamp"):
            await one.commit([OutBatch(topic_name, 0, records)])


async def test_a_record_without_a_key_for_a_compacted_topic(
    bootstrap: str, topic_name: str
) -> None:
    """It would be refused again and again, too, under a code that aiokafka does not know."""
    make_topic(bootstrap, topic_name, 1, cleanup_policy="compact")
    [records] = build_records([OutRecord(None, b"keyless", (), 1_700_000_000_000)], 1000)
    async with sink(bootstrap, topic_name) as one:
        with pytest.raises(RefusedBatchError, match=r"InvalidRecord.*cleanup\.policy=delete"):
            await one.commit([OutBatch(topic_name, 0, records)])
    assert committed(bootstrap, topic_name) == []


async def test_a_partition_that_is_not_there(bootstrap: str, topic_name: str) -> None:
    """It is named, and nothing is committed."""
    make_topic(bootstrap, topic_name, 1, retention_ms="-1")
    async with sink(bootstrap, topic_name) as one:
        with pytest.raises(KafkaUnavailableError, match=f"{topic_name} has no partition 3"):
            await one.commit([*out(topic_name, b"a"), *out(topic_name, b"b", partition=3)])
    assert committed(bootstrap, topic_name) == []


async def test_commit_before_fence(topic_name: str) -> None:
    """Whoever has not fenced owns nothing."""
    one = TransactionalSink(ConnectionConfig("127.0.0.1:1"), topic_name, "none")
    with pytest.raises(KafkaUnavailableError, match="must be fenced"):
        await one.commit(out(topic_name, b"a"))
    await one.discard()
    await one.close()


async def test_fence_without_a_broker(topic_name: str) -> None:
    """No connection is unavailable, and leaves nothing open."""
    one = TransactionalSink(ConnectionConfig("127.0.0.1:1"), topic_name, "none")
    with pytest.raises(KafkaUnavailableError, match=f"fencing as {topic_name}"):
        await one.fence()


@pytest.mark.parametrize("at", ["AddPartitionsToTxnRequest", "ProduceRequest", "EndTxnRequest"])
async def test_cancelled_amid_it_is_all_or_nothing(
    bootstrap: str, topic_name: str, at: str
) -> None:
    """A commit cut off at any of its requests leaves all of its records or none, and no trace."""
    make_topic(bootstrap, topic_name, 2, retention_ms="-1")
    async with sink(bootstrap, topic_name) as one:
        batches = [batch for n in (0, 1) for batch in out(topic_name, b"cut off", partition=n)]
        commit = asyncio.create_task(one.commit(batches))
        send = one._producer.client.send

        async def cancelling(node: int, request: Any, **options: Any) -> Any:
            if type(request).__name__ == at:
                commit.cancel()
            return await send(node, request, **options)

        one._producer.client.send = cancelling
        with pytest.raises(asyncio.CancelledError):
            await commit
    async with sink(bootstrap, topic_name) as last:
        await last.commit([batch for n in (0, 1) for batch in out(topic_name, b"n", partition=n)])
    found = read_output(bootstrap, topic_name)
    of = [[one.value for one in found if one.partition == number] for number in (0, 1)]
    assert of[0] == of[1]
    assert of[0] in ([[b"n"]] if at != "EndTxnRequest" else [[b"n"], [b"cut off", b"n"]])


async def test_discarding_amid_a_commit(bootstrap: str, topic_name: str) -> None:
    """A sink can be thrown away at any moment; what was open is not committed later on."""
    make_topic(bootstrap, topic_name, 1, retention_ms="-1")
    one = TransactionalSink(ConnectionConfig(bootstrap), topic_name, "none")
    await one.fence()
    producer = one._producer
    await producer.begin_transaction()
    await one._send(topic_name, 0, batch_of(out(topic_name, b"open")))
    await one.discard()
    await one.discard()
    assert producer._sender.sender_task.done()
    async with sink(bootstrap, topic_name) as two:
        await two.commit(out(topic_name, b"new"))
    assert committed(bootstrap, topic_name) == [b"new"]


async def test_repr_tells_whether_it_can_be_used(bootstrap: str, topic_name: str) -> None:
    """Logs show which id it is and whether it is fenced."""
    async with sink(bootstrap, topic_name) as one:
        assert repr(one) == f"<TransactionalSink {topic_name} usable>"
    assert "not usable" in repr(one)
