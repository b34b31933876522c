"""What a running engine says over HTTP: probes, metrics and status that are true."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from barengine.kafka.local import LocalKafka
from tests.broker.engine_process import EngineProcess
from tests.broker.records import Record
from tests.broker.scene import LONG_SESSION, Scene
from tests.broker.ticks import SECOND, START_MS, tick

NAMES = (
    "barengine_ticks_total",
    "barengine_bars_emitted_total",
    "barengine_late_ticks_total",
    "barengine_late_ticks_dropped_total",
    "barengine_dead_letters_total",
    "barengine_windows_open_count",
    "barengine_watermark_lag_ms",
    "barengine_watermark_lag_seconds",
    "barengine_consumer_lag_records",
    "barengine_consumer_lag_seconds",
    "barengine_close_to_commit_seconds_bucket",
    "barengine_transaction_seconds_bucket",
    "barengine_transactions_total",
    "barengine_lateness_seconds_bucket",
    "barengine_restore_seconds_bucket",
    "barengine_task_state",
    "barengine_rebalances_total",
    "barengine_build_info",
)
"""Every metric that users are promised."""


@pytest.fixture(scope="module")
def scene(kafka_broker: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """One partition, never lost; windows wait for ticks, so that numbers stand still."""
    folder = tmp_path_factory.mktemp("http")
    settings = {"IDLE_TIMEOUT": "off"} | LONG_SESSION
    return Scene(kafka_broker.bootstrap, folder, settings=settings)


@pytest.fixture(scope="module")
def engine(scene: Scene) -> Iterator[EngineProcess]:
    """An engine that has made two bars, holds one open window, and had a late and a bad record."""
    #   A  |x  |x  |x          and then one more of the first second, and one that is no tick
    with scene.engine() as engine:
        ticks = [tick("b", "A", at) for at in (0, SECOND, 2 * SECOND, 0)]
        scene.produce([*ticks, Record(b"no tick")])
        engine.until_ready().until("two bars counted", lambda: bars(engine) == 2)
        engine.until("gauges", lambda: engine.metric("barengine_windows_open_count") == 1)
        yield engine


def bars(engine: EngineProcess) -> float:
    return engine.metric("barengine_bars_emitted_total", period="1s", origin="ticks")


def test_probes(engine: EngineProcess) -> None:
    """A running engine is live and ready."""
    assert engine.get("/livez") == (200, "live\n")
    assert engine.get("/readyz") == (200, "ready\n")
    assert engine.get("/elsewhere")[0] == 404


def test_every_metric_is_there(engine: EngineProcess, scene: Scene) -> None:
    """All promised metrics are exposed, each with the context of the engine."""
    samples = [
        sample
        for family in text_string_to_metric_families(engine.get("/metrics")[1])
        for sample in family.samples
        if sample.name.startswith("barengine_")
    ]

    assert {sample.name for sample in samples} >= set(NAMES)
    assert {sample.labels.get("context") for sample in samples} == {scene.context}
    assert not any("symbol" in sample.labels for sample in samples)


def test_counters_count(engine: EngineProcess) -> None:
    """Records, bars, late ticks, dead letters and transactions are counted once each."""
    assert engine.metric("barengine_ticks_total", partition="0") == 5
    assert bars(engine) == 2
    late = {"policy": "topic", "reason": "watermark"}
    assert engine.metric("barengine_late_ticks_total", **late) == 1
    assert engine.metric("barengine_late_ticks_total") == 1
    assert engine.metric("barengine_dead_letters_total", reason="framing") == 1
    assert engine.metric("barengine_dead_letters_total") == 1
    assert engine.metric("barengine_lateness_seconds_count") == 1
    assert engine.metric("barengine_transactions_total", outcome="committed") >= 1
    assert engine.metric("barengine_transactions_total", outcome="aborted") == 0
    assert engine.metric("barengine_restore_seconds_count") == 1
    assert engine.metric("barengine_task_state", state="running") == 1
    assert engine.metric("barengine_task_state") == 1


def test_gauges_follow(engine: EngineProcess) -> None:
    """Lag is nothing at the end of the log, and the watermark lag says how old the market is."""
    seconds = engine.metric("barengine_watermark_lag_seconds", partition="0")

    assert engine.metric("barengine_consumer_lag_records", partition="0") == 0
    assert engine.metric("barengine_consumer_lag_seconds", partition="0") == 0
    assert seconds > 365 * 86_400  # replayed ticks are years old
    assert engine.metric("barengine_watermark_lag_ms") == pytest.approx(seconds * 1000, rel=1e-3)


def test_status(engine: EngineProcess, scene: Scene) -> None:
    """/status tells where each partition stands, and the settings without secrets."""
    code, body = engine.get("/status")
    status = json.loads(body)

    assert (code, status["ready"]) == (200, True)
    assert status["settings"]["context"] == scene.context
    assert status["settings"]["sasl_password"] is None
    task = status["tasks"]["0"]
    assert (task["state"], task["position"], task["windows_open"]) == ("running", 5, 1)
    assert (task["low_water"], task["lag_records"]) == (2, 0)
    clocks = task["brokers"]["b"]
    assert clocks["market_clock_ms"] == START_MS + 2 * SECOND
    assert clocks["closed_through_ms"] == START_MS + 2 * SECOND


def test_default_kernel_is_the_compiled_one(engine: EngineProcess) -> None:
    """Unless another one is asked for, it is the compiled kernel that made all these bars."""
    asked = os.environ.get("BARENGINE_KERNEL", "compiled")

    kernel = {"compiled": "CompiledKernel", "pure": "PureKernel"}[asked]
    assert engine.metric("barengine_build_info", kernel=kernel) == 1
