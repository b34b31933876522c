"""The least set of rights that an engine needs, and somebody who gives and takes them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from barengine.naming import transactional_id
from tests.broker.records import CALL_S, QUIET
from tests.broker.scene import Scene

NOBODY: Final = "User:nobody"
"""Who gets them."""


class Right(NamedTuple):
    """What a user may do to one thing."""

    kind: ResourceType
    name: str
    operation: AclOperation

    def of(self, kind: Any) -> Any:
        """As AclBinding, or as AclBindingFilter."""
        exact, allow = ResourcePatternType.LITERAL, AclPermissionType.ALLOW
        return kind(self.kind, self.name, exact, NOBODY, "*", self.operation, allow)


def rights(scene: Scene) -> dict[str, Right]:
    """Everything that an engine of one partition needs, by a name that says what for."""
    settings = scene.settings
    topic, group = ResourceType.TOPIC, ResourceType.GROUP
    read, write = AclOperation.READ, AclOperation.WRITE
    outputs = {
        "bars": settings.bar_topic,
        "late": settings.late_topic,
        "dead": settings.dead_topic,
        "state": settings.state_topic,
    }
    identity = transactional_id(settings.context, settings.group_id, settings.input_topic_bare, 0)
    found = {f"write {what}": Right(topic, name, write) for what, name in outputs.items()}
    found |= {
        f"see the settings of {what}": Right(topic, name, AclOperation.DESCRIBE_CONFIGS)
        for what, name in (outputs | {"ticks": settings.input_topic}).items()
    }
    return found | {
        "read ticks": Right(topic, settings.input_topic, read),
        "read state": Right(topic, settings.state_topic, read),
        "be in the group": Right(group, settings.group, read),
        "use the transactional id": Right(ResourceType.TRANSACTIONAL_ID, identity, write),
    }


class Clerk:
    """Gives and takes rights."""

    def __init__(self, scene: Scene) -> None:
        self._admin = AdminClient({"bootstrap.servers": scene.bootstrap, **QUIET})

    def grant(self, *given: Right) -> None:
        for future in self._admin.create_acls([one.of(AclBinding) for one in given]).values():
            future.result(CALL_S)

    def revoke(self, taken: Right) -> None:
        [future] = self._admin.delete_acls([taken.of(AclBindingFilter)]).values()
        assert len(future.result(CALL_S)) == 1
