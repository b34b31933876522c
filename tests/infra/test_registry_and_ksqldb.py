"""Schemas in a real registry, and statements for ksqlDB."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from tests.broker.scene import Scene
from tests.infra.commands import DONE, FAILED, apply, changes, infra, plan
from tests.unit.infra.ksqldb_stub import ksqldb_stub

COMPATIBILITY = "BACKWARD_TRANSITIVE"


def scene_of(bootstrap: str, folder: Path, url: str, **settings: str) -> Scene:
    """A context whose bars have their schemas in the registry."""
    return Scene(bootstrap, folder, settings={"SCHEMA_REGISTRY_URL": url, **settings})


def schema_changes(said: Any) -> dict[str, set[str]]:
    """Keys that change, by subject."""
    return {
        resource.removeprefix("schema "): set(keys)
        for resource, keys in changes(said).items()
        if resource.startswith("schema ")
    }


def test_schemas_of_bars_and_what_may_follow(
    bootstrap: str, registry_url: str, tmp_path: Path
) -> None:
    """Values and Avro keys are registered, with rules for their next versions; an engine that may
    register nothing runs on it, and the second apply does nothing."""
    scene = scene_of(bootstrap, tmp_path, registry_url, KEY_FORMAT="avro")
    subjects = {f"{scene.settings.bar_topic}-{part}" for part in ("value", "key")}
    wanted = {subject: {"schema", "compatibility"} for subject in subjects}
    assert schema_changes(plan(scene)) == wanted
    assert schema_changes(apply(scene)) == wanted

    with SchemaRegistryClient({"url": registry_url, "timeout": 10}) as client:
        for subject in subjects:
            assert len(client.get_versions(subject)) == 1
            assert client.get_compatibility(subject) == COMPATIBILITY
    assert plan(scene)["changes"] == 0
    assert apply(scene)["applied"] == []
    with scene.engine(AUTO_CREATE_TOPICS="off") as engine:
        engine.until_ready()


def test_rules_that_somebody_chose_stay(bootstrap: str, registry_url: str, tmp_path: Path) -> None:
    """A weaker level on the subject is told and stays; a stricter one is fine."""
    scene = scene_of(bootstrap, tmp_path, registry_url)
    subject = f"{scene.settings.bar_topic}-value"
    apply(scene)
    with SchemaRegistryClient({"url": registry_url, "timeout": 10}) as client:
        client.set_compatibility(subject, "NONE")
        [left] = apply(scene)["left_alone"]
        assert left["resource"] == f"schema {subject}"
        assert client.get_compatibility(subject) == "NONE"
        client.set_compatibility(subject, "FULL_TRANSITIVE")
        said = plan(scene)
        assert (said["changes"], said["left_alone"]) == (0, [])


def test_a_schema_that_clashes_is_left_alone(
    bootstrap: str, registry_url: str, tmp_path: Path
) -> None:
    """Somebody's records are under that subject: nothing is registered over them."""
    scene = scene_of(bootstrap, tmp_path, registry_url)
    subject = f"{scene.settings.bar_topic}-value"
    other = {"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}]}
    with SchemaRegistryClient({"url": registry_url, "timeout": 10}) as client:
        client.register_schema(subject, Schema(json.dumps(other), "AVRO"))
        client.set_compatibility(subject, "BACKWARD")
        [left] = apply(scene)["left_alone"]
        assert "clashes" in left["what"]
        assert len(client.get_versions(subject)) == 1


def test_a_registry_that_is_down(bootstrap: str, tmp_path: Path) -> None:
    """It is waited for, and named; nothing is made meanwhile."""
    scene = scene_of(bootstrap, tmp_path, "http://127.0.0.1:1")
    said = infra(scene, "apply", "--wait", "2s")
    assert said.code == FAILED
    assert "waited" in said.err
    assert "http://127.0.0.1:1" in said.err
    assert plan(scene, SCHEMA_REGISTRY_URL="")["changes"] == 5


def test_streams_and_tables_of_bars(
    bootstrap: str, registry_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statements are posted once, behind a login too, after the topics and schemas they need."""
    scene = scene_of(bootstrap, tmp_path, registry_url)
    with ksqldb_stub() as ksqldb:
        ksqldb.login = "me:secret"
        monkeypatch.setenv("KSQLDB_URL", ksqldb.url.replace("//", "//me:secret@"))
        resources = [*changes(apply(scene))]
        assert [resource.split()[0] for resource in resources[-3:]] == ["schema", *["ksqldb"] * 2]
        assert len(ksqldb.statements) == 2
        assert apply(scene)["applied"] == []
        assert infra(scene, "plan").code == DONE
        assert len(ksqldb.statements) == 2
