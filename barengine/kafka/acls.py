"""Access control lists: what a user may do, read and added to. Nothing is taken away here."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, NamedTuple

from aiokafka import errors as kafka
from aiokafka.protocol.admin import CreateAclsRequest, DescribeAclsRequest

from barengine.errors import ConfigurationError
from barengine.kafka.admin import admin_client, controller_known
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.translate import translate

ANY_HOST: Final = "*"
_ANY: Final = 1
"""In filters: every resource type, pattern, operation and permission."""

_EVERY_NAME: Final = "*"


class Resource(IntEnum):
    """Kinds of things that rights are about, with the protocol's numbers."""

    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5


class Pattern(IntEnum):
    """How the name of a right is meant."""

    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """What may be done."""

    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DESCRIBE_CONFIGS = 10


class Permission(IntEnum):
    """Whether it may."""

    DENY = 2
    ALLOW = 3


class Acl(NamedTuple):
    """One entry of the list. Numbers that are not in the enums above stay numbers."""

    resource: int
    name: str
    pattern: int
    operation: int
    principal: str
    """With its type: ``User:barengine``."""
    permission: int = Permission.ALLOW
    host: str = ANY_HOST

    def covers(self, wanted: Acl) -> bool:
        """Whether this entry is also about what the other one is about."""
        return (
            self.resource == wanted.resource
            and self._names(wanted)
            and self.operation in (wanted.operation, Operation.ALL)
        )

    def _names(self, wanted: Acl) -> bool:
        if self.pattern == Pattern.PREFIXED:
            return wanted.name.startswith(self.name)
        if self.name == _EVERY_NAME:
            return True
        return self.pattern == wanted.pattern and self.name == wanted.name


async def describe_acls(connection: ConnectionConfig, principal: str) -> list[Acl] | None:
    """Everything that the lists say of this principal; None: the cluster keeps no lists.

    Raises:
        ConfigurationError: not allowed.
        KafkaUnavailableError: no answer.
    """
    doing = f"reading the rights of {principal}"
    async with admin_client(connection, doing) as admin:
        # every name, pattern, host, operation and permission
        request = DescribeAclsRequest(_ANY, None, _ANY, principal, None, _ANY, _ANY)
        await controller_known(admin)
        response = await admin._send_to_controller(request)
        error: Any = kafka.for_code(response.error_code)
        if error is kafka.SecurityDisabled:
            return None
        if error is not kafka.NoError:
            raise translate(error(response.error_message or principal), doing)
        return [
            Acl(kind, name, pattern, operation, who, permission, host)
            for kind, name, pattern, entries in response.resources
            for who, host, operation, permission in entries
        ]


async def create_acl(connection: ConnectionConfig, acl: Acl) -> None:
    """Add one entry; nothing if it is there.

    Raises:
        ConfigurationError: not allowed, or the cluster keeps no lists.
        KafkaUnavailableError: not now.
    """
    doing = f"giving {acl.principal} a right to {acl.name}"
    async with admin_client(connection, doing) as admin:
        request = CreateAclsRequest(
            acl.resource,
            acl.name,
            acl.pattern,
            acl.principal,
            acl.host,
            acl.operation,
            acl.permission,
        )
        await controller_known(admin)
        response = await admin._send_to_controller(request)
        for code, message in response.creation_responses:
            error: Any = kafka.for_code(code)
            if error in (kafka.SecurityDisabled, kafka.InvalidRequestError):
                raise ConfigurationError(f"{doing}: {message or error.__name__}")
            if error is not kafka.NoError:
                raise translate(error(message or acl.name), doing)
