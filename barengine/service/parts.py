"""What a run is made of before it connects anywhere; ``barengine config check`` makes it, too."""

from __future__ import annotations

from typing import NamedTuple

from barengine.kafka.client import ConnectionConfig
from barengine.kafka.registry import SchemaRegistry
from barengine.service.schemas import SchemaBook
from barengine.settings import Settings


class Parts(NamedTuple):
    """Who we are to the brokers and the registry, and how ticks are read."""

    connection: ConnectionConfig
    registry: SchemaRegistry | None
    schemas: SchemaBook


def parts(settings: Settings) -> Parts:
    """Read every file that the settings name.

    Raises:
        ConfigurationError: one cannot be used, or something is not installed.
    """
    connection = ConnectionConfig.of(settings)
    connection.kwargs()  # reads certificates and keys
    registry = SchemaRegistry.of(settings)
    return Parts(connection, registry, SchemaBook(settings, registry))
