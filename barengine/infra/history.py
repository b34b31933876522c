"""What was applied in a context: a compacted topic of one partition.

A record's key is the resource's id, its value JSON with the normalised content and its SHA-256.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from barengine import __version__
from barengine.infra.model import Kind, Resource
from barengine.kafka.admin import describe
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.state_reader import read_state
from barengine.kafka.topic import Need, Role, TopicSpec
from barengine.kafka.translate import translate
from barengine.naming import in_context
from barengine.settings import Settings

HISTORY: Final = "_barengine_migrations"

_REQUEST_MS: Final = 15_000
_WRITE_S: Final = 30.0
_STOP_S: Final = 5.0
"""Nothing waits to be written by then."""

_COMPACTED: Final = Need(
    "cleanup.policy",
    "compact",
    "has cleanup.policy={have}: what was applied would be forgotten with time",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """The last thing that was applied to one resource."""

    resource: str
    sha256: str
    content: dict[str, Any]
    applied_at: str
    """ISO 8601 in UTC."""
    version: str
    """Of barengine."""
    found: bool
    """It was there, as it shall be, before barengine had to do anything."""

    @classmethod
    def of(cls, resource: Resource, found: bool) -> Self:
        """An entry of now."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        content = json.loads(resource.normalised)
        return cls(resource.id, resource.sha256, content, now, __version__, found)


def history_topic(settings: Settings) -> TopicSpec:
    """The topic as it shall be."""
    return TopicSpec(
        in_context(settings.context, HISTORY),
        1,
        config={"cleanup.policy": "compact"},
        role=Role.HISTORY,
        why="what barengine infra has applied",
        needs=(_COMPACTED,),
    )


class History:
    """The history of one context. A context manager, for its connection."""

    def __init__(self, settings: Settings, connection: ConnectionConfig) -> None:
        self.topic: Final = history_topic(settings).name
        self.id: Final = f"{Kind.TOPIC} {self.topic}"
        self._connection = connection
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._producer is not None:
            await _stop(self._producer)
            self._producer = None

    async def read(self) -> dict[str, Entry]:
        """The last entry of each resource, by its id; what is no entry is left out.

        Raises:
            KafkaUnavailableError, ConfigurationError: no answer, or not allowed.
        """
        if self.topic not in await describe(self._connection, [self.topic]):
            return {}
        records = await read_state(self._connection, self.topic, 0)
        found = [(key, _entry(value)) for key, value in records if key is not None]
        return {key.decode(errors="replace"): entry for key, entry in found if entry is not None}

    async def write(self, entry: Entry) -> None:
        """Store an entry, and return when it is.

        Raises:
            KafkaUnavailableError, ConfigurationError: not now, or not allowed.
        """
        value = json.dumps(asdict(entry), ensure_ascii=False).encode()
        try:
            async with asyncio.timeout(_WRITE_S):  # aiokafka tries for ever
                if self._producer is None:
                    self._producer = await self._started()
                key = entry.resource.encode()
                await self._producer.send_and_wait(self.topic, value, key, partition=0)
        except (KafkaError, TimeoutError) as error:
            raise translate(error, f"writing to {self.topic}") from error

    async def _started(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._connection.kwargs(), acks="all", request_timeout_ms=_REQUEST_MS
        )
        try:
            await producer.start()
        except BaseException:
            await _stop(producer)
            raise
        return producer


async def _stop(producer: AIOKafkaProducer) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_STOP_S):
            await producer.stop()


def _entry(value: bytes | None) -> Entry | None:
    try:
        return Entry(**json.loads(value or b""))
    except (ValueError, TypeError):
        return None
