"""Reading a state partition to its end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from barengine.errors import KafkaUnavailableError
from barengine.kafka import state_reader
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.fetch import Fetch
from barengine.kafka.state_reader import read_state
from barengine.service import look as look_module
from barengine.service.look import Look
from tests.broker.records import Record, make_topic, write
from tests.processes import PATIENCE_S


def transactional(bootstrap: str, topic: str) -> AIOKafkaProducer:
    return AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic)


async def test_an_empty_partition(bootstrap: str, topic_name: str) -> None:
    """Nothing is read from nothing, without waiting for it."""
    make_topic(bootstrap, topic_name, 2, cleanup_policy="compact")
    write(bootstrap, topic_name, [Record(b"v", b"k", partition=1)])
    assert await read_state(ConnectionConfig(bootstrap), topic_name, 0) == []


async def test_committed_records_in_order(bootstrap: str, topic_name: str) -> None:
    """Every committed record and tombstone comes in log order; aborted ones and markers do not."""
    make_topic(bootstrap, topic_name, 1, cleanup_policy="compact")
    async with transactional(bootstrap, topic_name) as producer:
        for number in range(3):
            async with producer.transaction():
                await producer.send(topic_name, b"%d" % number, b"a", partition=0)
                await producer.send(topic_name, None, b"b", partition=0)
            await producer.begin_transaction()
            await producer.send_and_wait(topic_name, b"aborted", b"a", partition=0)
            await producer.abort_transaction()
    found = await read_state(ConnectionConfig(bootstrap), topic_name, 0)
    assert found == [
        (b"a", b"0"),
        (b"b", None),
        (b"a", b"1"),
        (b"b", None),
        (b"a", b"2"),
        (b"b", None),
    ]


async def test_a_large_state(bootstrap: str, topic_name: str) -> None:
    """So large that it stays in the answers that brought it."""
    make_topic(bootstrap, topic_name, 1, cleanup_policy="compact")
    every = [(b"%d" % number, random.Random(number).randbytes(1000)) for number in range(3000)]
    write(bootstrap, topic_name, [Record(value, key) for key, value in every], "lz4")
    assert await read_state(ConnectionConfig(bootstrap), topic_name, 0) == every


async def test_from_an_offset_on(bootstrap: str, topic_name: str) -> None:
    """Reading may begin anywhere in the log, inside a batch too, or at its end."""
    make_topic(bootstrap, topic_name, 1, cleanup_policy="compact")
    every = [(b"%d" % number, b"v%d" % number) for number in range(5000)]
    write(bootstrap, topic_name, [Record(value, key) for key, value in every], "zstd")
    connection = ConnectionConfig(bootstrap)
    for first in (0, 4321, 5000, 9999):
        assert await read_state(connection, topic_name, 0, first=first) == every[first:]


async def test_an_open_transaction_is_waited_for(bootstrap: str, topic_name: str) -> None:
    """Reading ends at the high watermark, not at the last stable offset below it."""
    make_topic(bootstrap, topic_name, 1, cleanup_policy="compact")
    async with transactional(bootstrap, topic_name) as producer:
        async with producer.transaction():
            await producer.send(topic_name, b"1", b"a", partition=0)
        await producer.begin_transaction()
        await producer.send_and_wait(topic_name, b"2", b"a", partition=0)
        reading = asyncio.create_task(read_state(ConnectionConfig(bootstrap), topic_name, 0))
        done, _ = await asyncio.wait([reading], timeout=1.0)
        assert not done
        await producer.commit_transaction()
        assert await reading == [(b"a", b"1"), (b"a", b"2")]


async def test_what_cannot_be_read_in_time_is_an_error(bootstrap: str, topic_name: str) -> None:
    """Half of the state is never taken for all of it."""
    make_topic(bootstrap, topic_name, 1, cleanup_policy="compact")
    async with transactional(bootstrap, topic_name) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic_name, b"2", b"a", partition=0)
        with pytest.raises(KafkaUnavailableError, match=f"reading all of {topic_name}-0"):
            await read_state(ConnectionConfig(bootstrap), topic_name, 0, timeout_s=1.0)
        await producer.abort_transaction()


async def test_no_broker(topic_name: str) -> None:
    """Without a broker the error says so, and nothing stays open."""
    with pytest.raises(KafkaUnavailableError):
        await read_state(ConnectionConfig("127.0.0.1:1"), topic_name, 0)


async def test_reading_that_goes_on_has_no_end(
    bootstrap: str, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state that takes longer than the time-out is read whole, as long as more of it comes."""
    make_topic(bootstrap, topic_name, 1, cleanup_policy="compact")
    every = [(b"%d" % number, b"v") for number in range(40)]
    for key, value in every:
        write(bootstrap, topic_name, [Record(value, key)])
    # by a clock that is put forward: a real one would go on though this process stands still
    loop, pieces = asyncio.get_running_loop(), state_reader._pieces
    clock, taken_s = loop.time, [0.0]

    def slow(fetch: Fetch) -> Iterator[list[Any]]:
        taken_s[0] += 5.0
        return pieces(fetch)

    monkeypatch.setattr(loop, "time", lambda: clock() + taken_s[0])
    monkeypatch.setattr(state_reader, "_FETCH_BYTES", 100)  # a batch each time
    monkeypatch.setattr(state_reader, "_pieces", slow)
    connection = ConnectionConfig(bootstrap)
    assert await read_state(connection, topic_name, 0, timeout_s=PATIENCE_S) == every
    assert taken_s[0] > PATIENCE_S


async def test_one_client_looks_at_all_partitions(
    bootstrap: str, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Partitions that come back together are looked at together; one whose end is held back by an
    open transaction costs the others nothing; it is waited for, but not for ever."""
    clients = 0

    def counted(**how: Any) -> Any:
        nonlocal clients
        clients += 1
        return AIOKafkaConsumer(**how)

    monkeypatch.setattr(state_reader, "AIOKafkaConsumer", counted)
    make_topic(bootstrap, topic_name, 3, cleanup_policy="compact")
    for partition in range(3):
        for number in range(5):
            write(bootstrap, topic_name, [Record(b"%d" % number, b"k", partition)])
    connection = ConnectionConfig(bootstrap)
    async with transactional(bootstrap, topic_name) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic_name, b"open", b"k", partition=1)
        with pytest.raises(KafkaUnavailableError):
            await Look(connection, topic_name).records(1, 4)

        monkeypatch.setattr(look_module, "UNMOVED_S", PATIENCE_S)
        look, clients = Look(connection, topic_name), 0
        held = asyncio.create_task(look.records(1, 4))
        others = await asyncio.gather(look.records(0, 4), look.records(2, 4))
        assert [*others] == [[(b"k", b"4")], [(b"k", b"4")]]
        assert not held.done()
        await producer.abort_transaction()
        assert await held == [(b"k", b"4")]
    assert clients == 1
