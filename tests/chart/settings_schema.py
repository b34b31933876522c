"""The part of the chart's values.schema.json that follows from the settings there are.

``python -m tests.chart.settings_schema`` writes it anew; a test tells when that is due.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, get_args

from annotated_types import Ge, Le

from barengine.settings import KEYS, Settings
from barengine.settings.values import Off

SCHEMA: Final = Path(__file__).parents[2] / "helm" / "barengine" / "values.schema.json"
DURATION: Final = "[0-9]+(ms|s|m|h|d)"
SWITCH: Final = {"type": ["boolean", "string"], "pattern": "^(on|off)$"}
"""YAML reads on and off as true and false; --set leaves them as they are."""

SECRET: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "key"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "description": "Name of the Secret."},
        "key": {"type": "string", "minLength": 1, "description": "Key in it."},
    },
}


def definitions() -> dict[str, Any]:
    """``settings`` and ``secrets``, both with every key and no other."""
    return {
        "settings": _object({key: setting(key) for key in KEYS}),
        "secrets": _object({key: {"$ref": "#/definitions/secret"} for key in KEYS}),
        "secret": SECRET,
    }


def setting(key: str) -> dict[str, Any]:
    """What may be written for one key; the engine checks the rest at its start."""
    field = Settings.model_fields[KEYS[key]]
    form = _form(key, field)
    if key == "http_port":
        form["minimum"] = 1  # a free port would be one that no probe knows
    return form | {"description": field.description}


def _form(key: str, field: Any) -> dict[str, Any]:
    if KEYS[key].endswith("_ns"):
        if Off in field.metadata:
            return {"type": ["string", "boolean"], "pattern": f"^({DURATION}|off)$"}
        return {"type": "string", "pattern": f"^{DURATION}$"}
    choices = [kind for kind in _kinds(field.annotation) if issubclass(kind, StrEnum)]
    if choices:
        return {"enum": [word.value for word in choices[0]]}
    if field.annotation is bool:
        return dict(SWITCH)
    if field.annotation is int:
        return {"type": "integer", **_bounds(field.metadata)}
    return {"type": "string", "minLength": 1}


def _kinds(annotation: Any) -> list[type]:
    """The classes of an annotation such as ``Mechanism | None``."""
    return [kind for kind in (get_args(annotation) or (annotation,)) if isinstance(kind, type)]


def _bounds(metadata: list[Any]) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    for one in metadata:
        if isinstance(one, Ge):
            bounds["minimum"] = one.ge
        if isinstance(one, Le):
            bounds["maximum"] = one.le
    return bounds


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    # null: the name alone, everything beneath it commented out.
    kinds = ["object", "null"]
    return {"type": kinds, "additionalProperties": False, "properties": properties}


def main() -> None:
    schema = json.loads(SCHEMA.read_text())
    schema["definitions"] |= definitions()
    SCHEMA.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
