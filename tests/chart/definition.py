"""Objects held against the schemas of Kubernetes and of the operators, unknown fields refused."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema
from kubernetes_validate import utils

from tests.chart.tools import definitions

Schema = dict[str, Any]


OLDEST = "1.30"
"""The oldest Kubernetes that the chart allows; older ones have lost their support."""


def check(found: dict[str, Any]) -> None:
    """Insist that an object is what its kind says, in the oldest and the newest Kubernetes.

    Raises:
        jsonschema.ValidationError: it is not.
        LookupError: nobody has defined its kind.
    """
    if found["apiVersion"].split("/")[0] in {"monitoring.coreos.com", "keda.sh"}:
        jsonschema.validate(found, _own(found["apiVersion"], found["kind"]))
    else:
        for version in (OLDEST, utils.latest_version()):
            utils.validate(found, version, strict=True)


@cache
def _own(api_version: str, kind: str) -> Schema:
    group, _, version = api_version.partition("/")
    for definition in definitions():
        spec = definition["spec"]
        if (spec["group"], spec["names"]["kind"]) == (group, kind):
            (one,) = (v for v in spec["versions"] if v["name"] == version)
            schema: Schema = _strict(one["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            return schema
    raise LookupError(f"no definition of {api_version} {kind}")


def _strict(schema: Any) -> Any:
    """The same as plain JSON Schema, in which nothing else is allowed where fields are named."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _strict(value) for key, value in schema.items()}
    if isinstance(made.get("pattern"), str):  # Go takes a flag anywhere, Python in front only
        made["pattern"] = made["pattern"].replace("^(?i)", "(?i)^")
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made
