"""The objects, one rule after the other."""

from __future__ import annotations

import json

import pytest

from barengine.service.app import _STOP_S
from tests.chart.render import (
    SETS,
    Object,
    container,
    environment,
    matches,
    of_kind,
    one,
    pod,
    rendered,
    workload,
)

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def holders(values: str) -> list[Object]:
    """Everything that makes pods."""
    objects = rendered(values)
    return [workload(objects), *of_kind(objects, "Job")]


# -- safety ------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", SETS)
def test_every_pod_is_restricted(values: str) -> None:
    """Pod Security "restricted", the Job included: no root, no rights, nothing of the host."""
    for holder in holders(values):
        spec, each = pod(holder), container(holder)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert each["securityContext"]["allowPrivilegeEscalation"] is False
        assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
        assert all({"secret", "configMap"} & volume.keys() for volume in spec.get("volumes", []))
        assert all("hostPort" not in port for port in each.get("ports", []))


@pytest.mark.parametrize("values", SETS)
def test_nothing_can_be_written(values: str) -> None:
    """The root file system is read-only, and so is every mount."""
    for holder in holders(values):
        each = container(holder)
        assert each["securityContext"]["readOnlyRootFilesystem"] is True
        assert all(mount["readOnly"] for mount in each.get("volumeMounts", []))


@pytest.mark.parametrize("values", SETS)
def test_no_pod_gets_a_token(values: str) -> None:
    """Nothing of ours speaks to Kubernetes: neither account nor pod has one mounted."""
    for holder in holders(values):
        assert pod(holder)["automountServiceAccountToken"] is False
        assert pod(holder)["enableServiceLinks"] is False
    for account in of_kind(rendered(values), "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def test_the_user_can_be_left_to_the_cluster() -> None:
    """With null there is no number, and still no root."""
    context = pod(workload(rendered("bare")))["securityContext"]
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & context.keys()
    assert context["runAsNonRoot"] is True


def test_a_given_account_is_used_and_none_is_made() -> None:
    """serviceAccount.name names one that exists."""
    objects = rendered("bare")
    assert pod(workload(objects))["serviceAccountName"] == "existing"
    assert not of_kind(objects, "ServiceAccount")


# -- life --------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", SETS)
def test_a_clean_end_has_the_time_it_may_take(values: str) -> None:
    """Kubernetes kills later than the engine itself gives up, with some seconds to spare."""
    assert pod(workload(rendered(values)))["terminationGracePeriodSeconds"] >= _STOP_S + 5


def test_a_rollout_never_has_an_instance_less() -> None:
    """First one comes, then one goes."""
    strategy = workload(rendered("minimal"))["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


@pytest.mark.parametrize("values", SETS)
def test_probes_ask_pages_that_there_are(values: str) -> None:
    """Life is /livez, and readiness alone asks whether bars flow; all at the engine's port."""
    each = container(workload(rendered(values)))
    pages = [each[probe]["httpGet"] for probe in PROBES]
    assert [page["path"] for page in pages] == ["/livez", "/livez", "/readyz"]
    assert {page["port"] for page in pages} == {"http"}
    wanted = environment(workload(rendered(values))).get("BARENGINE_HTTP_PORT", "8080")
    assert each["ports"][0]["containerPort"] == int(wanted)
    assert one(rendered(values), "Service")["spec"]["ports"][0]["port"] == int(wanted)


def test_a_slow_start_is_not_killed() -> None:
    """The start may take minutes before liveness counts, and hanging a minute before it kills."""
    each = container(workload(rendered("minimal")))
    start, live = each["startupProbe"], each["livenessProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= 120
    assert live["periodSeconds"] * live["failureThreshold"] >= 60


def test_static_members_have_lasting_names() -> None:
    """A StatefulSet, whose pods all start at once; the Deployment is gone."""
    objects = rendered("static")
    assert not of_kind(objects, "Deployment")
    spec = one(objects, "StatefulSet")["spec"]
    assert spec["podManagementPolicy"] == "Parallel"
    assert spec["serviceName"] == one(objects, "Service")["metadata"]["name"]
    assert spec["replicas"] == 4


@pytest.mark.parametrize("values", SETS)
def test_a_drain_can_always_go_on(values: str) -> None:
    """The budget lets at least one pod go, and does not count pods that are not well."""
    budget = one(rendered(values), "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] not in (0, "0%")
    assert "minAvailable" not in budget
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


# -- who is who --------------------------------------------------------------------------------


@pytest.mark.parametrize("values", SETS)
def test_selectors_find_the_engine_and_never_the_job(values: str) -> None:
    """Service, budget, policy and workload mean the same pods."""
    objects = rendered(values)
    labels = workload(objects)["spec"]["template"]["metadata"]["labels"]
    selectors = [
        workload(objects)["spec"]["selector"]["matchLabels"],
        one(objects, "Service")["spec"]["selector"],
        one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ]
    assert all(matches(selector, labels) for selector in selectors)
    for job in of_kind(objects, "Job"):
        others = job["spec"]["template"]["metadata"]["labels"]
        assert not any(matches(selector, others) for selector in selectors)


def test_pod_labels_cannot_break_selectors() -> None:
    """A label of the chart's own is not overridden."""
    given = json.dumps({"app.kubernetes.io/name": "other", "team": "markets"})
    objects = rendered("minimal", podLabels=given)
    spec = workload(objects)["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert labels["team"] == "markets"
    assert matches(spec["selector"]["matchLabels"], labels)


def test_pods_spread_over_zones_and_nodes() -> None:
    """Where that is possible; what one writes oneself takes its place."""
    spread = pod(workload(rendered("minimal")))["topologySpreadConstraints"]
    assert [each["topologyKey"].split("/")[1] for each in spread] == ["zone", "hostname"]
    assert {each["whenUnsatisfiable"] for each in spread} == {"ScheduleAnyway"}
    (own,) = pod(workload(rendered("everything")))["topologySpreadConstraints"]
    assert own["whenUnsatisfiable"] == "DoNotSchedule"


def test_only_http_comes_in() -> None:
    """The policy opens one port; what goes out is free until somebody says where to."""
    policy = one(rendered("minimal"), "NetworkPolicy", "x-barengine")["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    assert policy["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]


def test_egress_that_is_named_leaves_names_resolvable() -> None:
    """With rules for brokers, DNS is open too: for the engine and for the Job."""
    for policy in of_kind(rendered("everything"), "NetworkPolicy"):
        spec = policy["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert [port["port"] for port in spec["egress"][0]["ports"]] == [53, 53]
        assert spec["egress"][1]["ports"][0]["port"] == 9093


def test_a_digest_decides_which_image_runs() -> None:
    """Engine and Job run the same one."""
    images = {container(holder)["image"] for holder in holders("everything")}
    (image,) = images
    assert image.startswith("registry.example/market/barengine:0.1.0@sha256:0123")
