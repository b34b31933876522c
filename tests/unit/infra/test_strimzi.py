"""Resources for the Strimzi operator: valid names, the same topics and rights."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from barengine.infra.rights import SERVICE, rights
from barengine.infra.strimzi import object_name, resources
from barengine.infra.topics import Sizes, desired
from barengine.kafka.topic import Role
from tests.unit.infra.build import settings

SUBDOMAIN_RE: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
"""RFC 1123, as Kubernetes checks it."""

TOPICS: Final = st.from_regex(r"[A-Za-z0-9._-]{1,249}", fullmatch=True)


def documents(**keys: str) -> list[dict[str, Any]]:
    chosen = settings(**keys)
    specs = desired(chosen, Sizes(6, 3))
    text = resources(specs, rights(chosen, specs, SERVICE), "prod")
    return list(yaml.safe_load_all(text))


@given(TOPICS)
def test_every_topic_has_a_valid_name(topic: str) -> None:
    """Whatever Kafka takes becomes a name that Kubernetes takes."""
    name = object_name(topic)
    assert SUBDOMAIN_RE.fullmatch(name)
    assert len(name) <= 253


@given(TOPICS, TOPICS)
def test_two_topics_never_share_a_name(one: str, other: str) -> None:
    """Names that lose something end with a hash of the whole."""
    assert (object_name(one) == object_name(other)) is (one == other)


def test_names_that_differ_in_what_is_lost() -> None:
    """Case and underscores are what Kubernetes does not know."""
    names = [object_name(topic) for topic in ("bar_1m", "bar-1m", "Bar-1m", "bar.1m", "_bar-1m")]
    assert names[1] == "bar-1m"
    assert names[3] == "bar.1m"
    assert names[0].startswith("bar-1m-")
    assert len(set(names)) == 5


def test_the_same_topics_as_infra_would_make() -> None:
    """All but the history, which nobody writes then."""
    chosen = settings(CONTEXT="trading")
    specs = [spec for spec in desired(chosen, Sizes(6, 3)) if spec.role is not Role.HISTORY]
    topics = [one for one in documents(CONTEXT="trading") if one["kind"] == "KafkaTopic"]
    assert [
        (one["spec"]["topicName"], one["spec"]["partitions"], one["spec"].get("config", {}))
        for one in topics
    ] == [(spec.name, spec.partitions, spec.config) for spec in specs]
    assert {one["spec"]["replicas"] for one in topics} == {3}
    assert {one["apiVersion"] for one in topics} == {"kafka.strimzi.io/v1"}
    assert {one["metadata"]["labels"]["strimzi.io/cluster"] for one in topics} == {"prod"}


def test_replicas_are_left_to_the_cluster_by_default() -> None:
    """A number that nobody gave is not written."""
    chosen = settings()
    specs = desired(chosen, Sizes())
    found = yaml.safe_load_all(resources(specs, rights(chosen, specs, SERVICE), "prod"))
    assert not [one for one in found if "replicas" in one["spec"]]


def test_the_user_has_the_least_rights() -> None:
    """The same rights, one rule for each thing."""
    chosen = settings()
    wanted = rights(chosen, desired(chosen, Sizes()), SERVICE)
    [user] = (one for one in documents() if one["kind"] == "KafkaUser")
    assert user["metadata"]["name"] == "barengine"
    rules = user["spec"]["authorization"]["acls"]
    assert sum(len(rule["operations"]) for rule in rules) == len(wanted)
    assert rules[-1] == {
        "resource": {
            "type": "transactionalId",
            "name": "|barengine|ticks|",
            "patternType": "prefix",
        },
        "operations": ["Write"],
        "host": "*",
    }
