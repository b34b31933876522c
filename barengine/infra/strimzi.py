"""The same topics and rights as resources of the Strimzi operator, for who leaves them to it.

https://strimzi.io/docs/operators/latest/configuring.html (API version v1: Strimzi 0.49 and later)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

import yaml  # type: ignore[import-untyped]

from barengine.errors import ConfigurationError
from barengine.infra.rights import operation_word
from barengine.kafka.acls import Acl, Pattern, Resource
from barengine.kafka.topic import BROKER_DEFAULT, Role, TopicSpec
from barengine.settings import SaslMechanism, Settings

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

_CERTIFICATE: Final = "CN="
"""Before the object's name in the principal of a user who comes with a certificate."""

_INPUT_THERE: Final = """\
# For an input topic that is not there yet. Take this out where it is: the operator would give it
# these partitions, which cuts every series in two, and remove the settings that are not named here.
"""

_NO_LOGIN: Final = """\
# Without authentication: the operator makes logins by SCRAM-SHA-512 and by certificates alone, and
# the settings have neither. Where a KafkaUser of this name has one, add it here: else it goes.
"""


class Owner(NamedTuple):
    """Whose resources they are."""

    cluster: str
    """Name of the Kafka resource that they belong to."""
    settings: Settings
    """Of the service, which say how it logs in."""


def resources(specs: Sequence[TopicSpec], acls: Sequence[Acl], owner: Owner) -> str:
    """YAML: a KafkaTopic for each topic, and the KafkaUser.

    The input belongs to somebody else, and here nobody is asked what it is like: give it in
    ``specs`` only where it is to be made.

    Raises:
        ConfigurationError: a KafkaUser cannot have that principal.
    """
    # the operator is who applies here: it keeps its own history
    documents = [_topic(spec, owner) for spec in specs if spec.role is not Role.HISTORY]
    return "".join([*documents, _user(acls, owner)])


def _document(kind: str, name: str, owner: Owner, spec: dict[str, Any], note: str = "") -> str:
    body = {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "labels": {_CLUSTER_LABEL: owner.cluster}},
        "spec": spec,
    }
    return f"---\n{note}{yaml.safe_dump(body, sort_keys=False)}"


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


def _topic(spec: TopicSpec, owner: Owner) -> str:
    body: dict[str, Any] = {"topicName": spec.name, "partitions": spec.partitions}
    if spec.replication_factor != BROKER_DEFAULT:
        body["replicas"] = spec.replication_factor
    # what somebody may choose for an input that is there, somebody must for a new one
    needs = {need.key: need.value for need in spec.needs} if spec.role is Role.INPUT else {}
    if config := {**spec.config, **needs}:
        body["config"] = config
    note = _INPUT_THERE if spec.role is Role.INPUT else ""
    return _document("KafkaTopic", object_name(spec.name), owner, body, note)


def _user(acls: Sequence[Acl], owner: Owner) -> str:
    """The operator makes the principal of the object's name: nothing may be lost in that."""
    principal = acls[0].principal
    written = principal.partition(":")[2]
    name = written.removeprefix(_CERTIFICATE)
    if not name or object_name(name) != name:
        raise ConfigurationError(
            f"--principal {principal}: a KafkaUser has the name of its principal, and Kubernetes "
            "takes lower-case letters, digits, '-' and '.' alone: choose another principal "
            "(User:NAME or User:CN=NAME), or give the rights by --output acls"
        )
    login = _login(owner.settings, certificate=name != written)
    spec: dict[str, Any] = {"authentication": {"type": login}} if login else {}
    spec["authorization"] = {"type": "simple", "acls": list(_rules(acls))}
    return _document("KafkaUser", name, owner, spec, "" if login else _NO_LOGIN)


def _login(settings: Settings, *, certificate: bool) -> str | None:
    """How the operator shall let the user in, of the ways that it has."""
    if certificate or (not settings.security_protocol.sasl and settings.ssl_certfile is not None):
        return "tls"
    scram = settings.sasl_mechanism is SaslMechanism.SCRAM_SHA_512
    return "scram-sha-512" if scram else None


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
