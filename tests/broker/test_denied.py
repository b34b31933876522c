"""A broker that asks who you are and what you may do."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterator

import pytest

from barengine.errors import ConfigurationError
from barengine.kafka.admin import TopicSpec, create, describe, wait_for_broker
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.local import LocalKafka
from barengine.kafka.local_net import pick_free_port
from barengine.kafka.output import OutRecord, build_records
from barengine.kafka.sink import OutBatch, TransactionalSink
from barengine.kafka.state_reader import read_state
from tests.broker.members import Member

LOGIN = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'username="admin" password="admin-secret" '
    'user_admin="admin-secret" user_nobody="nobody-secret";'
)
TOPIC = "ticks"


def config(plain: int, sasl: int, controller: int) -> dict[str, str]:
    """A second listener that asks for a password, beside the one that the broker itself uses."""
    at = "://127.0.0.1:"
    return {
        "listeners": f"PLAINTEXT{at}{plain},SASL{at}{sasl},CONTROLLER{at}{controller}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listener.security.protocol.map": (
            "PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"
        ),
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl.plain.sasl.jaas.config": LOGIN,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:admin;User:ANONYMOUS",  # the other two listeners know no names
    }


@pytest.fixture(scope="module")
def admin() -> Iterator[ConnectionConfig]:
    """Someone who may do everything on a broker where a topic is."""
    plain = pick_free_port()
    sasl = pick_free_port(plain)
    with LocalKafka(plain, config=config(plain, sasl, pick_free_port(plain, sasl))):
        connection = ConnectionConfig(
            f"127.0.0.1:{sasl}",
            security_protocol="SASL_PLAINTEXT",
            sasl_username="admin",
            sasl_password="admin-secret",
        )
        asyncio.run(create(connection, [TopicSpec(TOPIC, 1)]))
        yield connection


@pytest.fixture
def nobody(admin: ConnectionConfig) -> ConnectionConfig:
    """Someone who may log in, and that is all."""
    return dataclasses.replace(admin, sasl_username="nobody", sasl_password="nobody-secret")


async def fence(connection: ConnectionConfig) -> None:
    await TransactionalSink(connection, "id", "none").fence()


async def read(connection: ConnectionConfig) -> None:
    await read_state(connection, TOPIC, 0)


async def look(connection: ConnectionConfig) -> None:
    await describe(connection, [TOPIC])


async def make(connection: ConnectionConfig) -> None:
    await create(connection, [TopicSpec("another", 1)])


async def consume(connection: ConnectionConfig) -> None:
    one = Member(connection.bootstrap_servers, TOPIC, "group")
    one.source._connection = connection
    await one.source.start()
    try:
        await one.until(lambda: False)
    finally:
        await one.source.stop()


async def test_with_every_right(admin: ConnectionConfig) -> None:
    """User and password reach the broker: an administrator may write."""
    [records] = build_records([OutRecord(None, b"v", (), 0)], 1000)
    sink = TransactionalSink(admin, "id", "none")
    await sink.fence()
    await sink.commit([OutBatch(TOPIC, 0, records)])
    await sink.close()
    assert await read_state(admin, TOPIC, 0) == [(None, b"v")]


@pytest.mark.parametrize("doing", [fence, read, look, make, consume])
async def test_without_rights(
    nobody: ConnectionConfig, doing: Callable[[ConnectionConfig], Awaitable[None]]
) -> None:
    """A right that is missing is a matter of configuration: the error names what was denied."""
    with pytest.raises(ConfigurationError, match="the broker denies it"):
        async with asyncio.timeout(60):
            await doing(nobody)


async def test_a_wrong_password(admin: ConnectionConfig) -> None:
    """Waiting for the broker ends at once: it is there, and it says no."""
    wrong = dataclasses.replace(admin, sasl_password="wrong")
    with pytest.raises(ConfigurationError, match="BARENGINE_SASL_") as caught:
        await asyncio.wait_for(wait_for_broker(wrong, print), 60)
    assert "wrong" not in str(caught.value)


async def test_a_mechanism_that_the_broker_does_not_have(admin: ConnectionConfig) -> None:
    """So it does when the broker speaks of other mechanisms only."""
    other = dataclasses.replace(admin, sasl_mechanism="SCRAM-SHA-256")
    with pytest.raises(ConfigurationError, match="UnsupportedSaslMechanism"):
        await asyncio.wait_for(wait_for_broker(other, print), 60)
