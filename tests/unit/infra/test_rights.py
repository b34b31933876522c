"""The least rights of the service, and what an entry of a list covers."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from barengine.infra.rights import SERVICE, as_resource, commands, rights
from barengine.infra.topics import Sizes, desired
from barengine.kafka.acls import Acl, Operation, Pattern, Resource
from barengine.settings import Settings
from tests.unit.infra.build import settings

OPERATIONS_MD = Path(__file__).parents[3] / "docs" / "operations.md"


def of(given: Settings) -> list[Acl]:
    return rights(given, desired(given, Sizes()), SERVICE)


def documented() -> set[tuple[str, str, str, str]]:
    """Resource, name, pattern and operation of every line in the docs."""
    found = set()
    for line in re.findall(r"^\$acl (.+)$", OPERATIONS_MD.read_text(), re.MULTILINE):
        words = shlex.split(line)
        pairs = list(zip(words[::2], words[1::2], strict=True))
        pattern = dict(pairs).get("--resource-pattern-type", "literal")
        operations = [value for key, value in pairs if key == "--operation"]
        kinds = ("--topic", "--group", "--transactional-id")
        things = [(key[2:], value) for key, value in pairs if key in kinds]
        found |= {(*thing, pattern, operation) for thing in things for operation in operations}
    return found


def test_the_rights_are_those_of_the_docs() -> None:
    """docs/operations.md lists the same rights for the same settings, and no other."""
    computed = {
        (c["resource"], c["name"], c["pattern"], c["operation"])
        for c in (as_resource(acl).content for acl in of(settings(WINDOW="1s")))
    }
    assert computed == documented()
    assert len(computed) == 13


def test_a_context_is_in_every_name() -> None:
    """Two contexts share no right: topics, group and transactional ids have their own names."""
    one, other = of(settings(CONTEXT="trading")), of(settings(CONTEXT="analytics"))
    assert not [a for a in one for b in other if a.covers(b) or b.covers(a)]


def test_who_makes_topics_needs_to_be_allowed_to() -> None:
    """AUTO_CREATE_TOPICS asks for Create, of these topics alone."""
    more = set(of(settings(AUTO_CREATE_TOPICS="on"))) - set(of(settings()))
    assert {acl.operation for acl in more} == {Operation.CREATE}
    assert {acl.name for acl in more} == {
        "ticks",
        "bar_1m",
        "tick_late",
        "tick_dead",
        "barengine.ticks.state",
    }


def test_commands_name_every_right_once() -> None:
    """One command for each thing, with all operations on it."""
    given = settings(BOOTSTRAP_SERVERS="broker:9092")
    words = [shlex.split(line) for line in commands(given, of(given))]
    assert len(words) == 7
    assert sum(line.count("--operation") for line in words) == len(of(given))
    assert all(
        line[1:5] == ["--bootstrap-server", "broker:9092", "--add", "--allow-principal"]
        for line in words
    )
    assert words[-1][-4:] == [
        "--resource-pattern-type",
        "prefixed",
        "--transactional-id",
        "|barengine|ticks|",
    ]


WANTED = Acl(Resource.TOPIC, "bar_1m", Pattern.LITERAL, Operation.WRITE, SERVICE)


@pytest.mark.parametrize(
    ("granted", "covers"),
    [
        (WANTED, True),
        (WANTED._replace(operation=Operation.ALL), True),
        (WANTED._replace(name="*"), True),
        (WANTED._replace(name="bar_", pattern=Pattern.PREFIXED), True),
        (WANTED._replace(name="tick_", pattern=Pattern.PREFIXED), False),
        (WANTED._replace(operation=Operation.READ), False),
        (WANTED._replace(name="bar_1"), False),
        (WANTED._replace(resource=Resource.GROUP), False),
    ],
)
def test_what_covers_a_right(granted: Acl, covers: bool) -> None:
    """The same, every operation, every name, or a prefix of the name."""
    assert granted.covers(WANTED) is covers


def test_a_prefix_is_covered_by_a_shorter_one_alone() -> None:
    """A literal entry of the same text says nothing of what begins with it."""
    ids = Acl(Resource.TRANSACTIONAL_ID, "|b|t|", Pattern.PREFIXED, Operation.WRITE, SERVICE)
    assert ids._replace(name="|b|").covers(ids)
    assert not ids._replace(pattern=Pattern.LITERAL).covers(ids)
    assert not ids._replace(name="|b|t|0").covers(ids)
