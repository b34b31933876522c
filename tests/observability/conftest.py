"""One engine that has met everything once, and the real Prometheus that watches it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from barengine.kafka.local import LocalKafka
from tests.broker.conftest import kafka_broker as kafka_broker
from tests.broker.engine_process import EngineProcess
from tests.broker.records import Record
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, START_MS, tick, value
from tests.observability.files import RULES
from tests.observability.prometheus import PROMTOOL, Prometheus, program

JOB = "barengine"
FUTURE_MS = 365 * 86_400 * SECOND


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' own checker."""
    return program(PROMTOOL)


@pytest.fixture(scope="session")
def engine(
    kafka_broker: LocalKafka, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineProcess]:
    """It has made bars, holds an open window, and had a late, a dead and a quarantined record."""
    folder = tmp_path_factory.mktemp("engine")
    scene = Scene(kafka_broker.bootstrap, folder, 2, settings={"IDLE_TIMEOUT": "off"})
    now_ms = int(time.time() * 1000) - START_MS
    with scene.engine() as engine:
        ticks = [tick("eu", "A", at, partition=n) for at in (0, SECOND, 0) for n in (0, 1)]
        future = Record(value("us", "A", now_ms + FUTURE_MS))
        scene.produce([*ticks, future, Record(b"no tick")])
        engine.until_ready()
        engine.until("bars", lambda: engine.metric("barengine_bars_emitted_total") == 2)
        engine.until("letters", lambda: engine.metric("barengine_dead_letters_total") == 2)
        yield engine


@pytest.fixture(scope="session")
def prometheus(
    engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """It has scraped the engine, and evaluated the rules, a few times."""
    folder = tmp_path_factory.mktemp("prometheus")
    with Prometheus(folder, {JOB: f"127.0.0.1:{engine.port}"}, [RULES]) as server:
        newest = "deriv(barengine_consumer_lag_records[15m])"
        server.until("scraped twice", lambda: server.query(newest))
        last_rule = "job_broker:barengine_broker_silence_seconds:min"
        server.until("rules evaluated", lambda: server.query(last_rule))
        server.until("rates recorded", lambda: server.query("job:barengine_ticks:rate5m"))
        yield server
