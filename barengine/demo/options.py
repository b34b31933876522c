"""What a demo was asked for, and what the engine and the player get from that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Final

from barengine.demo import csv_ticks
from barengine.demo.session import Play
from barengine.demo.ticks import Market, Planned, generate
from barengine.kafka.admin import describe
from barengine.kafka.client import ConnectionConfig
from barengine.model import NS_PER_MS, LatePolicy, Period, Watermark
from barengine.settings import ENV_PREFIX, Settings, load_settings, parse_duration

_IDLE: Final = "2s"
"""Silence that closes windows: soon enough to be waited for."""


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, checked: durations and periods are valid."""

    seconds: float | None
    """None: until the ticks or the user end."""
    window: str
    grace: str
    rate: int
    ticks: Path | None
    speed: float | None
    partitions: int
    seed: int
    http_port: int
    keep: Path | None
    kernel: str
    rollups: str = ""
    continuous: str = ""
    late: str = LatePolicy.TOPIC.value
    live: str = "off"

    @property
    def grace_ms(self) -> int:
        """How long a bar waits for its last ticks."""
        return parse_duration(self.grace) // NS_PER_MS

    @property
    def late_ms(self) -> int:
        """A tick that far behind is late for certain."""
        return self.grace_ms + Period.parse(self.window).length_ns // NS_PER_MS


async def free_context(bootstrap: str) -> str:
    """The first context whose topics do not exist: a kept folder may hold earlier runs."""
    connection = ConnectionConfig(bootstrap_servers=bootstrap)
    for context in chain([""], (f"run{number}" for number in count(2))):
        topic = _topics(context).input_topic
        if topic not in await describe(connection, [topic]):
            return context
    raise AssertionError("count() ended")


def _topics(context: str) -> Settings:
    return load_settings(None, {f"{ENV_PREFIX}CONTEXT": context})


def engine_settings(
    options: Options, bootstrap: str, context: str, watermark: Watermark
) -> Settings:
    """Settings of an engine for this demo alone, on topics of its own."""
    keys = {
        "BOOTSTRAP_SERVERS": bootstrap,
        "CONTEXT": context,
        "WINDOW": options.window,
        "GRACE": options.grace,
        "WATERMARK": watermark.value,
        "IDLE_TIMEOUT": _IDLE,
        "AUTO_CREATE_TOPICS": "on",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(options.http_port),
        "LATE_POLICY": options.late,
        "LIVE": options.live,
        **{
            key: periods
            for key, periods in (("ROLLUPS", options.rollups), ("CONTINUOUS", options.continuous))
            if periods
        },
    }
    return load_settings(None, {ENV_PREFIX + key: value for key, value in keys.items()})


def play(options: Options) -> Play:
    """The ticks that were asked for."""

    def made_up(start_ms: int) -> Iterator[Planned]:
        return generate(Market(options.seed, start_ms, options.rate, options.late_ms))

    def from_file(_: int) -> Iterator[Planned]:
        assert options.ticks is not None
        return csv_ticks.play(options.ticks, options.speed)

    return Play(
        made_up if options.ticks is None else from_file,
        f"{','.join(filter(None, (options.window, options.rollups)))} bars, grace {options.grace}",
        options.seconds,
        options.partitions,
    )
