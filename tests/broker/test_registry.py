"""Schemas by id: known, evolved, unknown, and a registry that is not there."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest

from barengine.codec.bar import bar_key_schema
from barengine.codec.fields import TICK_SCHEMA
from tests.broker.engine_process import EngineProcess
from tests.broker.records import Record
from tests.broker.registry_stub import RegistryStub
from tests.broker.scene import Scene, decode_bar
from tests.broker.ticks import SECOND, START_MS, frame

LATER = 100 * SECOND
FIRST, EVOLVED, REORDERED, UNKNOWN = 1, 2, 70_000, 999

VENUE = {"name": "venue", "type": ["null", "string"], "default": None}
SCHEMAS: dict[int, dict[str, Any]] = {
    FIRST: TICK_SCHEMA,
    EVOLVED: {**TICK_SCHEMA, "fields": [VENUE, *TICK_SCHEMA["fields"]]},
    REORDERED: {**TICK_SCHEMA, "fields": TICK_SCHEMA["fields"][::-1]},
}


@pytest.fixture
def registry() -> Iterator[RegistryStub]:
    """Up, with three schemas of ticks."""
    with RegistryStub() as registry:
        registry.schemas.update(SCHEMAS)
        yield registry


def scene_with(registry: RegistryStub, bootstrap: str, folder: Path, **settings: str) -> Scene:
    return Scene(bootstrap, folder, settings={"SCHEMA_REGISTRY_URL": registry.url, **settings})


def framed(schema_id: int, at_ms: int, price: float, schema: Any = None, **more: Any) -> Record:
    """A tick of broker b, symbol A, written by that schema (by default the id's own)."""
    fields = {"broker": "b", "symbol": "A", "timestamp": START_MS + at_ms, "bid": price, **more}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema or SCHEMAS[schema_id], fields)
    return Record(frame(schema_id) + out.getvalue(), b"b|A", 0, START_MS)


def bars_of(scene: Scene) -> list[dict[str, Any]]:
    """Bars behind the frame that the registry made for them."""
    return [decode_bar((record.value or b"")[5:]) for record in scene.bar_records()]


def until_bars(scene: Scene, engine: EngineProcess, count: int) -> list[dict[str, Any]]:
    """Wait for so many framed bars."""
    engine.until_ready().until(f"{count} bars", lambda: len(scene.bar_records()) >= count)
    return bars_of(scene)


def test_several_schemas_in_one_topic(
    registry: RegistryStub, bootstrap: str, tmp_path: Path
) -> None:
    """Ticks of several schemas, an evolved one among them, meet in one bar."""
    scene = scene_with(registry, bootstrap, tmp_path)
    scene.produce(
        [
            framed(FIRST, 0, 1.0),
            framed(EVOLVED, 100, 5.0, venue="X"),
            framed(EVOLVED, 200, 4.0),
            framed(REORDERED, 300, 3.0),
            framed(FIRST, 400, 2.0),
        ]
    )

    with scene.engine() as engine:
        [bar] = until_bars(scene, engine, 1)

    assert bar["tick_count"] == 5
    assert [bar[name] for name in ("open", "high", "low", "close")] == [1, 5, 1, 2]
    assert scene.dead() == []
    asked = [path for path in registry.asked if "/schemas/ids/" in path]
    assert len(asked) == 3, "each id is asked for once"


def test_bars_are_framed_by_the_registry(
    registry: RegistryStub, bootstrap: str, tmp_path: Path
) -> None:
    """With a registry, bars and Avro keys carry the ids under which their schemas are there."""
    scene = scene_with(registry, bootstrap, tmp_path, KEY_FORMAT="avro")
    scene.produce([framed(FIRST, 0, 1.0)])

    with scene.engine() as engine:
        [bar] = until_bars(scene, engine, 1)

    [record] = scene.bar_records()
    ids = {
        part: registry.subjects[f"{scene.settings.bar_topic}-{part}"] for part in ("key", "value")
    }
    assert (record.value or b"")[:5] == frame(ids["value"])
    assert (record.key or b"")[:5] == frame(ids["key"])
    key = fastavro.schemaless_reader(
        io.BytesIO((record.key or b"")[5:]), fastavro.parse_schema(bar_key_schema()), None
    )
    assert key == {name: bar[name] for name in ("broker", "symbol", "bucket_start")}


def test_unknown_schema_id(registry: RegistryStub, bootstrap: str, tmp_path: Path) -> None:
    """A schema id that the registry does not know is a dead letter; a restart, by which time the
    registry knows it, neither loses nor doubles anything."""
    scene = scene_with(registry, bootstrap, tmp_path, GROUP_INSTANCE_ID="one", GRACE="3s")
    unknown = framed(UNKNOWN, 100, 9.0, SCHEMAS[FIRST])
    scene.produce([framed(FIRST, 0, 1.0), unknown, framed(FIRST, 200, 2.0)])
    with scene.engine(IDLE_TIMEOUT="off") as first:
        first.until_ready().until("the letter", lambda: len(scene.dead()) == 1)
        first.kill9()

    registry.schemas[UNKNOWN] = SCHEMAS[FIRST]
    with scene.engine() as second:
        scene.produce([framed(UNKNOWN, 300, 3.0, SCHEMAS[FIRST]), framed(FIRST, LATER, 1.0)])
        [bar, *_] = until_bars(scene, second, 1)

    [letter] = scene.dead()
    assert (letter.value, letter.key) == (unknown.value, unknown.key)
    assert letter.header("reason") == b"unknown_schema"
    assert (bar["tick_count"], bar["high"], bar["close"]) == (3, 3, 3)


def test_registry_that_is_down(registry: RegistryStub, bootstrap: str, tmp_path: Path) -> None:
    """While the registry is down a record waits, and with it what stands behind it; the log says
    so once, and nothing is skipped when it is up again."""
    scene = scene_with(registry, bootstrap, tmp_path)
    with scene.engine() as engine:
        scene.produce([framed(FIRST, 0, 1.0)])
        until_bars(scene, engine, 1)
        registry.down()
        scene.produce(
            [
                framed(EVOLVED, 5 * SECOND, 2.0),
                framed(FIRST, LATER, 3.0),
                framed(FIRST, 2 * LATER, 1.0),
            ]
        )
        engine.until("the complaint", lambda: bool(engine.events("registry_unavailable")))
        time.sleep(1.0)  # a second in which it might skip, or complain again
        assert len(bars_of(scene)) == 1
        assert engine.tasks()[0]["position"] == 1
        assert engine.get("/livez")[0] == 200

        registry.up()

        bars = until_bars(scene, engine, 4)
        assert [bar["open"] for bar in bars] == [1, 2, 3, 1]
        assert len(engine.events("registry_unavailable")) == 1
        assert engine.terminate() == 0
    assert scene.dead() == []
    assert scene.late() == []


def test_registry_that_is_down_at_the_start(
    registry: RegistryStub, bootstrap: str, tmp_path: Path
) -> None:
    """An engine whose registry is not up yet says so once, waits, and begins when it is."""
    scene = scene_with(registry, bootstrap, tmp_path)
    scene.produce([framed(FIRST, 0, 1.0)])
    registry.down()
    with scene.engine() as engine:
        engine.until("the complaint", lambda: bool(engine.events("waiting_for_registry")))
        assert not engine.ready()

        registry.up()

        assert len(until_bars(scene, engine, 1)) == 1
        assert len(engine.events("waiting_for_registry")) == 1


def test_terminate_while_a_record_waits(
    registry: RegistryStub, bootstrap: str, tmp_path: Path
) -> None:
    """SIGTERM ends an engine that waits for the registry; the record is in the next one's bar."""
    scene = scene_with(registry, bootstrap, tmp_path)
    with scene.engine() as first:
        first.until_ready()
        registry.down()
        scene.produce([framed(FIRST, 0, 1.0)])
        first.until("the complaint", lambda: bool(first.events("registry_unavailable")))
        assert first.terminate() == 0

    registry.up()
    with scene.engine() as second:
        [bar] = until_bars(scene, second, 1)

    assert bar["tick_count"] == 1


def test_missing_bar_subject_is_named(
    registry: RegistryStub, bootstrap: str, tmp_path: Path
) -> None:
    """Where it may make nothing, an engine names the subject that lacks the bar schema."""
    scene = scene_with(registry, bootstrap, tmp_path)
    settings = scene.settings
    for topic in (settings.bar_topic, settings.late_topic, settings.dead_topic):
        scene.make_topic(topic)
    scene.make_topic(settings.state_topic, cleanup_policy="compact")

    with scene.engine(AUTO_CREATE_TOPICS="off") as engine:
        assert engine.exit_code() == 2

    assert f"{settings.bar_topic}-value" in engine.text()
    assert registry.subjects == {}


def test_schema_without_the_fields(registry: RegistryStub, bootstrap: str, tmp_path: Path) -> None:
    """Records of a schema that can never yield a tick are dead letters, once, be it over a crash;
    the log names id, field and setting once, and the ticks around are in their bar."""
    scene = scene_with(registry, bootstrap, tmp_path, GROUP_INSTANCE_ID="one", GRACE="3s")
    no_price = {**TICK_SCHEMA, "fields": TICK_SCHEMA["fields"][:-1]}
    registry.schemas[UNKNOWN] = no_price
    bad = framed(UNKNOWN, 0, 1.0, no_price)
    scene.produce([framed(FIRST, 0, 1.0), bad, bad, framed(FIRST, 200, 2.0)])

    with scene.engine(IDLE_TIMEOUT="off") as first:
        first.until_ready().until("the letters", lambda: len(scene.dead()) == 2)
        [said] = first.events("schema_without_ticks")
        assert first.metric("barengine_dead_letters_total", reason="schema") == 2
        first.kill9()
    registry.schemas[UNKNOWN] = TICK_SCHEMA  # as if a newer release could read it
    with scene.engine() as second:
        scene.produce([framed(FIRST, LATER, 1.0)])
        [bar, *_] = until_bars(scene, second, 1)

    assert said["level"] == "error"
    assert said["schema_id"] == UNKNOWN
    assert "'bid'" in said["error"]
    assert "BARENGINE_FIELD_PRICE" in said["error"]
    assert [letter.header("reason") for letter in scene.dead()] == [b"schema"] * 2
    assert scene.dead()[0].value == bad.value
    assert bar["tick_count"] == 2


def test_local_schema_without_the_fields(bootstrap: str, tmp_path: Path) -> None:
    """A schema that was configured cannot be somebody else's: that is a configuration error."""
    path = tmp_path / "tick.avsc"
    path.write_text(json.dumps({**TICK_SCHEMA, "fields": TICK_SCHEMA["fields"][:-1]}))
    scene = Scene(bootstrap, tmp_path, settings={"INPUT_SCHEMA": str(path)})

    with scene.engine() as engine:
        assert engine.exit_code() == 2

    assert "BARENGINE_INPUT_SCHEMA: no price in the field 'bid'" in engine.text()
