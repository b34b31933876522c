"""What every task of the process shares."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from barengine.engine.partition import PartitionEngine
from barengine.engine.state import StateImage
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.source import Source
from barengine.kernel import Kernel, KernelConfig
from barengine.service.metrics import Metrics
from barengine.service.schemas import SchemaBook
from barengine.service.topics import Topics
from barengine.settings import Settings

PARTITION_COUNT: Final = "partitions of the input topic"
"""In the fingerprint: it is no setting, but changes where a series' ticks are."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """Shared parts, made once at start-up."""

    settings: Settings
    connection: ConnectionConfig
    source: Source
    topics: Topics
    schemas: SchemaBook
    metrics: Metrics
    kernel: type[Kernel]
    value_header: bytes = b""
    key_header: bytes = b""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the partition whose work keeps the event loop: one slice of one partition is the
    longest stretch, however many there are."""

    def kernel_config(self, began_whole: bool) -> KernelConfig:
        """The rules of this run, as a kernel takes them."""
        settings = self.settings
        return KernelConfig(
            period=settings.period,
            grace_ns=settings.grace_ns,
            watermark=settings.watermark,
            idle_timeout_ns=settings.idle_timeout_ns,
            max_future_ns=settings.max_future_ns,
            order=settings.order,
            price_scale=settings.price_scale,
            framing=settings.framing,
            schema_by_id=settings.schema_registry_url is not None,
            record_time=settings.record_time,
            key_format=settings.key_format,
            key_header=self.key_header,
            value_header=self.value_header,
            began_whole=began_whole,
        )

    def fingerprint(self) -> dict[str, str]:
        """Settings that change what the ticks of [L, C) mean: they may not change between runs."""
        return fingerprint(self.settings, self.topics.partitions)

    def fresh_kernel(self, image: StateImage, start: int) -> Kernel:
        """An empty kernel that knows every schema resolved so far."""
        kernel = self.kernel(self.kernel_config(PartitionEngine.began_whole(image, start)))
        for schema_id, reader in self.schemas.known().items():
            kernel.add_schema(schema_id, *reader)
        return kernel


def fingerprint(settings: Settings, partitions: int) -> dict[str, str]:
    """Settings that change what the ticks of [L, C) mean, and the input topic's partitions."""
    return {
        "WINDOW": settings.period.name,
        "INPUT_FORMAT": settings.input_format,
        "INPUT_FRAMING": settings.framing.value,
        "FIELD_BROKER": settings.field_broker,
        "FIELD_SYMBOL": settings.field_symbol,
        "FIELD_TIMESTAMP": settings.field_timestamp,
        "FIELD_PRICE": settings.field_price,
        "PRICE_SCALE": str(settings.price_scale),
        "ORDER": settings.order.value,
        PARTITION_COUNT: str(partitions),
    }


def wall_ns() -> int:
    """Wall clock, ns since the epoch. The only place where the service reads it."""
    return time.time_ns()
