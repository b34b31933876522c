"""The Confluent frames of bar keys and values, with schema ids from the registry."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Final

import structlog

from barengine.codec.bar import bar_key_schema, bar_schema
from barengine.codec.framing import confluent_header
from barengine.errors import ConfigurationError, RegistryUnavailableError
from barengine.kafka.registry import SchemaRegistry
from barengine.model import KeyFormat
from barengine.settings import Settings

log = structlog.get_logger(__name__)

_WAITS_S: Final = (0.5, 1.0, 2.0, 5.0)
"""Waits between attempts while the registry is down; the last one repeats."""


async def bar_headers(settings: Settings, registry: SchemaRegistry | None) -> tuple[bytes, bytes]:
    """Frames of bar keys and bar values; empty without a registry, a key's unless it is Avro.

    Waits for a registry that is down, and says so once.

    Raises:
        ConfigurationError: the registry does not have the schema, and we may not put it there.
    """
    if registry is None:
        return b"", b""
    value = await _header(settings, registry, "value", bar_schema(settings.price_scale))
    if settings.key_format is not KeyFormat.AVRO:
        return b"", value
    return await _header(settings, registry, "key", bar_key_schema()), value


async def _header(
    settings: Settings, registry: SchemaRegistry, part: str, schema: dict[str, Any]
) -> bytes:
    subject = f"{settings.bar_topic}-{part}"
    for wait_s in itertools.chain(_WAITS_S, itertools.repeat(_WAITS_S[-1])):
        try:
            return confluent_header(await _schema_id(settings, registry, subject, schema))
        except RegistryUnavailableError as error:
            if wait_s == _WAITS_S[0]:
                log.warning("waiting_for_registry", error=str(error))
            await asyncio.sleep(wait_s)
    raise AssertionError("an endless wait has ended")


async def _schema_id(
    settings: Settings, registry: SchemaRegistry, subject: str, schema: dict[str, Any]
) -> int:
    if settings.auto_create_topics:
        return await registry.register(subject, schema)
    found = await registry.lookup(subject, schema)
    if found is None:
        raise ConfigurationError(
            f"subject {subject} does not have the bar schema: register "
            "config/schemas/bar.avsc there, or set BARENGINE_AUTO_CREATE_TOPICS=on"
        )
    return found
