"""The subjects under which the schemas of bars are in a registry, by SUBJECT_STRATEGY.

The names are those that Confluent's serializers and readers use:
https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#subject-name-strategy
"""

from __future__ import annotations

from typing import Any, NamedTuple

from barengine.codec.bar import bar_key_schema, bar_schema
from barengine.model import KeyFormat
from barengine.settings import Settings, SubjectStrategy


class Subject(NamedTuple):
    """A subject that must hold a schema."""

    name: str
    schema: dict[str, Any]
    holds: str
    """What is written with the schema, for messages."""


def value_subject(settings: Settings, topic: str) -> Subject:
    """What the values of a topic of bars need."""
    return _subject(settings, topic, "value", bar_schema(settings.price_scale))


def key_subject(settings: Settings, topic: str) -> Subject | None:
    """What the keys of a topic of bars need; text needs nothing."""
    if settings.key_format is not KeyFormat.AVRO:
        return None
    return _subject(settings, topic, "key", bar_key_schema())


def _subject(settings: Settings, topic: str, part: str, schema: dict[str, Any]) -> Subject:
    record = f"{schema['namespace']}.{schema['name']}"
    match settings.subject_strategy:
        case SubjectStrategy.TOPIC:
            name = f"{topic}-{part}"
        case SubjectStrategy.RECORD:
            name = record
        case SubjectStrategy.TOPIC_RECORD:
            name = f"{topic}-{record}"
    return Subject(name, schema, f"{part}s of {topic}")
