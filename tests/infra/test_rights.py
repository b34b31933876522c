"""Rights that ``barengine infra`` gives: enough to run, and no more."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewPartitions,
    ResourcePatternType,
    ResourceType,
)

from barengine.kafka.local import LocalKafka
from barengine.kafka.local_net import HOST, pick_free_port
from tests.broker.engine_process import ROOT, RUN
from tests.broker.records import CALL_S, QUIET
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, spread
from tests.infra.commands import DONE, MISCONFIGURED, TO_DO, apply, changes, infra, plan

USER: Final = "User:bars"
ACLS: Final = ("--acls", "--principal", USER)
RIGHTS: Final = 13
DOCS: Final = ROOT / "docs" / "infrastructure.md"
OPERATIONS: Final = {
    "Alter": AclOperation.ALTER,
    "AlterConfigs": AclOperation.ALTER_CONFIGS,
    "Create": AclOperation.CREATE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
}

PLAIN_LOGIN: Final = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'user_bars="bars-secret" user_clerk="clerk-secret";'
)


class Doors(NamedTuple):
    """A broker that keeps lists of who may do what."""

    plain: str
    """Whoever comes here may do everything."""
    sasl: str


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    """The broker."""
    ports: list[int] = []
    while len(ports) < 3:
        ports.append(pick_free_port(*ports))
    plain, sasl, controller = (f"{HOST}:{port}" for port in ports)
    config = {
        "listeners": f"PLAINTEXT://{plain},SASL://{sasl},CONTROLLER://{controller}",
        "controller.quorum.voters": f"1@{controller}",
        "listener.security.protocol.map": (
            "PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"
        ),
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl.plain.sasl.jaas.config": PLAIN_LOGIN,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    with LocalKafka(ports[0], config=config):
        yield Doors(plain, sasl)


def documented(context: str, user: str) -> list[AclBinding]:
    """The rights of the one who applies, as docs/infrastructure.md lists them."""
    lines = re.findall(r"^\$acl (.+)$", DOCS.read_text(), re.MULTILINE)
    return [
        AclBinding(*thing, f"User:{user}", "*", OPERATIONS[operation], AclPermissionType.ALLOW)
        for words in map(shlex.split, lines)
        for thing in [_thing(words, context)]
        for key, operation in pairwise(words)
        if key == "--operation"
    ]


def _thing(words: list[str], context: str) -> tuple[ResourceType, str, ResourcePatternType]:
    if "--cluster" in words:
        return ResourceType.BROKER, "kafka-cluster", ResourcePatternType.LITERAL
    prefixed = "--resource-pattern-type" in words
    pattern = ResourcePatternType.PREFIXED if prefixed else ResourcePatternType.LITERAL
    name = words[words.index("--topic") + 1].replace("trading", context)
    return ResourceType.TOPIC, name, pattern


def login(doors: Doors, user: str) -> dict[str, str]:
    """Settings of somebody who comes by name."""
    return {
        "BOOTSTRAP_SERVERS": doors.sasl,
        "SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "SASL_MECHANISM": "PLAIN",
        "SASL_USERNAME": user,
        "SASL_PASSWORD": f"{user}-secret",
        "AUTO_CREATE_TOPICS": "off",
    }


def entry(name: str, permission: AclPermissionType) -> AclBinding:
    """What somebody else wrote into the list: of writing to a topic."""
    literal, write = ResourcePatternType.LITERAL, AclOperation.WRITE
    return AclBinding(ResourceType.TOPIC, name, literal, USER, "*", write, permission)


def listed(doors: Doors, name: str) -> list[AclBinding]:
    """Every entry for a topic."""
    admin = AdminClient({"bootstrap.servers": doors.plain, **QUIET})
    literal, operation = ResourcePatternType.LITERAL, AclOperation.ANY
    anyone: Any = None
    permission = AclPermissionType.ANY
    wanted = AclBindingFilter(
        ResourceType.TOPIC, name, literal, anyone, anyone, operation, permission
    )
    found: list[AclBinding] = admin.describe_acls(wanted).result(CALL_S)
    return found


def test_the_rights_that_are_given_are_enough(doors: Doors, tmp_path: Path) -> None:
    """Without them an engine is refused by name; with them it runs, and a second apply gives
    nothing. Its own login may not run infra."""
    scene = Scene(doors.plain, tmp_path, make_input=False)
    assert len(apply(scene)["applied"]) == 6
    with scene.engine(RUN, **login(doors, "bars")) as engine:
        assert engine.exit_code() == MISCONFIGURED, engine.tail()
        assert "the broker denies it" in engine.text()

    assert infra(scene, "plan", *ACLS).code == TO_DO
    done = apply(scene, *ACLS)
    assert [*changes(done).values()] == [{"granted": (None, "yes")}] * RIGHTS
    again = apply(scene, *ACLS)
    assert (again["applied"], again["skipped"]) == ([], 6 + RIGHTS)
    assert infra(scene, "plan", *ACLS).code == DONE

    scene.partitions = 4
    scene.produce(spread("b", 8, 0, 3 * SECOND, 250, partitions=4))
    with scene.engine(RUN, **login(doors, "bars")) as engine:
        assert scene.finish(engine).bars_exact == 24
    denied = infra(scene, "apply", **login(doors, "bars"))
    assert denied.code == MISCONFIGURED
    assert "the broker denies it" in denied.err


def test_entries_of_others_stay(doors: Doors, tmp_path: Path) -> None:
    """A right that is covered by a wider one is not given again, a denial is told, and nothing is
    taken away."""
    scene = Scene(doors.plain, tmp_path)
    settings = scene.settings
    apply(scene)
    admin = AdminClient({"bootstrap.servers": doors.plain, **QUIET})
    wide = AclBinding(
        ResourceType.TOPIC,
        f"{settings.context}.",
        ResourcePatternType.PREFIXED,
        USER,
        "*",
        AclOperation.ALL,
        AclPermissionType.ALLOW,
    )
    denial = entry(settings.late_topic, AclPermissionType.DENY)
    for future in admin.create_acls([wide, denial]).values():
        future.result(CALL_S)

    said = plan(scene, *ACLS)
    assert len(changes(said)) == 2  # the group and the transactional ids
    [left] = said["left_alone"]
    assert left["resource"] == f"right {USER} Write topic {settings.late_topic}"
    assert "denied" in left["what"]
    apply(scene, *ACLS)
    assert listed(doors, settings.late_topic) == [denial]


def test_the_rights_of_the_one_who_applies(doors: Doors, tmp_path: Path) -> None:
    """The documented rights let make everything, change it, and give the service its own."""
    scene = Scene(doors.plain, tmp_path, make_input=False)
    clerk = login(doors, "clerk")
    assert infra(scene, "plan", **clerk).code == MISCONFIGURED
    admin = AdminClient({"bootstrap.servers": doors.plain, **QUIET})
    for future in admin.create_acls(documented(scene.settings.context, "clerk")).values():
        future.result(CALL_S)
    assert len(apply(scene, "--partitions", "1", *ACLS, **clerk)["applied"]) == 6 + RIGHTS
    grown = NewPartitions(scene.settings.input_topic, 2)
    admin.create_partitions([grown])[scene.settings.input_topic].result(CALL_S)
    assert len(apply(scene, *ACLS, **clerk, GRACE="30d")["applied"]) == 5
    assert plan(scene, *ACLS, **clerk, GRACE="30d")["changes"] == 0
