"""The Job that makes the topics before the engine starts."""

from __future__ import annotations

import json
from typing import Any

from barengine.cli import _COMMANDS, MISCONFIGURED
from tests.chart.render import container, environment, matches, one, pod, rendered, workload


def test_the_job_comes_first_and_what_it_needs_before_it() -> None:
    """Account and policy are hooks of a smaller weight: the rest of the release comes later."""
    hooks = [o for o in rendered("everything") if "annotations" in o["metadata"]]
    weights: dict[str, Any] = {
        o["kind"]: int(o["metadata"]["annotations"]["helm.sh/hook-weight"])
        for o in hooks
        if o["metadata"]["annotations"].get("helm.sh/hook") == "pre-install,pre-upgrade"
    }
    assert weights.keys() == {"ServiceAccount", "NetworkPolicy", "Job"}
    assert max(weights["ServiceAccount"], weights["NetworkPolicy"]) < weights["Job"]


def test_the_job_uses_what_was_made_for_it() -> None:
    """Its own account, and a policy that selects its pods."""
    objects = rendered("everything")
    job = one(objects, "Job")
    assert pod(job)["serviceAccountName"] == "bars-infra"
    selector = one(objects, "NetworkPolicy", "infra")["spec"]["podSelector"]["matchLabels"]
    assert matches(selector, job["spec"]["template"]["metadata"]["labels"])


def test_the_job_runs_a_command_that_there_is() -> None:
    """`barengine infra apply`, with the flags of the values; the engine runs `barengine run`."""
    objects = rendered("everything")
    words = container(one(objects, "Job"))["args"]
    assert words == ["infra", "apply", "--partitions", "12", "--replication-factor", "3"]
    assert words[0] in _COMMANDS
    assert container(workload(objects))["args"] == ["run"]


def test_the_job_ends_before_helm_is_out_of_patience() -> None:
    """So that its log says what was wrong."""
    assert one(rendered("minimal"), "Job")["spec"]["activeDeadlineSeconds"] < 300


def test_the_job_does_not_repeat_what_cannot_work() -> None:
    """Exit code 2 is configuration: it fails at once, and any other is tried again."""
    spec = one(rendered("minimal"), "Job")["spec"]
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"] == {
        "containerName": container({"spec": spec})["name"],
        "operator": "In",
        "values": [MISCONFIGURED],
    }
    assert pod({"spec": spec})["restartPolicy"] == "Never"  # else Kubernetes takes no policy
    assert spec["backoffLimit"] > 0


def volumes(holder: dict[str, Any]) -> dict[str, str]:
    """Where each Secret and ConfigMap is mounted, by its name."""
    names = {
        one["name"]: one["secret"]["secretName"] if "secret" in one else one["configMap"]["name"]
        for one in pod(holder).get("volumes", [])
    }
    mounts = container(holder).get("volumeMounts", [])
    assert {mount["name"] for mount in mounts} == names.keys()
    return {names[mount["name"]]: mount["mountPath"] for mount in mounts}


def test_an_administrators_key_is_in_the_job_alone() -> None:
    """infra.files come to the engine's, one of the same name takes its place, and no pod of the
    engine has them."""
    objects = rendered("mutual")
    engine, job = volumes(workload(objects)), volumes(one(objects, "Job"))
    assert engine == {"kafka-ca": "/etc/barengine/ca", "bars-client": "/etc/barengine/client"}
    assert job == {
        "kafka-ca": "/etc/barengine/ca",
        "admin-client": "/etc/barengine/client",
        "audit": "/etc/barengine/audit",
    }


def test_variables_of_the_job_alone() -> None:
    """infra.extraEnv, in the same way."""
    objects = rendered("mutual")
    engine, job = environment(workload(objects)), environment(one(objects, "Job"))
    assert (engine["HTTPS_PROXY"], job["HTTPS_PROXY"]) == ("http://proxy:3128", "http://admin:3128")
    assert job["NO_PROXY"] == engine["NO_PROXY"] == "registry"
    assert job["KSQLDB_URL"] == {"secretKeyRef": {"name": "ksqldb", "key": "url"}}
    assert "KSQLDB_URL" not in engine
    names = [each["name"] for each in container(one(objects, "Job"))["env"]]
    assert len(names) == len(set(names))


def test_metrics_of_a_run_can_be_had_from_its_log() -> None:
    """The way that needs no place to write is let through."""
    args = json.dumps(["--metrics-file", "-"])
    assert container(one(rendered("minimal", infra__args=args), "Job"))["args"][-2:] == [
        "--metrics-file",
        "-",
    ]
