"""Every set of values, by both generations of Helm, against the schemas of what it makes."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml  # type: ignore[import-untyped]  # PyYAML ships no types

from barengine import __version__
from tests.chart.definition import OLDEST, check
from tests.chart.render import CHART, RELEASE, SETS, VALUES, call, of_kind, one, rendered
from tests.chart.tools import helms

ALWAYS = {"PodDisruptionBudget", "Service"}


@pytest.mark.parametrize("values", SETS)
def test_helm_finds_nothing_wrong(helm: str, values: str) -> None:
    """The chart is a good one, down to warnings."""
    done = call(helm, "lint", "--strict", CHART, "--values", VALUES / f"{values}.yaml")
    assert done.returncode == 0, done.stdout


def test_the_defaults_are_lintable(helm: str) -> None:
    """A linter of many charts knows nothing of our brokers."""
    assert call(helm, "lint", "--strict", CHART).returncode == 0


@pytest.mark.parametrize("values", SETS)
def test_every_object_is_what_kubernetes_takes(helm: str, values: str) -> None:
    """Known kinds, known fields, right types: in the oldest and the newest release we know."""
    objects = rendered(values, helm)
    for found in objects:
        check(found)
    assert {found["kind"] for found in objects} >= ALWAYS
    assert all(found["metadata"]["namespace"] == "market" for found in objects)


@pytest.mark.parametrize("values", SETS)
def test_both_helms_make_the_same(values: str) -> None:
    """Who goes from Helm 3 to 4 sees no pod restart for it."""
    made = [sorted(map(json.dumps, rendered(values, helm))) for helm in ("helm3", "helm4")]
    assert made[0] == made[1]


def test_the_sets_together_make_everything() -> None:
    """No template stays unchecked."""
    kinds = {found["kind"] for values in SETS for found in rendered(values)}
    assert kinds == ALWAYS | {
        *("ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Job", "NetworkPolicy"),
        *("PrometheusRule", "ScaledObject", "ServiceAccount", "ServiceMonitor", "StatefulSet"),
        "TriggerAuthentication",
    }


def test_a_check_can_fail() -> None:
    """An unknown field is found, in an object of Kubernetes and in one of an operator."""
    for kind in ("Service", "ServiceMonitor"):
        found = dict(one(rendered("everything"), kind))
        with pytest.raises(jsonschema.ValidationError, match="portz"):
            check(found | {"spec": {**found["spec"], "portz": []}})


def test_rules_and_dashboard_are_the_files() -> None:
    """What is tested as files is what is installed, to the last sign."""
    objects = rendered("everything")
    text = (CHART / "rules" / "barengine.rules.yaml").read_text()
    named = text.replace('{job="barengine"}', '{job="bars",namespace="market"}')
    assert one(objects, "PrometheusRule")["spec"] == yaml.safe_load(named) != yaml.safe_load(text)
    dashboard = one(objects, "ConfigMap")["data"]["barengine.json"]
    text = (CHART / "dashboards" / "barengine.json").read_text()
    assert json.loads(dashboard) == json.loads(text)


def test_alerts_know_whom_to_miss_and_where_their_entries_are() -> None:
    """Without names given it is the release as its ServiceMonitor is scraped."""
    (service,) = of_kind(rendered("everything"), "Service")
    assert service["metadata"]["name"] == "bars"
    rules = {
        rule["alert"]: rule
        for group in one(rendered("mutual"), "PrometheusRule")["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    missed = rules["BarengineDown"]["expr"].partition("\n")[0]
    assert missed == (
        'absent(barengine_build_info{job="x-barengine",namespace="market"}) or '
        'absent(barengine_build_info{job="fx"})'
    )
    for name, rule in rules.items():
        notes = rule["annotations"]
        assert notes.keys() == {"summary", "description", "runbook_url"}
        assert notes["runbook_url"] == f"https://wiki.example/barengine/alerts#{name.lower()}"


def test_the_notes_name_what_to_look_at() -> None:
    """After an install one reads what to type next, with the real names."""
    helm = list(helms())[-1]  # Helm 3 shows notes to those who have a cluster only
    where = ("install", RELEASE, CHART, "--dry-run=client", "--namespace", "market")
    done = call(helm, *where, "--values", VALUES / "everything.yaml")
    notes = done.stdout.partition("NOTES:")[2]
    assert "prod.quotes into bars" in notes, done.stderr
    assert "kubectl -n market rollout status deployment/bars" in notes
    assert "localhost:9090/status" in notes
    assert "logs job/bars-infra" in notes
    assert "EXTRAS=exchanges" not in notes


def test_the_notes_say_that_exchanges_need_another_image() -> None:
    """The chart cannot look into it, and most have none."""
    helm = list(helms())[-1]
    where = ("install", RELEASE, CHART, "--dry-run=client", "--values", VALUES / "minimal.yaml")
    done = call(helm, *where, "--set", "settings.schedule=exchange:XNYS")
    assert "EXTRAS=exchanges" in done.stdout, done.stderr


def test_names_follow_the_release() -> None:
    """Two releases in a namespace share no name; a long one is cut to what a label can hold."""
    for release, name in (("bars", "bars-barengine"), ("barengine-eu", "barengine-eu")):
        done = call("helm3", "template", release, CHART, "--values", VALUES / "minimal.yaml")
        names = {o["metadata"]["name"] for o in yaml.safe_load_all(done.stdout) if o}
        assert names == {name, f"{name}-infra"}
    done = call("helm3", "template", "r" * 53, CHART, "--values", VALUES / "minimal.yaml")
    assert max(len(o["metadata"]["name"]) for o in yaml.safe_load_all(done.stdout)) <= 56


def test_the_versions_of_the_chart_are_true() -> None:
    """appVersion is the package's; the oldest Kubernetes allowed is the oldest checked."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
    assert chart["kubeVersion"] == f">={OLDEST}.0-0"


def test_operators_objects_are_made_only_when_asked_for() -> None:
    """A cluster without the operators can install the chart."""
    assert not of_kind(rendered("minimal"), "ServiceMonitor")
    known = {"apps/v1", "v1", "policy/v1", "networking.k8s.io/v1", "batch/v1"}
    assert {found["apiVersion"] for found in rendered("minimal")} == known
