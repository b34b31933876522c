"""Schemas by id, in a real registry: known, evolved, unknown, and those of the bars."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from barengine.codec.fields import TICK_SCHEMA
from tests.broker.registered import (
    EVOLVED,
    PRICELESS,
    REORDERED,
    Registered,
    registered_scene,
    schema_id,
)
from tests.broker.registry_door import Door
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, frame

LATER = 100 * SECOND
STATIC = {"GROUP_INSTANCE_ID": "one", "GRACE": "3s"}
"""A restart after a crash need not wait for the session's end."""

MISCONFIGURED = 2


@pytest.fixture
def door(registry_url: str) -> Iterator[Door]:
    """The registry as engines see it: here one can look at what they ask."""
    with Door(registry_url) as door:
        yield door


@pytest.fixture
def market(bootstrap: str, tmp_path: Path, door: Door, registry_url: str) -> Iterator[Registered]:
    """A scene with the registry and nothing else that is unusual."""
    with Registered(registered_scene(bootstrap, tmp_path, door.url), registry_url) as market:
        yield market


def make_topics(scene: Scene) -> None:
    """What an engine writes to, where it may make nothing itself."""
    for topic in (scene.settings.bar_topic, scene.settings.late_topic, scene.settings.dead_topic):
        scene.make_topic(topic)
    scene.make_topic(scene.settings.state_topic, cleanup_policy="compact")


# -- ticks ---------------------------------------------------------------------------------------


def test_several_schemas_in_one_topic(market: Registered, door: Door) -> None:
    """Ticks of several schemas, one of which refers to another subject, meet in one bar; each id
    is asked for once."""
    market.register(f"{market.scene.context}.Side", SIDE)
    sided = {**TICK_SCHEMA, "fields": [*TICK_SCHEMA["fields"], {"name": "on", "type": "x.Side"}]}
    number = market.register(
        market.tick_subject, sided, **{"x.Side": f"{market.scene.context}.Side"}
    )
    plain = market.tick(400, 2.0)
    referring = plain._replace(value=frame(number) + (plain.value or b"")[5:] + b"\x02")
    ticks = [
        market.tick(0, 1.0),
        market.tick(100, 5.0, EVOLVED, venue="X"),
        market.tick(200, 4.0, EVOLVED),
        market.tick(300, 3.0, REORDERED),
        referring,
    ]
    market.scene.produce(ticks)

    with market.scene.engine() as engine:
        [bar] = market.until_bars(engine, 1)

    assert bar["tick_count"] == 5
    assert [bar[name] for name in ("open", "high", "low", "close")] == [1, 5, 1, 2]
    assert market.scene.dead() == []
    ids = sorted(f"GET /schemas/ids/{schema_id(tick.value)}" for tick in [*ticks[:2], *ticks[3:]])
    asked = [path.replace(door.target.path, "") for path in door.asked]
    asked = sorted(path for path in asked if "/schemas/ids/" in path)
    if engine.events("registry_unavailable"):  # one that stands still is asked again
        asked = sorted({*asked})
    assert asked == ids


SIDE: dict[str, Any] = {
    "type": "enum",
    "name": "Side",
    "namespace": "x",
    "symbols": ["BUY", "SELL"],
}


def version(price: str, *more: dict[str, Any]) -> dict[str, Any]:
    """A schema of ticks with a price of that type and more fields before it."""
    identity = TICK_SCHEMA["fields"][:-1]
    return {**TICK_SCHEMA, "fields": [*identity, *more, {"name": "bid", "type": price}]}


def field(name: str, kind: str, default: object) -> dict[str, Any]:
    return {"name": name, "type": kind, "default": default}


EVOLUTION = [
    version("int"),
    version("int", field("size", "int", 1)),  # a field is added
    version("long", field("size", "int", 1)),  # int becomes long
    version("long", field("size", "long", 1)),  # also where nobody reads it
    version("float", field("size", "long", 1)),  # long becomes float
    version("double", field("size", "double", 1)),  # float becomes double
    version("double"),  # a field goes that had a default
]
"""The changes that a registry allows under BACKWARD, one after the other."""


def test_schemas_evolve_under_way(market: Registered, door: Door) -> None:
    """Each allowed change of a schema reaches a running engine with its first tick: it goes on,
    without a dead letter and without one tick that is counted wrongly."""
    market.register(market.tick_subject, EVOLUTION[0])
    market.client.set_compatibility(market.tick_subject, "BACKWARD")
    with market.scene.engine() as engine:
        engine.until_ready()
        for number, schema in enumerate(EVOLUTION):
            start = number * LATER  # more than silence can close while this test waits
            market.scene.produce(
                [
                    market.tick(start, number + 1, schema, size=7),
                    market.tick(start + 100, number + 2, schema, size=8),
                ]
            )
            market.until_bars(engine, number)
        bars = market.until_bars(engine, len(EVOLUTION))
        assert [(bar["open"], bar["close"], bar["tick_count"]) for bar in bars] == [
            (number + 1, number + 2, 2) for number in range(len(EVOLUTION))
        ]
        assert len(engine.events("schema")) == len(EVOLUTION)
        assert not engine.events("slow_path")
        assert engine.terminate() == 0
    assert market.scene.dead() == []
    assert market.scene.late() == []


def test_unknown_schema_id(market: Registered, door: Door) -> None:
    """A schema id that the registry does not know is a dead letter; a restart, by which time the
    registry knows it, neither loses nor doubles anything."""
    scene = market.scene
    scene.given |= STATIC
    unknown = market.tick(100, 9.0, EVOLVED)
    door.hidden.add(schema_id(unknown.value))
    scene.produce([market.tick(0, 1.0), unknown, market.tick(200, 2.0)])
    with scene.engine(IDLE_TIMEOUT="off") as first:
        first.until_ready().until("the letter", lambda: len(scene.dead()) == 1)
        first.kill9()

    door.hidden.clear()
    # before it starts: where it finds nothing new, the time since the last tick was silence
    scene.produce([market.tick(300, 3.0, EVOLVED), market.tick(LATER, 1.0)])
    with scene.engine() as second:
        [bar, *_] = market.until_bars(second, 1)

    [letter] = scene.dead()
    assert (letter.value, letter.key) == (unknown.value, unknown.key)
    assert letter.header("reason") == b"unknown_schema"
    assert (bar["tick_count"], bar["high"], bar["close"]) == (3, 3, 3)


def test_schema_without_the_fields(market: Registered) -> None:
    """Records of a schema that can never yield a tick are dead letters, once, be it over a crash;
    the log names id, field and setting once, and the ticks around are in their bar."""
    scene = market.scene
    scene.given |= STATIC
    bad = market.tick(0, 1.0, PRICELESS)
    scene.produce([market.tick(0, 1.0), bad, bad, market.tick(200, 2.0)])

    with scene.engine(IDLE_TIMEOUT="off") as first:
        counted = partial(first.metric, "barengine_dead_letters_total", reason="schema")
        first.until_ready().until("the letters", lambda: counted() == 2)
        [said] = first.events("schema_without_ticks")
        first.kill9()
    with scene.engine() as second:
        scene.produce([market.tick(LATER, 1.0)])
        [bar, *_] = market.until_bars(second, 1)

    assert said["level"] == "error"
    assert said["schema_id"] == schema_id(bad.value)
    assert "'bid'" in said["error"]
    assert "BARENGINE_FIELD_PRICE" in said["error"]
    assert [letter.header("reason") for letter in scene.dead()] == [b"schema"] * 2
    assert scene.dead()[0].value == bad.value
    assert bar["tick_count"] == 2


def test_local_schema_without_the_fields(bootstrap: str, tmp_path: Path) -> None:
    """A schema that was configured cannot be somebody else's: that is a configuration error."""
    path = tmp_path / "tick.avsc"
    path.write_text(json.dumps(PRICELESS))
    scene = Scene(bootstrap, tmp_path, settings={"INPUT_SCHEMA": str(path)})

    with scene.engine() as engine:
        assert engine.exit_code() == MISCONFIGURED

    assert "BARENGINE_INPUT_SCHEMA: no price in the field 'bid'" in engine.text()


# -- bars ----------------------------------------------------------------------------------------

SUBJECTS = {
    "topic": ("{topic}-value", "{topic}-key"),
    "record": ("barengine.Bar", "barengine.BarKey"),
    "topic_record": ("{topic}-barengine.Bar", "{topic}-barengine.BarKey"),
}
"""https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/"""


@pytest.mark.parametrize("strategy", SUBJECTS)
def test_bars_are_registered(strategy: str, market: Registered) -> None:
    """Bars and Avro keys carry the ids under which their schemas are in the subjects of the
    strategy, and a reader who knows the registry alone can read them."""
    scene = market.scene
    scene.produce([market.tick(0, 1.5)])

    with scene.engine(KEY_FORMAT="avro", SUBJECT_STRATEGY=strategy) as engine:
        [bar] = market.until_bars(engine, 1)

    [key], [record] = market.keys(), scene.bar_records()
    subjects = [name.format(topic=scene.settings.bar_topic) for name in SUBJECTS[strategy]]
    found = [market.client.get_latest_version(subject).schema_id for subject in subjects]
    assert found == [schema_id(record.value), schema_id(record.key)]
    assert (bar["close"], bar["tick_count"]) == (1.5, 1)
    assert key == {name: bar[name] for name in ("broker", "symbol", "bucket_start")}


def test_missing_subject_is_named(market: Registered) -> None:
    """Where it may make nothing, an engine names the subject that lacks the schema; it runs as
    soon as somebody has put it there, however that is written."""
    scene = market.scene
    make_topics(scene)
    subject = f"{scene.settings.bar_topic}-value"

    with scene.engine(AUTO_CREATE_TOPICS="off") as first:
        assert first.exit_code() == MISCONFIGURED
    assert subject in first.text()
    assert subject not in market.client.get_subjects()

    avsc = Path(__file__).parents[2] / "config" / "schemas" / "bar.avsc"
    market.register(subject, json.loads(avsc.read_text()))
    scene.produce([market.tick(0, 1.0)])
    with scene.engine(AUTO_CREATE_TOPICS="off") as second:
        assert len(market.until_bars(second, 1)) == 1


def test_a_subject_that_refuses_the_schema(market: Registered) -> None:
    """A schema of bars that does not fit what the subject holds is a configuration error: readers
    of the topic could not read on."""
    scene = market.scene
    subject = f"{scene.settings.bar_topic}-value"
    market.register(subject, TICK_SCHEMA)
    market.client.set_compatibility(subject, "BACKWARD")

    with scene.engine() as engine:
        assert engine.exit_code() == MISCONFIGURED

    assert f"subject {subject}: the registry refuses the schema" in engine.text()
