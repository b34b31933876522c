"""What every task of the process shares."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from barengine.codec.symbols import SymbolNames
from barengine.engine.partition import PartitionEngine
from barengine.engine.state import LOCAL_SCHEMA, SCHEMAS_BY_ID, WITH_A_BOOK, StateImage
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.source import Source
from barengine.kernel import (
    BlockForm,
    Book,
    BookConfig,
    Kernel,
    KernelConfig,
    Kind,
    Rung,
    book_class,
)
from barengine.model import Normalize, OutOfSession, Reason, Watermark
from barengine.service.calendar import TradingCalendar
from barengine.service.look import Look
from barengine.service.metrics import Metrics
from barengine.service.schemas import SchemaBook
from barengine.service.topics import Topics
from barengine.settings import Settings

PARTITION_COUNT: Final = "partitions of the input topic"
"""In the fingerprint: it is no setting, but changes where a series' ticks are."""


_OUTSIDE: Final = {
    OutOfSession.INCLUDE: Reason.OUT_OF_SESSION,
    OutOfSession.LATE: Reason.OUT_OF_SESSION_LATE,
    OutOfSession.DEAD: Reason.OUT_OF_SESSION,
}


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
    value_headers: Mapping[str, bytes] = field(default_factory=dict)
    """Confluent frames of bar values, by topic; none without a registry."""
    key_header: bytes = b""
    calendar: TradingCalendar = field(default_factory=TradingCalendar)
    feed: Callable[[str, int], tuple[int, int]] | None = None
    """What heartbeats say of a broker's feed; None where none are read."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the partition whose work keeps the event loop: one slice of one partition is the
    longest stretch, however many there are."""
    commit_turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the partition that takes a snapshot: where all of them close the same minute, the
    event loop is free between two."""
    look: Look = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "look", Look(self.connection, self.settings.state_topic))

    def kernel_config(self, began_whole: bool) -> KernelConfig:
        """The rules of this run, as a kernel takes them."""
        settings = self.settings
        include = settings.out_of_session is OutOfSession.INCLUDE
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
            value_header=self.value_headers.get(settings.bar_topic, b""),
            live_header=self.value_headers.get(settings.live_topic, b""),
            began_whole=began_whole,
            book=has_book(settings),
            trading=None if include else self.calendar.trading,
            out_of_session=_OUTSIDE[settings.out_of_session],
            sizes=settings.field_size is not None,
            names=symbol_names(settings),
            skip_partial=settings.skip_partial,
        )

    def fresh_book(self) -> Book | None:
        """An empty book; None where nothing but base bars is asked for."""
        if not has_book(self.settings):
            return None
        return book_class(self.kernel)(self._book_config(), self.calendar)

    def _book_config(self) -> BookConfig:
        settings = self.settings
        flat = {period.length_ns for period in settings.continuous}
        rungs = tuple(Rung(period, period.length_ns in flat) for period in settings.periods)
        return BookConfig(
            rungs,
            by_series=settings.watermark is Watermark.SERIES,
            order=settings.order,
            horizon_ns=settings.correction_horizon_ns if settings.corrects else None,
            continuous_max_ns=settings.continuous_max_ns,
            feed_timeout_ns=settings.feed_timeout_ns,
            feed=self.feed,
            sized=settings.field_size is not None,
            forms={
                (at, kind): BlockForm(
                    rung.period.name,
                    settings.order,
                    settings.key_format,
                    self.key_header,
                    self.value_headers.get(leaf_topic(settings, at, kind), b""),
                    settings.skip_partial,
                )
                for at, rung in enumerate(rungs)
                for kind in Kind
            },
        )

    def fingerprint(self) -> dict[str, str]:
        """Settings that change what the ticks of [L, C) mean: they may not change between runs."""
        return fingerprint(self.settings, self.topics.partitions, self.schemas.digest)

    def fresh_kernel(self, image: StateImage, start: int) -> Kernel:
        """An empty kernel that knows every schema resolved so far."""
        kernel = self.kernel(self.kernel_config(PartitionEngine.began_whole(image, start)))
        for schema_id, reader in self.schemas.known().items():
            kernel.add_schema(schema_id, *reader)
        return kernel


def leaf_topic(settings: Settings, rung: int, kind: Kind) -> str:
    """The topic of the bars of a leaf."""
    period = settings.periods[rung]
    if kind is Kind.CORRECTION:
        return settings.corrections_topic(period)
    return settings.topic_of(period)


def symbol_names(settings: Settings) -> SymbolNames | None:
    """What symbols are called; None where every name is its own."""
    aliases, normalize = settings.symbol_aliases, settings.symbol_normalize
    if aliases is None and normalize is Normalize.NONE:
        return None
    return SymbolNames(normalize, aliases.table if aliases else None)


def has_book(settings: Settings) -> bool:
    """Whether anything but final base bars is asked for."""
    return bool(settings.rollups or settings.continuous or settings.corrects)


def fingerprint(settings: Settings, partitions: int, schema: str | None) -> dict[str, str]:
    """Settings that change what the ticks of [L, C) mean, and the input topic's partitions.

    One that a state of an earlier release cannot know stands in it where it is set, only.

    Args:
        schema: what names the schema that reads every value; None where there is no such.
    """
    aliases, normalize = settings.symbol_aliases, settings.symbol_normalize
    since = {
        "FIELD_SIZE": settings.field_size,
        "FIELD_FLAGS": settings.field_flags,
        "SYMBOL_ALIASES": aliases.digest if aliases is not None else None,
        "SYMBOL_NORMALIZE": normalize.value if normalize is not Normalize.NONE else None,
        WITH_A_BOOK: settings.watermark.value if has_book(settings) else None,
        LOCAL_SCHEMA: schema,
        SCHEMAS_BY_ID: "set" if settings.schema_registry_url is not None else None,
    }
    return {key: text for key, text in since.items() if text is not None} | {
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
