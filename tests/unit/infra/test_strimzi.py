"""Resources for the Strimzi operator: valid names, the same topics and rights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from barengine.errors import ConfigurationError
from barengine.infra.rights import SERVICE, rights
from barengine.infra.strimzi import Owner, object_name, resources
from barengine.infra.topics import Sizes, desired
from barengine.kafka.topic import Role
from tests.unit.infra.build import settings

SUBDOMAIN_RE: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
"""RFC 1123, as Kubernetes checks it."""

TOPICS: Final = st.from_regex(r"[A-Za-z0-9._-]{1,249}", fullmatch=True)


def documents(principal: str = SERVICE, **keys: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text_of(principal, **keys)))


def text_of(principal: str = SERVICE, **keys: str) -> str:
    chosen = settings(**keys)
    specs = desired(chosen, Sizes(6, 3))
    return resources(specs, rights(chosen, specs, principal), Owner("prod", chosen))


def user_of(principal: str = SERVICE, **keys: str) -> dict[str, Any]:
    """The KafkaUser among them."""
    [user] = (one for one in documents(principal, **keys) if one["kind"] == "KafkaUser")
    return user


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
    assert [(one["spec"]["topicName"], one["spec"]["partitions"]) for one in topics] == [
        (spec.name, spec.partitions) for spec in specs
    ]
    assert [one["spec"]["config"] for one in topics[1:]] == [spec.config for spec in specs[1:]]
    assert {one["spec"]["replicas"] for one in topics} == {3}
    assert {one["apiVersion"] for one in topics} == {"kafka.strimzi.io/v1"}
    assert {one["metadata"]["labels"]["strimzi.io/cluster"] for one in topics} == {"prod"}


def test_replicas_are_left_to_the_cluster_by_default() -> None:
    """A number that nobody gave is not written."""
    chosen = settings()
    specs = desired(chosen, Sizes())
    owner = Owner("prod", chosen)
    found = yaml.safe_load_all(resources(specs, rights(chosen, specs, SERVICE), owner))
    assert not [one for one in found if "replicas" in one["spec"]]


def test_the_user_has_the_least_rights() -> None:
    """The same rights, one rule for each thing."""
    chosen = settings()
    wanted = rights(chosen, desired(chosen, Sizes()), SERVICE)
    user = user_of()
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


def test_a_new_input_keeps_its_ticks_and_an_old_one_is_warned_of() -> None:
    """The operator takes away what is not named: what windows need is named, and whoever has the
    topic already reads above it to take it out."""
    first = documents(WINDOW="1h", GRACE="10d")[0]["spec"]
    assert first["topicName"] == "ticks"
    assert int(first["config"]["retention.ms"]) == 2 * (3600 + 10 * 86_400) * 1000
    assert (first["config"]["retention.bytes"], first["config"]["cleanup.policy"]) == (
        "-1",
        "delete",
    )
    assert "Take this out where it is" in text_of().split("---\n")[1]
    assert "Take this out" not in "".join(text_of().split("---\n")[2:])


def test_the_login_is_the_one_of_the_settings(tmp_path: Path) -> None:
    """A KafkaUser without it would take the Secret of one that is there; where the operator has no
    such login the output says so."""
    pem = tmp_path / "client.pem"
    pem.touch()
    login = {"SASL_USERNAME": "a", "SASL_PASSWORD": "b", "SECURITY_PROTOCOL": "SASL_SSL"}
    scram = login | {"SASL_MECHANISM": "SCRAM-SHA-512"}
    assert user_of(**scram)["spec"]["authentication"] == {"type": "scram-sha-512"}
    mutual = {"SECURITY_PROTOCOL": "SSL", "SSL_CERTFILE": str(pem)}
    assert user_of(**mutual)["spec"]["authentication"] == {"type": "tls"}
    plain = login | {"SASL_MECHANISM": "PLAIN"}
    assert "authentication" not in user_of(**plain)["spec"]
    assert "Where a KafkaUser of this name has one, add it here" in text_of(**plain)
    assert "add it here" not in text_of(**scram)


def test_the_principal_of_a_certificate() -> None:
    """The operator writes CN= before the object's name itself."""
    user = user_of("User:CN=bars.eu")
    assert user["metadata"]["name"] == "bars.eu"
    assert user["spec"]["authentication"] == {"type": "tls"}


@pytest.mark.parametrize("principal", ["User:My_Bars", "User:CN=bars,O=desk", "User:CN="])
def test_a_principal_that_no_object_can_be_called_is_refused(principal: str) -> None:
    """The operator would give the rights to somebody else."""
    with pytest.raises(ConfigurationError, match=re.escape(f"--principal {principal}: ")):
        documents(principal)
