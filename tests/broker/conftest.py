"""A real broker for everything that crosses the wire, one for the whole run."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator

import pytest

from barengine.kafka.local import LocalKafka
from tests.broker.apicurio import apicurio

NAME_LIMIT = 80  # a topic's name holds 249 characters, and prefixes and suffixes come on top


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[LocalKafka]:
    """The broker that tests share: use names of your own (``topic_name``), never stop it."""
    with LocalKafka() as broker:
        yield broker


@pytest.fixture
def bootstrap(kafka_broker: LocalKafka) -> str:
    """The shared broker's address for ``bootstrap_servers``."""
    return kafka_broker.bootstrap


@pytest.fixture(scope="session")
def registry_url() -> Iterator[str]:
    """The Confluent API of a real schema registry that tests share: use subjects of your own."""
    with apicurio() as url:
        yield url


@pytest.fixture
def unique_name(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Makes names for topics, groups and contexts that no other test and no other run has."""
    test = re.sub(r"[^A-Za-z0-9_-]+", "-", request.node.name)[:NAME_LIMIT]

    def name(prefix: str) -> str:
        return f"{prefix}-{test}-{uuid.uuid4().hex[:8]}"

    return name


@pytest.fixture
def topic_name(unique_name: Callable[[str], str]) -> str:
    """A topic's name of this test alone; making the topic is the test's own business."""
    return unique_name("topic")
