"""The source: a member of a group, its partitions, positions and offsets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from barengine.errors import (
    KafkaUnavailableError,
    OffsetOutOfRangeError,
    StateError,
    TaskMovedError,
)
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.source import Source
from tests.broker.members import Member, member, reader
from tests.broker.records import Record, make_topic, write
from tests.processes import PATIENCE_S

VALUES = [b"value %d" % number for number in range(1000)]
NAMES = Callable[[str], str]


def fill(bootstrap: str, topic: str, partitions: int = 1, values: list[bytes] = VALUES) -> None:
    make_topic(bootstrap, topic, partitions)
    for partition in range(partitions):
        write(bootstrap, topic, (Record(value, partition=partition) for value in values))


async def test_a_new_partition_waits_to_be_placed(bootstrap: str, topic_name: str) -> None:
    """Nothing is fetched before seek and resume, whatever the group has committed or not."""
    fill(bootstrap, topic_name, 2)
    async with member(bootstrap, topic_name, topic_name) as one:
        await one.until_assigned(0, 1)
        for _ in range(5):
            assert await one.poll() == []
        assert one.source.lag(0) is None
        assert one.source.end_offset(0) is None
        one.go(1, offset=990)
        assert await one.read(10) == [(1, 990 + n, VALUES[990 + n]) for n in range(10)]
        assert one.source.assigned == {0, 1}
        assert one.source.generation == 1


async def test_resume_before_seek_is_a_mistake(bootstrap: str, topic_name: str) -> None:
    """A partition that was not placed would be read from a meaningless position."""
    fill(bootstrap, topic_name)
    async with member(bootstrap, topic_name, topic_name) as one:
        await one.until_assigned(0)
        with pytest.raises(RuntimeError, match="seek"):
            one.source.resume(0)


async def test_a_partition_that_is_not_ours(bootstrap: str, topic_name: str) -> None:
    """Placing it fails as a task that has moved; pausing it is nothing to do."""
    fill(bootstrap, topic_name)
    async with member(bootstrap, topic_name, topic_name) as one:
        await one.until_assigned(0)
        with pytest.raises(TaskMovedError):
            one.source.seek(5, 0)
        with pytest.raises(TaskMovedError):
            one.source.resume(5)
        one.source.pause(5)
        assert one.source.lag(5) is None


async def test_pauses_lose_and_double_nothing(bootstrap: str, topic_name: str) -> None:
    """However often a partition is paused and resumed, each record comes once, in order."""
    fill(bootstrap, topic_name, 2)
    async with reader(bootstrap, topic_name, max_partition_fetch_bytes=1000) as one:
        while len(one.records) < 2 * len(VALUES):
            for fetch in await one.poll():
                one.source.pause(fetch.partition)
                one.source.pause(fetch.partition)
                one.source.resume(1 - fetch.partition)
            if not await one.poll():
                one.source.resume(0)
                one.source.resume(1)
        for partition in (0, 1):
            assert [value for where, _, value in one.records if where == partition] == VALUES


async def test_a_paused_partition_brings_nothing(bootstrap: str, topic_name: str) -> None:
    """While one is paused the others go on."""
    fill(bootstrap, topic_name, 2)
    async with reader(bootstrap, topic_name) as one:
        await one.read(2 * len(VALUES))
        one.source.pause(0)
        for partition in (0, 1):
            write(bootstrap, topic_name, [Record(b"new", partition=partition)])
        assert await one.read(2 * len(VALUES) + 1)
        assert one.fetches[-1].partition == 1
        one.source.resume(0)
        await one.read(2 * len(VALUES) + 2)
        assert one.records[-1] == (0, len(VALUES), b"new")


ROUNDS = 30
LONG_WAIT: dict[str, Any] = {"fetch_max_wait_ms": 5_000, "max_partition_fetch_bytes": 100}
"""As many waits as there are rounds would outlast any test's patience."""


async def test_idle_partitions_do_not_hold_up_a_busy_one(bootstrap: str, topic_name: str) -> None:
    """Each fetch asks for all partitions: the one just read never waits for the others."""
    make_topic(bootstrap, topic_name, 4)
    for number in range(ROUNDS):
        write(bootstrap, topic_name, [Record(b"%d" % number)])
    async with reader(bootstrap, topic_name, **LONG_WAIT) as one:
        assert len(await one.read(ROUNDS)) == ROUNDS
        assert len(one.fetches) == ROUNDS


async def test_a_resumed_partition_does_not_wait_for_idle_ones(
    bootstrap: str, topic_name: str
) -> None:
    """While a partition is paused the broker is not made to wait, so that it can join in soon."""
    make_topic(bootstrap, topic_name, 2)
    for number in range(ROUNDS):
        write(bootstrap, topic_name, [Record(b"%d" % number)])
    async with reader(bootstrap, topic_name, **LONG_WAIT) as one:
        async with asyncio.timeout(PATIENCE_S):
            for count in range(1, ROUNDS + 1):
                await one.read(count)
                one.source.pause(0)
                await asyncio.sleep(0.01)  # time for a request without it to go out
                one.source.resume(0)
        assert len(one.records) == ROUNDS


async def test_a_seek_outdates_what_came_before(bootstrap: str, topic_name: str) -> None:
    """Fetches from before a seek can be told from those after it, and reading goes on there."""
    fill(bootstrap, topic_name)
    async with reader(bootstrap, topic_name) as one:
        await one.read(len(VALUES))
        old = one.fetches[-1]
        assert one.source.is_current(old)
        one.source.seek(0, 500)
        assert not one.source.is_current(old)
        assert not one.source.at_end(0)
        one.fetches.clear()
        assert await one.read(500) == [(0, 500 + n, VALUES[500 + n]) for n in range(500)]
        assert one.source.is_current(one.fetches[-1])


async def test_an_offset_outside_of_the_log(bootstrap: str, topic_name: str) -> None:
    """The error names partition and offset; that partition is paused, and the others go on."""
    fill(bootstrap, topic_name, 2)
    async with member(bootstrap, topic_name, topic_name) as one:
        await one.until_assigned(0, 1)
        one.go(0, offset=5_000)
        with pytest.raises(OffsetOutOfRangeError, match=f"{topic_name}-0 has no offset 5000") as it:
            await one.until(lambda: False)
        assert isinstance(it.value, StateError)
        assert (it.value.partition, it.value.offset) == (0, 5_000)
        one.go(1)
        await one.read(len(VALUES))
        one.go(0)
        await one.read(2 * len(VALUES))


async def test_poll_waits_for_data_and_not_longer(bootstrap: str, topic_name: str) -> None:
    """Without data a poll ends by itself, also while there is no assignment yet."""
    make_topic(bootstrap, topic_name, 1)
    async with member(bootstrap, topic_name, topic_name) as one:
        assert await one.source.poll(0.01) == []
        await one.until_assigned(0)
        one.go()
        assert await one.source.poll(0.01) == []
        task = asyncio.create_task(one.source.poll(60.0))
        await asyncio.to_thread(write, bootstrap, topic_name, [Record(b"late")])
        [fetch] = await task
        assert fetch.next_offset == 1


async def test_a_second_member_takes_its_share(bootstrap: str, topic_name: str) -> None:
    """A rebalance revokes everything, assigns each partition once, and counts up."""
    fill(bootstrap, topic_name, 4)
    async with member(bootstrap, topic_name, topic_name) as one:
        await one.until_assigned(0, 1, 2, 3)
        old = one.source.generation
        async with member(bootstrap, topic_name, topic_name) as two:
            await asyncio.gather(
                one.until(lambda: len(one.assigned) > 1), two.until(lambda: bool(two.assigned))
            )
            assert one.revoked == [{0, 1, 2, 3}]
            assert two.revoked == []
            assert len(one.assigned[-1]) == len(two.assigned[-1]) == 2
            assert one.assigned[-1] | two.assigned[-1] == {0, 1, 2, 3}
            assert one.source.generation == old + 1
        await one.until_assigned(0, 1, 2, 3)


async def test_what_was_fetched_before_a_rebalance_is_outdated(
    bootstrap: str, topic_name: str
) -> None:
    """A fetch of an older assignment is not current, even of a partition that came back."""
    fill(bootstrap, topic_name, 2)
    async with reader(bootstrap, topic_name) as one:
        await one.read(2 * len(VALUES))
        async with member(bootstrap, topic_name, f"group-of-{topic_name}") as two:
            await asyncio.gather(
                one.until(lambda: len(one.assigned) > 1), two.until(lambda: bool(two.assigned))
            )
        await one.until_assigned(0, 1)
        assert not any(one.source.is_current(fetch) for fetch in one.fetches)
        for _ in range(3):
            assert await one.poll() == []  # paused again, as after any assignment


async def test_partitions_stay_where_they_are(bootstrap: str, topic_name: str) -> None:
    """When a member goes, the others keep all that they have; when one comes, it only takes."""
    make_topic(bootstrap, topic_name, 12)
    members: list[Member] = []
    async with AsyncExitStack() as stack:

        async def settled() -> None:
            def done() -> bool:
                parts = [part for one in members for part in one.source.assigned]
                sizes = [len(one.source.assigned) for one in members]
                return sorted(parts) == list(range(12)) and max(sizes) - min(sizes) <= 1

            await asyncio.gather(*(one.until(done) for one in members))

        for _ in range(3):
            members.append(
                await stack.enter_async_context(member(bootstrap, topic_name, topic_name))
            )
            await settled()
        before = [set(one.source.assigned) for one in members[:2]]
        await members.pop().source.stop()
        await settled()
        for one, had in zip(members, before, strict=True):
            assert had <= one.source.assigned
        before = [set(one.source.assigned) for one in members]
        members.append(await stack.enter_async_context(member(bootstrap, topic_name, topic_name)))
        await settled()
        for one, had in zip(members[:2], before, strict=True):
            assert one.source.assigned <= had


async def poll_for_ever(source: Source) -> None:
    async with asyncio.timeout(60):
        while True:
            await source.poll(0.1)


async def test_what_a_callback_raises_comes_out_of_poll(bootstrap: str, topic_name: str) -> None:
    """aiokafka would only log it."""
    make_topic(bootstrap, topic_name, 1)

    def fail(partitions: set[int]) -> None:
        raise StateError(f"no room for {partitions}")

    async def nothing(partitions: set[int]) -> None:
        assert partitions

    source = Source(
        ConnectionConfig(bootstrap), topic_name, topic_name, on_assigned=fail, on_revoked=nothing
    )
    await source.start()
    try:
        with pytest.raises(StateError, match="no room"):
            await poll_for_ever(source)
    finally:
        await source.stop()


async def test_heartbeats_are_counted(bootstrap: str, topic_name: str) -> None:
    """A member that the group knows hears so again and again."""
    make_topic(bootstrap, topic_name, 1)
    async with member(bootstrap, topic_name, topic_name, session_timeout_ms=1000) as one:
        await one.until_assigned(0)
        await one.until(lambda: one.source.heartbeats >= 3)


async def test_a_heartbeat_that_asks_to_join_again_does_not_count(
    bootstrap: str, topic_name: str
) -> None:
    """The group knows the member, but its partitions may belong to another one already."""
    make_topic(bootstrap, topic_name, 2)
    async with member(bootstrap, topic_name, topic_name, session_timeout_ms=1000) as one:
        await one.until_assigned(0, 1)
        during: list[int] = []
        revoking = one.source._listener._revoked

        async def slowly(partitions: set[int]) -> None:
            before = one.source.heartbeats
            await asyncio.sleep(1.5)  # several heartbeats, all of them answered
            during.append(one.source.heartbeats - before)
            await revoking(partitions)

        one.source._listener._revoked = slowly
        async with member(bootstrap, topic_name, topic_name, session_timeout_ms=1000) as two:
            await asyncio.gather(
                one.until(lambda: len(one.assigned) > 1), two.until(lambda: bool(two.assigned))
            )
        assert during[0] == 0


async def test_offsets_of_a_partition(bootstrap: str, topic_name: str) -> None:
    """Log start, last stable offset and high watermark differ while a transaction is open."""
    make_topic(bootstrap, topic_name, 2)
    write(bootstrap, topic_name, map(Record, VALUES[:5]))
    async with (
        member(bootstrap, topic_name, topic_name) as one,
        AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic_name) as producer,
    ):
        await one.until_assigned(0, 1)
        assert await one.source.offsets(0) == (0, 5, 5)
        assert await one.source.offsets(1) == (0, 0, 0)
        await producer.begin_transaction()
        await producer.send_and_wait(topic_name, b"open", partition=0)
        assert await one.source.offsets(0) == (0, 5, 6)
        await producer.commit_transaction()
        async with asyncio.timeout(60):  # the marker is written after the commit is answered
            while await one.source.offsets(0) != (0, 7, 7):
                await one.poll()


async def test_group_offsets_carry_metadata(bootstrap: str, topic_name: str) -> None:
    """What is committed is there for the next member, tag and all; nothing before that."""
    make_topic(bootstrap, topic_name, 2)
    async with member(bootstrap, topic_name, topic_name) as one:
        await one.until_assigned(0, 1)
        assert await one.source.committed(0) is None
        assert await one.source.commit_group_offset({0: (12, "tag"), 1: (3, "")})
        assert await one.source.committed(0) == (12, "tag")
        assert await one.source.commit_group_offset({})
    async with member(bootstrap, topic_name, topic_name) as two:
        await two.until_assigned(0, 1)
        assert await two.source.committed(0) == (12, "tag")
        assert await two.source.committed(1) == (3, "")


async def test_group_offsets_of_a_partition_that_is_gone(bootstrap: str, topic_name: str) -> None:
    """Committing for one that is not ours is not done, and is no error."""
    make_topic(bootstrap, topic_name, 1)
    async with member(bootstrap, topic_name, topic_name) as one:
        await one.until_assigned(0)
        assert not await one.source.commit_group_offset({7: (1, "")})


async def test_a_static_member_comes_back_to_its_partitions(
    bootstrap: str, topic_name: str
) -> None:
    """With an instance id a short absence is no rebalance for the others."""
    make_topic(bootstrap, topic_name, 2)
    async with member(bootstrap, topic_name, topic_name, group_instance_id="a") as other:
        await other.until_assigned(0, 1)
        options = {"group_instance_id": "b"}
        async with member(bootstrap, topic_name, topic_name, **options) as one:
            await asyncio.gather(
                other.until(lambda: len(other.assigned) > 1), one.until(lambda: bool(one.assigned))
            )
            mine = one.assigned[-1]
        count = len(other.assigned)
        async with member(bootstrap, topic_name, topic_name, **options) as again:
            await again.until_assigned(*mine)
            for _ in range(5):
                await other.poll()
            assert len(other.assigned) == count


async def test_a_broker_that_is_not_there(topic_name: str) -> None:
    """Starting without a broker fails as unavailable, and leaves nothing open."""
    one = Member("127.0.0.1:1", topic_name, topic_name)
    with pytest.raises(KafkaUnavailableError, match=f"connecting to read {topic_name}"):
        await one.source.start()
    assert one.source.assigned == set()
    await one.source.stop()


async def test_stopping_twice(bootstrap: str, topic_name: str) -> None:
    """A source that is stopped can be stopped; it cannot be polled."""
    make_topic(bootstrap, topic_name, 1)
    async with member(bootstrap, topic_name, topic_name) as one:
        await one.until_assigned(0)
        await one.source.stop()
        with pytest.raises(RuntimeError, match="not started"):
            await one.source.poll(0.1)
