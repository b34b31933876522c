"""What is shipped for Prometheus and Grafana, read as data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]  # PyYAML ships no types

from barengine.service import metric_specs as specs
from barengine.service.metric_specs import Kind

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "helm" / "barengine"
RULES: Final = CHART / "rules" / "barengine.rules.yaml"
DASHBOARD: Final = CHART / "dashboards" / "barengine.json"
RULE_TESTS: Final = sorted(Path(__file__).parent.glob("alerts_*.test.yaml"))
HISTOGRAM_PARTS: Final = ("_bucket", "_count", "_sum")

_SELECTOR: Final = re.compile(r"\b((?:barengine_|process_|job\w*:)[\w:]*)(\{[^}]*\})?")


def rules() -> list[dict[str, Any]]:
    """Every rule, in order."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """The rules that are alerts."""
    return [rule for rule in rules() if "alert" in rule]


def records() -> list[dict[str, Any]]:
    """The rules that make series."""
    return [rule for rule in rules() if "record" in rule]


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    found = json.loads(DASHBOARD.read_text())
    assert isinstance(found, dict)
    return found


def panels() -> list[dict[str, Any]]:
    """Its panels, without the headings of rows."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def asked(target: dict[str, Any], job: str = ".*", interval: str = "1m") -> str:
    """A target's expression as Grafana sends it, for every context."""
    expression: str = target["expr"]
    for name, value in {"job": job, "context": ".*", "__rate_interval": interval}.items():
        expression = expression.replace(f"${name}", value)
    return expression


def selectors(expression: str) -> Iterator[tuple[str, str]]:
    """Name of each metric that occurs, and its label matchers with their braces."""
    for match in _SELECTOR.finditer(expression):
        yield match[1], match[2] or ""


def exposed_names() -> set[str]:
    """Every name under which the code's metrics have samples."""
    names: set[str] = set()
    for spec in specs.SPECS:
        parts = HISTOGRAM_PARTS if spec.kind is Kind.HISTOGRAM else ("",)
        names.update(spec.name + part for part in parts)
    return names
