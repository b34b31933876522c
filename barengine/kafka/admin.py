"""Topics: what there is, and making what there is not. Waiting for a broker to be there."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import errors as kafka
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.protocol.metadata import MetadataRequest

from barengine.errors import BarengineError, ConfigurationError, KafkaUnavailableError
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.topic import BROKER_DEFAULT as BROKER_DEFAULT
from barengine.kafka.topic import TopicInfo as TopicInfo
from barengine.kafka.topic import TopicSpec as TopicSpec
from barengine.kafka.translate import summary, translate

_REQUEST_MS: Final = 15_000
_CREATE_S: Final = 30.0
_POLL_S: Final = 0.1
_WAITS_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Between attempts to reach a broker; the last one repeats."""

_NO_LEADER: Final = -1
_REPLICAS: Final = 3
"""Where a partition's metadata lists its replicas."""

_SET_ON_THE_TOPIC: Final = 1
"""DYNAMIC_TOPIC_CONFIG, a setting's source in DescribeConfigs."""


async def describe(connection: ConnectionConfig, topics: Sequence[str]) -> dict[str, TopicInfo]:
    """Those of the topics that exist; asking makes none.

    Raises:
        KafkaUnavailableError, ConfigurationError: no answer, or not allowed.
    """
    async with admin_client(connection, "describing topics") as admin:
        found = await _found(admin, topics)
        return {name: await _info(admin, name, known) for name, known in found.items()}


async def create(connection: ConnectionConfig, specs: Sequence[TopicSpec]) -> None:
    """Make the topics, and wait until each partition has a leader. Existing ones stay.

    Raises:
        ConfigurationError: the broker refuses a topic, or one exists with fewer partitions.
        KafkaUnavailableError: not done in time.
    """
    if not specs:
        return
    async with admin_client(connection, "making topics") as admin:
        new = [
            NewTopic(
                spec.name,
                spec.partitions,
                spec.replication_factor,
                # aiokafka insists on one of the three, where the protocol knows a default
                {} if BROKER_DEFAULT in (spec.partitions, spec.replication_factor) else None,
                dict(spec.config),
            )
            for spec in specs
        ]
        await controller_known(admin)
        response = await admin.create_topics(new, timeout_ms=_REQUEST_MS)
        for name, code, message in response.topic_errors:
            _check_created(name, kafka.for_code(code), message)
        await _wait_until_known(admin, specs)


async def group_members(connection: ConnectionConfig, group: str) -> list[str]:
    """Client ids of the members of a consumer group; none where there is no such group.

    Raises:
        KafkaUnavailableError, ConfigurationError: no answer, or not allowed.
    """
    async with admin_client(connection, f"looking at the group {group}") as admin:
        async with asyncio.timeout(_CREATE_S):  # the first group of a cluster waits for its topic
            while True:
                try:
                    return await _members(admin, group)
                except kafka.KafkaError as error:
                    if not error.retriable:
                        raise
                await asyncio.sleep(_POLL_S)


async def wait_for_broker(connection: ConnectionConfig, on_wait: Callable[[str], None]) -> None:
    """Return when a broker answers; ``on_wait`` is told once why that takes a while.

    Raises:
        ConfigurationError: a broker answers, but refuses the login: waiting would not help.
    """
    for attempt in range(10**9):
        try:
            async with admin_client(connection, f"connecting to {connection.bootstrap_servers}"):
                return
        except KafkaUnavailableError as error:
            reason = await _reason(connection) or str(error)
        if attempt == 0:
            on_wait(reason)
        await asyncio.sleep(_WAITS_S[min(attempt, len(_WAITS_S) - 1)])


@asynccontextmanager
async def admin_client(connection: ConnectionConfig, doing: str) -> AsyncIterator[Any]:
    """An admin client of aiokafka for one piece of work.

    Raises:
        KafkaUnavailableError, ConfigurationError: what goes wrong while ``doing`` it.
    """
    admin = AIOKafkaAdminClient(**connection.kwargs(), request_timeout_ms=_REQUEST_MS)
    try:
        await admin.start()
        yield admin
    except BarengineError:
        raise
    except (kafka.KafkaError, TimeoutError) as error:
        raise translate(error, doing) from error
    finally:
        await admin.close()


async def controller_known(admin: Any) -> None:
    """Return when the cluster says who its controller is: aiokafka does not ask a second time.

    Raises:
        TimeoutError: nobody is; :func:`admin_client` translates it.
    """
    async with asyncio.timeout(_CREATE_S):
        while admin._client.cluster.controller is None:
            await admin._client.force_metadata_update()
            await asyncio.sleep(_POLL_S)


async def _topics(admin: Any, topics: Sequence[str]) -> list[Any]:
    """Metadata of topics; ``AIOKafkaAdminClient.describe_topics`` would make missing ones."""
    client = admin._client
    request = MetadataRequest(list(topics), allow_auto_topic_creation=False)
    response = await client.send(client.get_random_node(), request)
    return list(response.topics)


async def _found(admin: Any, topics: Sequence[str]) -> dict[str, list[Any]]:
    """The partitions of those topics that exist, as the metadata tells them."""
    found = {}
    for code, name, _, partitions in await _topics(admin, topics):
        error = kafka.for_code(code)
        if error is kafka.NoError:
            found[name] = partitions
        elif error is not kafka.UnknownTopicOrPartitionError:
            raise translate(error(name), f"describing topic {name}")
    return found


async def _info(admin: Any, name: str, partitions: Sequence[Any]) -> TopicInfo:
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    [response] = await admin.describe_configs([resource])
    [(code, _, _, _, entries)] = response.resources
    if code:
        raise translate(kafka.for_code(code)(name), f"describing topic {name}")
    known = {key: (value, source) for key, value, _, source, *_ in entries if value is not None}
    return TopicInfo(
        name,
        len(partitions),
        len(partitions[0][_REPLICAS]) if partitions else 0,
        {key: value for key, (value, _) in known.items()},
        frozenset(key for key, (_, source) in known.items() if source == _SET_ON_THE_TOPIC),
    )


async def _members(admin: Any, group: str) -> list[str]:
    [response] = await admin.describe_consumer_groups([group])
    [(code, _, _, _, _, members, *_)] = response.groups
    error = kafka.for_code(code)
    if error not in (kafka.NoError, kafka.GroupIdNotFound):
        raise error(group)
    return [f"{member[1]} at {member[2]}" for member in members]


def _check_created(name: str, error: Any, message: str | None) -> None:
    if error in (kafka.NoError, kafka.TopicAlreadyExistsError):
        return
    problem = translate(error(message or name), f"making topic {name}")
    if isinstance(problem, ConfigurationError) or error.retriable:
        raise problem
    raise ConfigurationError(f"topic {name} cannot be made: {message or error.__name__}")


async def _wait_until_known(admin: Any, specs: Sequence[TopicSpec]) -> None:
    async with asyncio.timeout(_CREATE_S):
        missing = list(specs)
        while missing:
            missing = await _not_known(admin, missing)
            await asyncio.sleep(_POLL_S if missing else 0)


async def _not_known(admin: Any, specs: Sequence[TopicSpec]) -> list[TopicSpec]:
    """The topics that lack a partition or a leader as yet."""
    leaders: dict[str, list[int]] = {}
    for code, name, _, partitions in await _topics(admin, [spec.name for spec in specs]):
        if not code:
            leaders[name] = [partition[2] for partition in partitions]
    for spec in specs:
        have = len(leaders.get(spec.name, ()))
        if 0 < have < spec.partitions:
            raise ConfigurationError(
                f"topic {spec.name} exists with {have} partitions, {spec.partitions} are needed: "
                "add partitions, or use another name"
            )
    return [spec for spec in specs if _NO_LEADER in leaders.get(spec.name, [_NO_LEADER])]


async def _reason(connection: ConnectionConfig) -> str | None:
    """Why no broker could be used: aiokafka only logs it, and a refused login looks like no broker.

    Raises:
        ConfigurationError: a login was refused, or we refuse the broker's certificate.
    """
    options = connection.kwargs()
    hosts = collect_hosts(options.pop("bootstrap_servers"))
    for host, port, _ in hosts:
        try:
            conn = await create_conn(host, port, request_timeout_ms=_REQUEST_MS, **options)
        except ssl.SSLCertVerificationError as error:
            raise ConfigurationError(
                f"the certificate of {host}:{port} is not accepted ({error.verify_message}): "
                "BARENGINE_SSL_CAFILE must name the authority that issued it"
            ) from error
        except (OSError, kafka.KafkaError, TimeoutError) as error:
            problem = translate(error, f"connecting to {host}:{port}")
            if isinstance(problem, ConfigurationError):
                raise problem from error
            return f"{host}:{port}: {summary(error)}"
        conn.close()
    return None
