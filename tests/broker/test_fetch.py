"""Whole record batches by way of the fetch hook, from a real broker."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiokafka
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer import fetcher as fetcher_module
from aiokafka.consumer.fetcher import Fetcher

from barengine.kafka.compression import CODECS
from barengine.kafka.fetch import FetchHook, check_internals
from tests.broker.members import reader
from tests.broker.records import Record, make_topic, read_output, write

VALUES = [b"value %d" % number for number in range(1000)]
NOISE = [random.Random(seed).randbytes(50_000) for seed in range(8)]


def expected(values: list[bytes], first: int = 0) -> list[tuple[int, int, bytes]]:
    return [(0, offset, value) for offset, value in enumerate(values, start=first)]


@pytest.mark.parametrize("codec", CODECS)
async def test_every_codec_of_librdkafka(bootstrap: str, topic_name: str, codec: str) -> None:
    """What librdkafka writes with any codec is read with its offsets and bytes."""
    make_topic(bootstrap, topic_name, 1)
    write(bootstrap, topic_name, map(Record, VALUES), codec)
    async with reader(bootstrap, topic_name) as one:
        assert await one.read(len(VALUES)) == expected(VALUES)


@pytest.mark.parametrize("codec", [None, *CODECS[1:]])
async def test_every_codec_of_aiokafka(bootstrap: str, topic_name: str, codec: str | None) -> None:
    """And so is what another client frames in its own way (snappy differs)."""
    make_topic(bootstrap, topic_name, 1)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type=codec) as producer:
        for value in VALUES:
            await producer.send(topic_name, value, partition=0)
    async with reader(bootstrap, topic_name) as one:
        assert await one.read(len(VALUES)) == expected(VALUES)


async def test_transactions_that_interleave(bootstrap: str, topic_name: str) -> None:
    """Records of aborted transactions and markers are left out, at the offsets librdkafka sees.

    A   begin a0     a1   abort   begin a2        commit
    B         begin b0  b1             b2 commit
    """
    make_topic(bootstrap, topic_name, 1)

    def producer(name: str) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=bootstrap, transactional_id=f"{topic_name}-{name}"
        )

    async with producer("a") as a, producer("b") as b:
        await a.begin_transaction()
        await a.send_and_wait(topic_name, b"a0", partition=0)
        await b.begin_transaction()
        for who, value in ((b, b"b0"), (a, b"a1"), (b, b"b1")):
            await who.send_and_wait(topic_name, value, partition=0)
        await a.abort_transaction()
        await a.begin_transaction()
        await a.send_and_wait(topic_name, b"a2", partition=0)
        await b.send_and_wait(topic_name, b"b2", partition=0)
        await b.commit_transaction()
        await a.commit_transaction()
    write(bootstrap, topic_name, [Record(b"plain")])

    seen = [(one.partition, one.offset, one.value) for one in read_output(bootstrap, topic_name)]
    assert [value for *_, value in seen] == [b"b0", b"b1", b"a2", b"b2", b"plain"]
    async with reader(bootstrap, topic_name) as one:
        assert await one.read(len(seen)) == seen


async def test_an_open_transaction_holds_back_what_follows(bootstrap: str, topic_name: str) -> None:
    """Reading stops at the last stable offset and goes on when the transaction has ended."""
    make_topic(bootstrap, topic_name, 1)
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, transactional_id=topic_name
    ) as producer:
        write(bootstrap, topic_name, [Record(b"before")])
        await producer.begin_transaction()
        await producer.send_and_wait(topic_name, b"inside", partition=0)
        write(bootstrap, topic_name, [Record(b"behind")])
        async with reader(bootstrap, topic_name) as one:
            await one.until(lambda: one.source.at_end(0))
            assert one.records == [(0, 0, b"before")]
            assert one.source.end_offset(0) == 1
            await producer.commit_transaction()
            assert await one.read(3) == expected([b"before", b"inside", b"behind"])


async def test_markers_at_the_end_are_passed(bootstrap: str, topic_name: str) -> None:
    """Behind the last record a marker takes up an offset; the position goes behind it."""
    make_topic(bootstrap, topic_name, 1)
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, transactional_id=topic_name
    ) as producer:
        async with producer.transaction():
            await producer.send(topic_name, b"kept", partition=0)
        await producer.begin_transaction()
        await producer.send_and_wait(topic_name, b"aborted", partition=0)
        await producer.abort_transaction()
    async with reader(bootstrap, topic_name) as one:
        await one.until(lambda: one.source.at_end(0))
        assert one.records == [(0, 0, b"kept")]
        assert one.fetches[-1].next_offset == 4
        assert one.source.lag(0) == 0


async def test_a_seek_into_the_middle_of_a_batch(bootstrap: str, topic_name: str) -> None:
    """The batch comes whole, with its own base offset; the fetch says from where it counts."""
    make_topic(bootstrap, topic_name, 1)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        batch = producer.create_batch()
        for value in VALUES[:100]:
            batch.append(timestamp=None, key=None, value=value)
        await (await producer.send_batch(batch, topic_name, partition=0))
    async with reader(bootstrap, topic_name, offset=70) as one:
        assert await one.read(30) == expected(VALUES[70:100], first=70)
        [fetch] = one.fetches
        [(found, next_offset)] = fetch.batches()
        assert found is not None
        assert (fetch.offset, found.base_offset, found.records, next_offset) == (70, 0, 100, 100)


async def test_a_batch_larger_than_a_fetch(bootstrap: str, topic_name: str) -> None:
    """A single batch over the limit still comes, whole, and so does the next one."""
    make_topic(bootstrap, topic_name, 1)
    large = [b"x" * 300_000, b"y" * 300_000]
    for value in large:
        write(bootstrap, topic_name, [Record(value)])
    async with reader(bootstrap, topic_name, max_partition_fetch_bytes=10_000) as one:
        assert await one.read(2) == expected(large)


@pytest.mark.parametrize("codec", CODECS)
async def test_large_answers_are_not_copied(bootstrap: str, topic_name: str, codec: str) -> None:
    """What a partition has in one stays where it was received, and is read there."""
    make_topic(bootstrap, topic_name, 1)
    write(bootstrap, topic_name, map(Record, NOISE), codec)
    async with reader(bootstrap, topic_name) as one:
        assert await one.read(len(NOISE)) == expected(NOISE)
        assert {type(each.data) for each in one.fetches if len(each.data) > 100_000} == {memoryview}


async def test_fetches_follow_each_other(bootstrap: str, topic_name: str) -> None:
    """Each fetch begins where the one before it ended, and tells the end of the log."""
    make_topic(bootstrap, topic_name, 1)
    small: dict[str, Any] = {"batch.num.messages": 10}
    write(bootstrap, topic_name, map(Record, VALUES), **small)
    async with reader(bootstrap, topic_name, max_partition_fetch_bytes=2000) as one:
        assert await one.read(len(VALUES)) == expected(VALUES)
        starts = [fetch.offset for fetch in one.fetches]
        ends = [fetch.next_offset for fetch in one.fetches]
        assert len(starts) > 5
        assert starts == [0, *ends[:-1]]
        assert {fetch.end for fetch in one.fetches} == {len(VALUES)}
        assert [fetch.at_end for fetch in one.fetches] == [end == len(VALUES) for end in ends]


async def test_other_consumers_stay_as_they_were(bootstrap: str, topic_name: str) -> None:
    """A plain consumer in the same process gets plain records, before and after."""
    make_topic(bootstrap, topic_name, 1)
    write(bootstrap, topic_name, map(Record, VALUES[:10]), "zstd")
    plain = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    plain.assign([TopicPartition(topic_name, 0)])
    async with reader(bootstrap, topic_name) as one, plain:
        await one.read(10)
        records = [await plain.getone() for _ in range(10)]
    assert [(record.offset, record.value) for record in records] == list(enumerate(VALUES[:10]))
    assert fetcher_module.FetchResult.__module__ == fetcher_module.__name__


@pytest.fixture
async def consumer(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as one:
        await asyncio.sleep(0)  # aiokafka cannot stop what has not begun to run
        yield one


async def test_another_aiokafka_is_refused(
    consumer: AIOKafkaConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hook knows one release series, and says so before it touches anything."""
    monkeypatch.setattr(aiokafka, "__version__", "0.15.0")
    with pytest.raises(RuntimeError, match=r"aiokafka is 0\.15\.0"):
        FetchHook(consumer)
    assert "fetched_records" not in vars(consumer._fetcher)


async def _moved(self: Any, _assignment: Any, _node_id: int, request: Any) -> bool:
    return bool(await self._client.send(request))


def _closure() -> Any:
    outer = 1

    async def fetched_records(self: Any) -> int:
        return outer

    return fetched_records


@pytest.mark.parametrize(
    ("name", "replacement", "complaint"),
    [
        ("_proc_fetch_request", _moved, "_proc_fetch_request without MemoryRecords"),
        ("_proc_fetch_request", _moved, "_proc_fetch_request without lso"),
        ("fetched_records", _moved, "fetched_records without FetchResult"),
        ("fetched_records", _closure(), "fetched_records is a closure"),
        ("_get_actions_per_node", None, "_get_actions_per_node without calculate_backoff"),
    ],
)
async def test_moved_internals_are_named(
    consumer: AIOKafkaConsumer,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    replacement: Any,
    complaint: str,
) -> None:
    """Where aiokafka's own functions change, the error says which name is missing where."""
    with monkeypatch.context() as patch:
        patch.setattr(Fetcher, name, replacement)
        with pytest.raises(RuntimeError, match=complaint):
            check_internals(consumer._fetcher)


def test_a_fetcher_without_its_attributes_is_refused() -> None:
    """So does the state that the hook reads and sets."""
    with pytest.raises(RuntimeError, match="without _prefetch_backoff"):
        check_internals(SimpleNamespace(_records={}))


@asynccontextmanager
async def caught_up(bootstrap: str, topic_name: str) -> AsyncIterator[Any]:
    """A reader that has read all of a new topic."""
    make_topic(bootstrap, topic_name, 1)
    write(bootstrap, topic_name, map(Record, VALUES))
    async with reader(bootstrap, topic_name) as one:
        await one.read(len(VALUES))
        yield one


async def test_the_next_request_is_under_way_before_anyone_keeps_the_loop(
    bootstrap: str, topic_name: str
) -> None:
    """Whoever has data and asks ahead finds that aiokafka has asked for what follows."""
    async with caught_up(bootstrap, topic_name) as one:
        hook: Any = one.source._hook
        write(bootstrap, topic_name, map(Record, VALUES))
        while not await one.source.poll(5):
            pass
        await one.source.ask_ahead()
        assert hook._under_way == 1


async def test_nobody_waits_for_a_request_that_is_not_to_come(
    bootstrap: str, topic_name: str
) -> None:
    """Where every partition is paused and nothing waits to be read, none follows."""
    async with caught_up(bootstrap, topic_name) as one:
        hook: Any = one.source._hook
        assert hook._wants_more()
        one.source.pause(0)
        assert not hook._wants_more()
        one.source.resume(0)
        assert hook._wants_more()
