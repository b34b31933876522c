"""The same topics and rights as resources of the Strimzi operator, for who leaves them to it.

https://strimzi.io/docs/operators/latest/configuring.html (API version v1: Strimzi 0.49 and later)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from barengine.infra.rights import operation_word
from barengine.kafka.acls import Acl, Pattern, Resource
from barengine.kafka.topic import BROKER_DEFAULT, Role, TopicSpec

API_VERSION: Final = "kafka.strimzi.io/v1"
_CLUSTER_LABEL: Final = "strimzi.io/cluster"
_HASH_LENGTH: Final = 8
_NAME_LENGTH: Final = 253
"""A DNS subdomain, as Kubernetes names objects."""

_FOREIGN_RE: Final = re.compile(r"[^a-z0-9.-]")
_EDGE_RE: Final = re.compile(r"^[^a-z0-9]+|[^a-z0-9]+$|(?<=\.)-+|-+(?=\.)")
_DOTS_RE: Final = re.compile(r"\.{2,}")

_KINDS: Final = {
    Resource.TOPIC: "topic",
    Resource.GROUP: "group",
    Resource.TRANSACTIONAL_ID: "transactionalId",
}
_PATTERNS: Final = {Pattern.LITERAL: "literal", Pattern.PREFIXED: "prefix"}


def resources(specs: Sequence[TopicSpec], acls: Sequence[Acl], cluster: str) -> str:
    """YAML: a KafkaTopic for each topic, and the KafkaUser.

    Args:
        cluster: name of the Kafka resource that they belong to.
    """
    # the operator is who applies here: it keeps its own history
    documents = [_topic(spec, cluster) for spec in specs if spec.role is not Role.HISTORY]
    documents.append(_user(acls, cluster))
    text: str = yaml.safe_dump_all(documents, sort_keys=False, explicit_start=True)
    return text


def object_name(name: str) -> str:
    """A name that Kubernetes takes; one that had to be changed ends with a hash of the original,
    so that no two topics share it."""
    plain = _FOREIGN_RE.sub("-", name.lower())
    plain = _EDGE_RE.sub("", _DOTS_RE.sub(".", _EDGE_RE.sub("", plain)))
    if plain == name and len(name) <= _NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_LENGTH]
    room = _NAME_LENGTH - len(digest) - 1
    return f"{plain[:room].rstrip('.-')}-{digest}".lstrip("-")


def _metadata(name: str, cluster: str) -> dict[str, Any]:
    return {"name": name, "labels": {_CLUSTER_LABEL: cluster}}


def _topic(spec: TopicSpec, cluster: str) -> dict[str, Any]:
    body: dict[str, Any] = {"topicName": spec.name, "partitions": spec.partitions}
    if spec.replication_factor != BROKER_DEFAULT:
        body["replicas"] = spec.replication_factor
    if spec.config:
        body["config"] = dict(spec.config)
    return {
        "apiVersion": API_VERSION,
        "kind": "KafkaTopic",
        "metadata": _metadata(object_name(spec.name), cluster),
        "spec": body,
    }


def _user(acls: Sequence[Acl], cluster: str) -> dict[str, Any]:
    """The user's name is the object's: it is left as the principal has it."""
    return {
        "apiVersion": API_VERSION,
        "kind": "KafkaUser",
        "metadata": _metadata(acls[0].principal.partition(":")[2], cluster),
        "spec": {"authorization": {"type": "simple", "acls": list(_rules(acls))}},
    }


def _rules(acls: Sequence[Acl]) -> Iterator[dict[str, Any]]:
    for (resource, name, pattern), entries in groupby(acls, lambda acl: acl[:3]):
        yield {
            "resource": {
                "type": _KINDS[Resource(resource)],
                "name": name,
                "patternType": _PATTERNS[Pattern(pattern)],
            },
            "operations": [operation_word(acl) for acl in entries],
            "host": acls[0].host,
        }
