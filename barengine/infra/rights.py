"""The least rights of the service, computed from its settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Final

from barengine.infra.model import Change, Findings, Kind, LeftAlone, Step
from barengine.infra.model import Resource as Wanted
from barengine.kafka.acls import (
    ANY_HOST,
    Acl,
    Operation,
    Pattern,
    Permission,
    Resource,
    create_acl,
    describe_acls,
)
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.topic import Role, TopicSpec
from barengine.naming import SEPARATOR, join
from barengine.settings import Settings

OPERATIONS: Final = {
    Role.INPUT: (Operation.READ, Operation.DESCRIBE_CONFIGS),
    Role.BARS: (Operation.WRITE, Operation.DESCRIBE_CONFIGS),
    Role.LIVE: (Operation.WRITE, Operation.DESCRIBE_CONFIGS),
    Role.LETTERS: (Operation.WRITE, Operation.DESCRIBE_CONFIGS),
    Role.STATE: (Operation.READ, Operation.WRITE, Operation.DESCRIBE_CONFIGS),
    Role.SCHEDULE: (Operation.READ, Operation.DESCRIBE_CONFIGS),
    Role.HEARTBEATS: (Operation.READ, Operation.DESCRIBE_CONFIGS),
    Role.HISTORY: (),  # of the one who applies, not of the service
}
"""What the service does with its topics."""

SERVICE: Final = "User:barengine"
"""Stands for a principal that was not named."""

_WORDS: Final = {
    Resource.TOPIC: "topic",
    Resource.GROUP: "group",
    Resource.TRANSACTIONAL_ID: "transactional-id",
}
_OPERATIONS: Final = {
    Operation.READ: "Read",
    Operation.WRITE: "Write",
    Operation.CREATE: "Create",
    Operation.DESCRIBE_CONFIGS: "DescribeConfigs",
}


def rights(settings: Settings, specs: Iterable[TopicSpec], principal: str) -> list[Acl]:
    """Every right that the service needs, and no other."""
    found = [
        Acl(Resource.TOPIC, spec.name, Pattern.LITERAL, operation, principal)
        for spec in specs
        for operation in _of_topic(settings, spec)
    ]
    group = Acl(Resource.GROUP, settings.group, Pattern.LITERAL, Operation.READ, principal)
    ids = join(settings.context, settings.group_id, settings.input_topic_bare) + SEPARATOR
    kind, prefixed = Resource.TRANSACTIONAL_ID, Pattern.PREFIXED
    return [*found, group, Acl(kind, ids, prefixed, Operation.WRITE, principal)]


def _of_topic(settings: Settings, spec: TopicSpec) -> Iterator[Operation]:
    yield from OPERATIONS[spec.role]
    if settings.auto_create_topics and spec.role is not Role.HISTORY:
        yield Operation.CREATE


async def look(connection: ConnectionConfig, wanted: Sequence[Acl]) -> Findings:
    """Compare the rights with what the cluster grants.

    Raises:
        KafkaUnavailableError, ConfigurationError: no answer, or not allowed.
    """
    findings = Findings()
    principal = wanted[0].principal
    granted = await describe_acls(connection, principal)
    if granted is None:
        way_out = "set authorizer.class.name on the brokers, or leave --acls out"
        what = "cannot be given: the cluster has no authorizer, everybody may do everything"
        findings.left_alone.append(LeftAlone(f"{Kind.RIGHT} {principal}", what, way_out))
        return findings
    for acl in wanted:
        _compare(findings, connection, acl, [each for each in granted if each.covers(acl)])
    return findings


def _compare(
    findings: Findings, connection: ConnectionConfig, acl: Acl, about: Sequence[Acl]
) -> None:
    resource = as_resource(acl)
    left_alone = [
        LeftAlone(resource.id, f"is denied by an entry for {each.name}", "remove that entry")
        for each in about
        if each.permission == Permission.DENY
    ]
    step = None
    if not any(each.permission == Permission.ALLOW and each.host == ANY_HOST for each in about):
        change = Change("granted", None, "yes")
        step = Step(resource, (change,), True, partial(create_acl, connection, acl))
    findings.verdict(resource, *left_alone, step=step)


def as_resource(acl: Acl) -> Wanted:
    """What the history remembers of a right."""
    content = {
        "principal": acl.principal,
        "operation": operation_word(acl),
        "resource": resource_word(acl),
        "name": acl.name,
        "pattern": pattern_word(acl),
        "host": acl.host,
    }
    name = f"{acl.principal} {content['operation']} {content['resource']} {acl.name}"
    return Wanted(Kind.RIGHT, name, content)


def resource_word(acl: Acl) -> str:
    """As ``kafka-acls.sh`` calls it."""
    return _WORDS[Resource(acl.resource)]


def operation_word(acl: Acl) -> str:
    """As ``kafka-acls.sh`` calls it."""
    return _OPERATIONS[Operation(acl.operation)]


def pattern_word(acl: Acl) -> str:
    """As ``kafka-acls.sh`` calls it."""
    return Pattern(acl.pattern).name.lower()


def commands(settings: Settings, wanted: Sequence[Acl]) -> Iterator[str]:
    """The same for somebody else to do: one ``kafka-acls.sh`` for each thing."""
    for (_, name, pattern), entries in groupby(wanted, lambda acl: acl[:3]):
        acls = list(entries)
        operations = " ".join(f"--operation {operation_word(acl)}" for acl in acls)
        prefixed = "--resource-pattern-type prefixed " if pattern == Pattern.PREFIXED else ""
        yield (
            f"kafka-acls.sh --bootstrap-server {settings.bootstrap_servers} --add "
            f"--allow-principal '{acls[0].principal}' {operations} "
            f"{prefixed}--{resource_word(acls[0])} '{name}'"
        )
