"""The Confluent frames of bar keys and values, with schema ids from the registry."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Final

import structlog

from barengine.codec.framing import confluent_header
from barengine.errors import (
    ConfigurationError,
    RegistryRefusedError,
    RegistryUnavailableError,
    SchemaError,
)
from barengine.kafka.registry import SchemaRegistry
from barengine.service.subjects import Subject, key_subject, value_subject
from barengine.settings import Settings

log = structlog.get_logger(__name__)

_WAITS_S: Final = (0.5, 1.0, 2.0, 5.0)
"""Waits between attempts while the registry is down; the last one repeats."""

OnWait = Callable[[str | None], None]
"""Takes why we wait, and None when the wait is over."""


async def bar_headers(
    settings: Settings, registry: SchemaRegistry | None, on_wait: OnWait
) -> tuple[bytes, dict[str, bytes]]:
    """Frames of bar keys, and of bar values by topic; empty without a registry, a key's unless it
    is Avro.

    Waits for a registry that is down, and says so once.

    Raises:
        ConfigurationError: the registry refuses us or the schema, or does not have the schema
            and we may not put it there.
    """
    if registry is None:
        return b"", {}
    values = {
        topic: await _header(settings, registry, value_subject(settings, topic), on_wait)
        for topic in settings.bar_topics
    }
    # the same content has the same id under every subject; the key of a live bar is text
    keys = [
        await _header(settings, registry, key, on_wait)
        for topic in settings.bar_topics
        if topic != settings.live_topic and (key := key_subject(settings, topic))
    ]
    return keys[0] if keys else b"", values


async def _header(
    settings: Settings, registry: SchemaRegistry, subject: Subject, on_wait: OnWait
) -> bytes:
    for attempt, wait_s in enumerate(itertools.chain(_WAITS_S, itertools.repeat(_WAITS_S[-1]))):
        try:
            header = confluent_header(await _schema_id(settings, registry, subject))
        except (RegistryRefusedError, SchemaError) as error:
            raise ConfigurationError(str(error)) from error
        except RegistryUnavailableError as error:
            if attempt == 0:
                log.warning("waiting_for_registry", error=str(error))
            on_wait(str(error))
            await asyncio.sleep(wait_s)
        else:
            on_wait(None)
            return header
    raise AssertionError("an endless wait has ended")


async def _schema_id(settings: Settings, registry: SchemaRegistry, subject: Subject) -> int:
    if settings.auto_create_topics:
        return await registry.register(subject.name, subject.schema)
    found = await registry.lookup(subject.name, subject.schema)
    if found is None:
        raise ConfigurationError(
            f"subject {subject.name} does not have the schema of {subject.holds}: run "
            "`barengine infra apply`, or set BARENGINE_AUTO_CREATE_TOPICS=on"
        )
    return found
