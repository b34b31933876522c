"""The settings in the chart: those that there are, all of them, and read as they were meant."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # PyYAML ships no types

from barengine.settings import ENV_PREFIX, KEYS, Settings, load_settings
from barengine.settings.sources import SECRET_KEYS
from tests.chart.render import (
    CHART,
    SETS,
    VALUES,
    container,
    environment,
    of_kind,
    one,
    rendered,
    workload,
)
from tests.chart.settings_schema import SCHEMA, definitions

NOT_IN_VALUES = {"config", "group_instance_id"}
"""A file that the chart does not make, and what staticMembers sets."""

SAMPLES: dict[str, Any] = {
    "bootstrap_servers": "kafka:9092",
    "field_timestamp": "@record",
    "idle_timeout": "7s",
    "output_topic": "candles_{period}",
    "schedule": "topic:markets",
    "schema_registry_url": "http://registry:8081",
    "window": "5s",
}
"""Where a value cannot be made from what the schema says of it."""


def ours(variables: dict[str, Any]) -> dict[str, Any]:
    """The variables that are settings, by key."""
    prefix = ENV_PREFIX
    return {k.removeprefix(prefix).lower(): v for k, v in variables.items() if k.startswith(prefix)}


def sample(key: str) -> Any:
    """Some value that the schema takes."""
    form = definitions()["settings"]["properties"][key]
    if key in SAMPLES:
        return SAMPLES[key]
    if "enum" in form:
        return form["enum"][-1]
    if form["type"] == "integer":
        return form["minimum"]
    if form["type"] == ["boolean", "string"]:
        return True
    return "9s" if "pattern" in form else "/etc/ssl/x" if "file" in key else "some-name"


def test_the_schema_has_the_settings_there_are() -> None:
    """values.schema.json is current: else run python -m tests.chart.settings_schema."""
    written = json.loads(SCHEMA.read_text())["definitions"]
    assert written == definitions()


@pytest.mark.parametrize("values", SETS)
def test_every_variable_is_a_setting(values: str) -> None:
    """Engine and Job get no variable that barengine would refuse."""
    objects = rendered(values)
    for holder in [workload(objects), *of_kind(objects, "Job")]:
        assert ours(environment(holder)).keys() <= KEYS.keys()


def test_every_setting_can_be_a_value() -> None:
    """Each key under settings reaches the engine and the Job; passwords and two that the chart
    does itself excepted."""
    given = {key: sample(key) for key in KEYS if key not in SECRET_KEYS | NOT_IN_VALUES}
    files = [{"name": "f", "secret": "s", "path": "/etc/barengine"}]
    given |= {key: "/etc/barengine/x" for key in given if key.endswith("file")}
    given["input_schema"] = "/etc/barengine/x"
    objects = rendered(
        "minimal", settings=json.dumps(given), files=json.dumps(files), infra__enabled="false"
    )
    assert ours(environment(workload(objects))).keys() == given.keys()


def test_every_setting_can_come_from_a_secret() -> None:
    """Each key under secrets becomes a reference; only the port must be known beforehand."""
    keys = [key for key in KEYS if key not in NOT_IN_VALUES | {"http_port"}]
    given = {key: {"name": "login", "key": key} for key in keys}
    objects = rendered("bare", settings="null", secrets=json.dumps(given))
    found = ours(environment(workload(objects)))
    assert found == {key: {"secretKeyRef": given[key]} for key in keys}


def test_static_members_are_the_way_to_a_group_instance_id() -> None:
    """The one setting that is each pod's own is its name."""
    found = ours(environment(workload(rendered("static"))))
    assert found["group_instance_id"] == {"fieldRef": {"fieldPath": "metadata.name"}}


@pytest.mark.parametrize("values", [name for name in SETS if name != "secrets"])
def test_the_engine_reads_what_was_meant(values: str, tmp_path: Path) -> None:
    """The pod's environment and the same settings in a file of barengine are the same settings."""
    pem = tmp_path / "file.pem"
    pem.touch()
    written = yaml.load((VALUES / f"{values}.yaml").read_text(), yaml.BaseLoader)["settings"]
    file = tmp_path / "barengine.yaml"
    file.write_text(yaml.safe_dump({k: _there(v, pem) for k, v in written.items()}))
    pod = {name: _there(v, pem) for name, v in environment(workload(rendered(values))).items()}
    passwords = {name: "secret" for name, value in pod.items() if isinstance(value, dict)}
    texts = {name: value for name, value in pod.items() if isinstance(value, str)}
    assert load_settings(None, texts | passwords).public() == (
        load_settings(file, passwords).public() | {"config": None}
    )


def _there(value: Any, file: Path) -> Any:
    """A path of the pod becomes that of a file which exists here."""
    return str(file) if isinstance(value, str) and value.startswith("/") else value


def test_large_numbers_and_switches_arrive() -> None:
    """The three traps by name."""
    found = ours(environment(workload(rendered("everything"))))
    assert found["restore_max"] == "20000000"
    assert found["idle_timeout"] == found["auto_create_topics"] == "off"
    assert found["price_scale"] == "5"


def test_a_dollar_stays_a_dollar() -> None:
    """Kubernetes would put in another variable for $(NAME)."""
    found = rendered("minimal", settings__sasl_username='"a$(PATH)"')
    assert ours(environment(workload(found)))["sasl_username"] == "a$$(PATH)"


def test_the_job_has_credentials_of_its_own() -> None:
    """An administrator's take the place of the engine's, and only in the Job."""
    objects = rendered("everything")
    job = ours(environment(one(objects, "Job")))
    engine = ours(environment(workload(objects)))
    assert job["sasl_username"] == "admin"
    assert job["sasl_password"]["secretKeyRef"]["name"] == "kafka-admin"
    assert engine["sasl_username"] == "barengine"
    assert engine["sasl_password"]["secretKeyRef"]["name"] == "kafka-login"
    assert job.keys() == engine.keys()


def test_the_job_may_take_from_a_secret_what_the_engine_has_as_value() -> None:
    """A key is never given twice, whichever way it is given."""
    login = {"name": "admin", "key": "user"}
    given = json.dumps({"sasl_username": login})
    objects = rendered("everything", infra__settings="null", infra__secrets=given)
    names = [each["name"] for each in container(one(objects, "Job"))["env"]]
    assert len(names) == len(set(names))
    assert ours(environment(one(objects, "Job")))["sasl_username"] == {"secretKeyRef": login}


def test_every_value_has_its_comment() -> None:
    """Who reads values.yaml need read nothing else: a comment stands above each value."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    value = re.compile(r" *\w+:")
    for number, line in enumerate(lines):
        holds_more = line.rstrip().endswith(":")
        if value.match(line) and not holds_more:
            assert lines[number - 1].strip().startswith("#"), f"line {number + 1}: {line}"


def test_the_schema_knows_the_values_and_no_others() -> None:
    """Every value has its place in the schema, every place in the schema its default."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads(SCHEMA.read_text())
    assert _keys(values, schema) == []


def _keys(values: Any, schema: dict[str, Any], path: str = "") -> list[str]:
    """Where defaults and schema differ."""
    if not schema.get("properties"):
        return []
    assert schema["additionalProperties"] is False, path
    known = schema["properties"].keys() - {"global"}
    wrong = [f"{path}.{key}" for key in known ^ values.keys()] if path not in FREE else []
    return wrong + [
        found
        for key in known & values.keys()
        for found in _keys(values[key], schema["properties"][key], f"{path}.{key}".strip("."))
    ]


FREE = {"resources"}
"""Kubernetes says what stands there."""


def test_the_defaults_are_the_settings_own() -> None:
    """The chart's port, where none is set, is the engine's."""
    (port,) = container(workload(rendered("minimal")))["ports"]
    assert port["containerPort"] == Settings().http_port
