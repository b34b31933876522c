"""Changes to topics that are there: more partitions, single settings. Nothing gets less here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiokafka import errors as kafka
from aiokafka.admin import NewPartitions
from aiokafka.admin.config_resource import ConfigResourceType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

from barengine.errors import ConfigurationError
from barengine.kafka.admin import admin_client, controller_known, describe
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.translate import translate

_REFUSED: Final = (
    kafka.InvalidConfigurationError,
    kafka.InvalidRequestError,
    kafka.PolicyViolationError,
)

_SET: Final = 0
"""The operation that gives a key a value."""


class _Response(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "responses",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class _Request(RequestStruct):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(
                        ("name", String("utf-8")),
                        ("config_operation", Int8),
                        ("value", String("utf-8")),
                    ),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class _IncrementalAlterConfigs(Request[_Request]):  # type: ignore[misc]
    """What aiokafka 0.14 lacks. Its AlterConfigs takes away every setting that is not named.

    https://kafka.apache.org/protocol#The_Messages_IncrementalAlterConfigs
    """

    API_KEY = 44

    def __init__(self, topic: str, values: Mapping[str, str]) -> None:
        entries = [(key, _SET, value) for key, value in values.items()]
        self._resources = [(ConfigResourceType.TOPIC, topic, entries)]

    def build(self, request_struct_class: type[_Request]) -> _Request:
        return request_struct_class(self._resources, False)


async def set_config(connection: ConnectionConfig, topic: str, values: Mapping[str, str]) -> None:
    """Give some settings of a topic new values; the others stay as they are.

    Raises:
        ConfigurationError: not allowed, or the broker refuses a value.
        KafkaUnavailableError: not now.
    """
    doing = f"changing the settings of topic {topic}"
    async with admin_client(connection, doing) as admin:
        await controller_known(admin)
        response = await admin._send_to_controller(_IncrementalAlterConfigs(topic, values))
        for code, message, _, _ in response.responses:
            error: Any = kafka.for_code(code)
            if error in _REFUSED:
                raise ConfigurationError(f"{doing}: {message or error.__name__}")
            if error is not kafka.NoError:
                raise translate(error(message or topic), doing)


async def add_partitions(connection: ConnectionConfig, topic: str, count: int) -> None:
    """Let a topic have at least so many partitions.

    Raises:
        ConfigurationError: not allowed.
        KafkaUnavailableError: not now.
    """
    doing = f"adding partitions to topic {topic}"
    async with admin_client(connection, doing) as admin:
        await controller_known(admin)
        try:
            await admin.create_partitions({topic: NewPartitions(count)})
        except kafka.InvalidPartitionsError:
            # somebody else was faster: it has them
            found = (await describe(connection, [topic])).get(topic)
            if found is None or found.partitions < count:
                raise
