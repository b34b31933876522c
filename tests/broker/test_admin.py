"""Topics: described, made, waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from barengine.errors import ConfigurationError, KafkaUnavailableError
from barengine.kafka.admin import TopicSpec, create, describe, wait_for_broker
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.local import LocalKafka
from barengine.kafka.local_net import pick_free_port
from tests.broker.records import make_topic, topic_config

NOWHERE = ConnectionConfig("127.0.0.1:1")


async def test_a_topic_as_it_is(bootstrap: str, topic_name: str) -> None:
    """Partitions, replicas and settings are told in Kafka's words, and which of them are the
    topic's own."""
    own = {
        "max.message.bytes": "123456",
        "cleanup.policy": "compact,delete",
        "retention.ms": "-1",
        "message.timestamp.after.max.ms": "7200000",
    }
    make_topic(bootstrap, topic_name, 3, **{k.replace(".", "_"): v for k, v in own.items()})
    found = await describe(ConnectionConfig(bootstrap), [topic_name])
    assert found.keys() == {topic_name}
    info = found[topic_name]
    assert (info.name, info.partitions, info.replication_factor) == (topic_name, 3, 1)
    assert {key: info.config[key] for key in info.own} == own
    assert info.config["segment.bytes"] == str(1024**3)
    assert (info.max_message_bytes, info.cleanup_policy) == (123456, "compact,delete")
    assert (info.retention_ms, info.timestamp_after_max_ms) == (-1, 7_200_000)


async def test_a_missing_topic_is_absent_and_stays_so(bootstrap: str, topic_name: str) -> None:
    """Asking for a topic does not make it."""
    for _ in range(2):
        assert await describe(ConnectionConfig(bootstrap), [topic_name]) == {}


async def test_describing_does_not_make_topics_where_brokers_do(topic_name: str) -> None:
    """Nor does it on a broker that makes whatever a client asks for."""
    with LocalKafka(config={"auto.create.topics.enable": "true"}) as broker:
        connection = ConnectionConfig(broker.bootstrap)
        for turn in range(3):
            assert await describe(connection, [topic_name]) == {}
            await create(connection, [TopicSpec(f"later-{turn}", 1)])  # is there after the first


async def test_several_topics(bootstrap: str, unique_name: Callable[[str], str]) -> None:
    """Topics are made together, each with its own settings, and are there at once."""
    names = [unique_name(f"topic{number}") for number in range(3)]
    connection = ConnectionConfig(bootstrap)
    await create(
        connection,
        [TopicSpec(name, 2, config={"retention.ms": str(n)}) for n, name in enumerate(names, 1)],
    )
    found = await describe(connection, names)
    assert {name: (one.partitions, one.retention_ms) for name, one in found.items()} == {
        name: (2, n) for n, name in enumerate(names, 1)
    }


async def test_numbers_left_to_the_broker(bootstrap: str, topic_name: str) -> None:
    """Partitions and replicas can be the broker's choice; settings that are not given as well."""
    await create(ConnectionConfig(bootstrap), [TopicSpec(topic_name, -1)])
    found = (await describe(ConnectionConfig(bootstrap), [topic_name]))[topic_name]
    assert found.partitions == 1
    assert found.cleanup_policy == topic_config(bootstrap, topic_name)["cleanup.policy"]


async def test_a_factor_of_one_s_own(bootstrap: str, topic_name: str) -> None:
    """A replication factor that is given is used."""
    await create(ConnectionConfig(bootstrap), [TopicSpec(topic_name, 2, replication_factor=1)])
    assert (await describe(ConnectionConfig(bootstrap), [topic_name]))[topic_name].partitions == 2


async def test_making_a_topic_twice(bootstrap: str, topic_name: str) -> None:
    """One that exists with enough partitions is as good as made."""
    connection = ConnectionConfig(bootstrap)
    await create(connection, [TopicSpec(topic_name, 4)])
    await create(connection, [TopicSpec(topic_name, 4)])
    await create(connection, [TopicSpec(topic_name, 2)])
    assert (await describe(connection, [topic_name]))[topic_name].partitions == 4


async def test_a_topic_with_too_few_partitions(bootstrap: str, topic_name: str) -> None:
    """One that exists with fewer partitions than needed must be changed by its owner."""
    connection = ConnectionConfig(bootstrap)
    await create(connection, [TopicSpec(topic_name, 2)])
    with pytest.raises(ConfigurationError, match=f"{topic_name} exists with 2 partitions, 4"):
        await create(connection, [TopicSpec(topic_name, 4)])


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (TopicSpec("no/name", 1), "no/name"),
        (TopicSpec("few-brokers", 1, replication_factor=9), "(?i)replication"),
        (TopicSpec("bad-config", 1, config={"cleanup.policy": "burn"}), "burn"),
    ],
)
async def test_what_the_broker_refuses(bootstrap: str, spec: TopicSpec, complaint: str) -> None:
    """The broker's own words say what is wrong with a topic."""
    with pytest.raises(ConfigurationError, match=complaint):
        await create(ConnectionConfig(bootstrap), [spec])


async def test_nothing_to_make() -> None:
    """No topics need no broker."""
    await create(NOWHERE, [])


async def test_no_broker() -> None:
    """Without a broker nothing can be told or made."""
    with pytest.raises(KafkaUnavailableError, match="describing topics"):
        await describe(NOWHERE, ["a"])
    with pytest.raises(KafkaUnavailableError, match="making topics"):
        await create(NOWHERE, [TopicSpec("a", 1)])


async def test_a_broker_that_is_there(bootstrap: str) -> None:
    """Nothing is told when there is nothing to wait for."""
    told: list[str] = []
    await wait_for_broker(ConnectionConfig(bootstrap), told.append)
    assert told == []


async def test_a_broker_that_comes_late() -> None:
    """Waiting tells once where and why, and ends when the broker answers."""
    port = pick_free_port()
    told: list[str] = []
    waiting = asyncio.create_task(
        wait_for_broker(ConnectionConfig(f"127.0.0.1:{port}"), told.append)
    )
    with await asyncio.to_thread(LocalKafka(port=port).start):
        await asyncio.wait_for(waiting, 60)
    assert len(told) == 1
    assert f"127.0.0.1:{port}" in told[0]


async def test_one_of_several_brokers_is_enough(bootstrap: str) -> None:
    """Addresses where nobody is do not matter while another one answers."""
    connection = ConnectionConfig(f"127.0.0.1:1,{bootstrap}")
    assert await describe(connection, []) == {}
