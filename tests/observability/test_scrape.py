"""The real Prometheus scrapes a real engine: queries find what they ask for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from barengine.service.metric_specs import SPECS
from tests.observability.conftest import JOB
from tests.observability.files import (
    alerts,
    asked,
    dashboard,
    exposed_names,
    panels,
    records,
    rules,
    selectors,
)
from tests.observability.prometheus import Prometheus

SCRAPED = {"namespace", "job", "instance", "context"}
TARGETS = {
    f"{panel['id']} {panel['title']} {target['refId']}": target
    for panel in panels()
    for target in panel["targets"]
}
EXPRESSIONS = [one["expr"] for one in (*rules(), *TARGETS.values())]
GROUPINGS = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
MENTIONS = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")


def test_the_target_is_up(prometheus: Prometheus) -> None:
    """Prometheus reads the whole page without an error."""

    def target() -> Any:
        [one] = prometheus.ask("targets")["activeTargets"]
        return one

    prometheus.until("up", lambda: target()["health"] == "up" and not target()["lastError"])
    assert target()["labels"]["job"] == JOB


def test_every_metric_of_the_code_arrives(prometheus: Prometheus) -> None:
    """A run that has met everything once leaves no metric without a series."""
    found = set(prometheus.ask("label/__name__/values"))
    assert exposed_names() <= found


def test_help_arrives_for_each_metric(prometheus: Prometheus) -> None:
    """What a person sees beside a name is what the code says of it."""
    told = {name: entry[0]["help"] for name, entry in prometheus.ask("metadata").items()}
    for spec in SPECS:
        # OpenMetrics names the family of counters and information without their suffix
        family = spec.name.removesuffix("_total").removesuffix("_info")
        assert told.get(spec.name, told.get(family)) == spec.help


@pytest.mark.parametrize("record", [record["record"] for record in records()])
def test_each_recording_rule_records(prometheus: Prometheus, record: str) -> None:
    """Where there is data, there is a series."""
    prometheus.found(record)


@pytest.mark.parametrize("alert", alerts(), ids=[alert["alert"] for alert in alerts()])
def test_each_alert_looks_at_something(prometheus: Prometheus, alert: dict[str, Any]) -> None:
    """Every selector in it finds series: an alert on nothing would be silent for ever."""
    found = list(selectors(alert["expr"]))
    assert found
    for name, matchers in found:
        prometheus.found(name + matchers)


def test_rules_are_evaluated_without_errors(prometheus: Prometheus) -> None:
    """Prometheus reports every rule of the file as healthy."""
    groups = prometheus.ask("rules")["groups"]
    health = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    assert health == {rule.get("alert") or rule["record"]: "ok" for rule in rules()}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_each_query_of_the_dashboard_finds_data(
    prometheus: Prometheus, target: dict[str, Any]
) -> None:
    """No panel is empty, and each legend's labels are there."""
    expression = asked(target, JOB).removesuffix(" > 0")  # such a panel hides what did not happen
    series = prometheus.found(expression)
    for label in MENTIONS.findall(target["legendFormat"]):
        assert all(label in one.labels for one in series), label


@pytest.mark.parametrize("name", sorted({n for e in EXPRESSIONS for n, _ in selectors(e)}))
def test_each_name_exists(name: str) -> None:
    """What rules and dashboard ask for is a metric of the code, of the process, or a record."""
    recorded = {rule["record"] for rule in records()}
    assert name in exposed_names() | recorded or name.startswith("process_")


def test_each_label_exists() -> None:
    """Matchers and groupings use labels of the code's metrics or of the scrape, no others."""
    known = SCRAPED | {"le", "alertname", "alertstate"}
    known |= {label for spec in SPECS for label in spec.labels}
    used: set[str] = set()
    for expression in EXPRESSIONS:
        groupings = GROUPINGS.findall(expression)
        used.update(label.strip() for labels in groupings for label in labels.split(","))
        used.update(re.findall(r"(\w+)\s*(?:=~|!~|!=|=(?!=))", expression))
    assert used <= known


def test_variables_of_the_dashboard_find_values(prometheus: Prometheus) -> None:
    """Its lists of jobs and contexts are made of a metric that has these labels."""
    queries = [one for one in dashboard()["templating"]["list"] if one["type"] == "query"]
    assert [one["name"] for one in queries] == ["job", "context"]
    for one in queries:
        [(metric, label)] = re.findall(r"^label_values\((\w+), (\w+)\)$", one["definition"])
        assert all(label in series.labels for series in prometheus.found(metric))
