"""Heartbeats of feeds in a plain topic of a real broker."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
import structlog

from barengine.errors import ConfigurationError
from barengine.kafka.client import ConnectionConfig
from barengine.model import NEVER, NS_PER_MS
from barengine.service.heartbeats import HeartbeatSource
from barengine.settings import load_settings
from tests.broker.records import Record, make_topic, write
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, START_MS, tick

HOUR_MS = 3_600_000


def source_of(bootstrap: str, topic: str, refused: list[int]) -> HeartbeatSource:
    connection = ConnectionConfig(bootstrap)
    return HeartbeatSource(load_settings(None, {}), connection, topic, refused.append)


def beat(broker: str, time_ms: int, status: str = "up", partition: int = 0) -> Record:
    return Record(f'{{"status": "{status}"}}'.encode(), broker.encode(), partition, time_ms)


async def test_the_last_hour_is_read_and_followed(bootstrap: str, topic_name: str) -> None:
    """In every partition; what cannot be read is counted, logged once a look, and never fatal."""
    make_topic(bootstrap, topic_name, 3)
    now_ms = int(time.time() * 1000)
    long_ago = [beat("old", now_ms - 2 * HOUR_MS, partition=n) for n in (0, 1)]
    recent = [beat("a", now_ms - 60_000), beat("c", now_ms - 50_000, "down", 1)]
    write(bootstrap, topic_name, [*long_ago, *recent])
    refused: list[int] = []
    source = source_of(bootstrap, topic_name, refused)
    heartbeats = source.heartbeats
    end_ns = (now_ms + HOUR_MS) * NS_PER_MS
    try:
        await source.start()
        assert heartbeats("a", end_ns) == ((now_ms - 60_000) * NS_PER_MS, NEVER)
        assert heartbeats("c", end_ns) == (NEVER, (now_ms - 50_000) * NS_PER_MS)
        assert heartbeats("old", end_ns) == (NEVER, NEVER)
        bad = [Record(b"{", b"a", 2), Record(b"[" * 100_000, b"a", 2), Record(None, b"a", 2)]
        write(bootstrap, topic_name, [*bad, beat("a", now_ms, partition=2)])
        with structlog.testing.capture_logs() as logs:
            async with asyncio.timeout(60):
                while heartbeats("a", end_ns)[0] != now_ms * NS_PER_MS:
                    await source.poll()
                    await asyncio.sleep(0.05)
    finally:
        await source.close()
    assert sum(refused) == 2
    assert [line["event"] for line in logs] == ["heartbeat_refused"]
    assert logs[0]["place"] == f"topic {topic_name}, partition 2, offset 0"


async def test_without_its_topic_there_is_no_start(bootstrap: str, topic_name: str) -> None:
    """The error names it."""
    with pytest.raises(ConfigurationError, match=f"there is no topic {topic_name}; create it"):
        await source_of(bootstrap, topic_name, []).start()


def test_down_by_heartbeat_is_the_cause(bootstrap: str, tmp_path: Path) -> None:
    """The flat bars of a broker say so from the heartbeat's time on, whatever the engine knew when
    their ticks came; the metric counts what was no heartbeat."""
    rules = {"CONTINUOUS": "1s", "FEED_TIMEOUT": "1h", "FEED_HEARTBEATS": "beats"}
    scene = Scene(bootstrap, tmp_path, 1, rules)
    topic = scene.settings.heartbeat_topic
    assert topic is not None
    make_topic(bootstrap, topic, 1)
    down = f'{{"time": {START_MS + 3_500}, "status": "down"}}'.encode()
    write(bootstrap, topic, [Record(down, b"b"), Record(b"?", b"b")])
    with scene.engine(IDLE_TIMEOUT="off") as engine:
        engine.until_ready()
        scene.produce([tick("b", "A", 0), tick("b", "A", 6 * SECOND)])
        bars = scene.until_bars(engine, 6)
        assert engine.metric("barengine_heartbeats_refused_total") == 1
        assert engine.terminate() == 0, engine.tail()
    assert [bar["cause"] for bar in bars] == [None, "quiet", "quiet", *["feed_down"] * 3]
