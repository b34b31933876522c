"""Resources: the same content is the same hash."""

from __future__ import annotations

import hashlib

from barengine.infra.history import Entry, history_topic
from barengine.infra.model import Findings, Kind, LeftAlone, Resource
from tests.unit.infra.build import settings


def test_the_order_of_a_content_does_not_matter() -> None:
    """Normalised means: keys sorted, no spaces, whatever it was made from."""
    one = Resource(Kind.TOPIC, "t", {"b": {"y": 1, "x": "ä"}, "a": [2, 1]}, "why")
    other = Resource(Kind.TOPIC, "t", {"a": [2, 1], "b": {"x": "ä", "y": 1}}, "another why")
    assert one.normalised == other.normalised == '{"a":[2,1],"b":{"x":"ä","y":1}}'
    assert one.sha256 == hashlib.sha256(one.normalised.encode()).hexdigest() == other.sha256


def test_another_content_is_another_hash() -> None:
    """A list's order is part of it."""
    one = Resource(Kind.TOPIC, "t", {"a": [2, 1]})
    assert one.sha256 != Resource(Kind.TOPIC, "t", {"a": [1, 2]}).sha256


def test_an_entry_holds_what_was_applied() -> None:
    """The content can be read from the history without barengine."""
    resource = Resource(Kind.RIGHT, "r", {"b": 1, "a": 2})
    entry = Entry.of(resource, found=True)
    assert (entry.resource, entry.sha256, entry.found) == ("right r", resource.sha256, True)
    assert entry.content == {"a": 2, "b": 1}
    assert entry.applied_at.endswith("+00:00")


def test_each_context_has_its_history() -> None:
    """The topic's name is in its context as every other."""
    assert history_topic(settings()).name == "_barengine_migrations"
    assert history_topic(settings(CONTEXT="trading")).name == "trading._barengine_migrations"


def test_what_is_left_alone_is_not_right() -> None:
    """A resource with a difference that stays counts neither as done nor as to do."""
    findings = Findings()
    resource = Resource(Kind.TOPIC, "t", {})
    findings.verdict(resource, LeftAlone(resource.id, "is odd", "leave it"))
    assert (findings.steps, findings.right, len(findings.left_alone)) == ([], [], 1)
