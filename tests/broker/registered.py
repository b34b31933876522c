"""Ticks and bars by Confluent's own serializers, which share nothing with the code under test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Self

from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from barengine.codec.fields import TICK_SCHEMA
from tests.broker.engine_process import EngineProcess
from tests.broker.records import Record
from tests.broker.scene import Scene
from tests.broker.ticks import START_MS

AnySchema = dict[str, Any]

VENUE: Final = {"name": "venue", "type": ["null", "string"], "default": None}
EVOLVED: Final[AnySchema] = {**TICK_SCHEMA, "fields": [VENUE, *TICK_SCHEMA["fields"]]}
REORDERED: Final[AnySchema] = {**TICK_SCHEMA, "fields": TICK_SCHEMA["fields"][::-1]}
PRICELESS: Final[AnySchema] = {**TICK_SCHEMA, "fields": TICK_SCHEMA["fields"][:-1]}


_ANSWER_S: Final = 10
"""Without it a request that gets no answer hangs for ever; with it the client asks again."""


def schema_id(value: bytes | None) -> int:
    """The id in a Confluent frame."""
    assert value is not None
    assert value[0] == 0
    return int.from_bytes(value[1:5], "big")


class Registered:
    """A scene whose ticks and bars have their schemas in a registry; to be used as a context
    manager.

    Args:
        url: the registry itself; the scene's engines may see it through a door.
    """

    def __init__(self, scene: Scene, url: str) -> None:
        self.scene = scene
        self.client = SchemaRegistryClient({"url": url, "timeout": _ANSWER_S})
        self._tick = SerializationContext(scene.settings.input_topic, MessageField.VALUE)
        self._bar = SerializationContext(scene.settings.bar_topic, MessageField.VALUE)
        self._key = SerializationContext(scene.settings.bar_topic, MessageField.KEY)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    @property
    def tick_subject(self) -> str:
        return f"{self.scene.settings.input_topic}-value"

    def tick(
        self, at_ms: int, price: float, schema: AnySchema = TICK_SCHEMA, **more: Any
    ) -> Record:
        """A tick of broker b, symbol A; its schema is registered if it is new."""
        fields = {"broker": "b", "symbol": "A", "timestamp": START_MS + at_ms, "bid": price, **more}
        write = AvroSerializer(self.client, json.dumps(schema))
        value = write({name: fields.get(name) for name in _names(schema)}, self._tick)
        return Record(value, b"b|A", 0, START_MS)

    def register(self, subject: str, schema: AnySchema, **references: str) -> int:
        """The id of a schema; ``references`` gives the subject of each type it refers to."""
        named = [SchemaReference(name, there, 1) for name, there in references.items()]
        return self.client.register_schema(subject, Schema(json.dumps(schema), "AVRO", named))

    def bars(self) -> list[dict[str, Any]]:
        """Every bar so far, as a reader of the topic sees it who knows the registry alone."""
        read = AvroDeserializer(self.client)
        return [_dict(read(record.value, self._bar)) for record in self.scene.bar_records()]

    def keys(self) -> list[dict[str, Any]]:
        """The Avro keys of the bars."""
        read = AvroDeserializer(self.client)
        return [_dict(read(record.key, self._key)) for record in self.scene.bar_records()]

    def until_bars(self, engine: EngineProcess, count: int) -> list[dict[str, Any]]:
        """Wait for so many bars."""
        engine.until_ready().until(f"{count} bars", lambda: len(self.scene.bar_records()) >= count)
        return self.bars()


def _names(schema: AnySchema) -> list[str]:
    return [field["name"] for field in schema["fields"]]


def _dict(value: object) -> dict[str, Any]:
    assert isinstance(value, dict)
    return value


def registered_scene(bootstrap: str, folder: Path, url: str, **settings: str) -> Scene:
    """A scene whose engines ask the registry at that URL."""
    return Scene(bootstrap, folder, settings={"SCHEMA_REGISTRY_URL": url, **settings})
