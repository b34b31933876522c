"""docs/kubernetes.md: its values and its Helm commands work as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # PyYAML ships no types

from tests.chart.render import CHART, Object, call, container, of_kind, one, pod, rendered
from tests.chart.tools import ROOT

PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def commands() -> list[list[str]]:
    """Every call of Helm on the page that makes something, as words; what it is piped into is left
    out."""
    text = "\n".join(body for _, body in BLOCK.findall(PAGE)).replace("\\\n", " ")
    lines = [line.partition("|")[0] for line in text.splitlines() if line.startswith("helm ")]
    return [words for line in lines if (words := shlex.split(line)[1:])[0] != "uninstall"]


@pytest.fixture
def values(tmp_path: Path) -> Path:
    """bars.yaml, as the page has it."""
    (text,) = (body for kind, body in BLOCK.findall(PAGE) if kind == "yaml")
    path = tmp_path / "bars.yaml"
    path.write_text(text)
    return path


def render(words: list[str], values: Path, helm: str) -> list[Object]:
    """What the command would install, without a cluster to install it in."""
    known = {"helm/barengine": str(CHART), "bars.yaml": str(values)}
    _, *rest = (known.get(word, word) for word in words if word != "--create-namespace")
    done = call(helm, "template", *rest)
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


@pytest.mark.parametrize("number", range(len(commands())))
def test_each_command_works(helm: str, values: Path, number: int) -> None:
    """Helm takes it, with the values of the page; and the names are those of the page."""
    objects = render(commands()[number], values, helm)
    for found in of_kind(objects, "Deployment"):
        assert f"deployment/{found['metadata']['name']}" in PAGE
    for found in of_kind(objects, "Job"):
        assert found["metadata"]["name"] in ("bars-barengine-infra", "adopt-infra")


def test_a_command_of_ones_own_runs_as_a_job(helm: str, values: Path) -> None:
    """The recipe for `state adopt` makes that Job, with the administrator's login, and no more."""
    (words,) = (each for each in commands() if "--show-only" in each)
    objects = render(words, values, helm)
    job = one(objects, "Job")
    assert container(job)["args"] == ["state", "adopt", "--yes"]
    assert {"name": "BARENGINE_SASL_USERNAME", "value": "admin"} in container(job)["env"]
    assert pod(job)["serviceAccountName"] == "adopt-infra"
    assert {found["kind"] for found in objects} == {"Job", "NetworkPolicy", "ServiceAccount"}


def test_the_page_has_commands() -> None:
    """They are found at all."""
    assert len(commands()) == 5


def test_an_uninstall_leaves_nothing_in_kubernetes(values: Path) -> None:
    """Hooks are no part of the release: the page deletes each of them, by kind and name."""
    objects = render(commands()[0], values, "helm3")
    hooks = {(o["kind"], o["metadata"]["name"]) for o in objects if _is_hook(o)}
    (kinds, name) = re.findall(r"helm uninstall .*\nkubectl -n market delete (\S+) (\S+)", PAGE)[0]
    assert {(kind.lower(), called) for kind, called in hooks} == {
        (kind, name) for kind in kinds.split(",")
    }


def _is_hook(found: Object) -> bool:
    return "helm.sh/hook" in found["metadata"].get("annotations", {})


def test_values_for_the_job_on_the_page_are_values(helm: str, values: Path) -> None:
    """The administrator's certificate of the page comes into the Job, and into it alone."""
    (text,) = (body for _, body in BLOCK.findall(PAGE) if body.startswith("infra:"))
    more = values.with_name("admin.yaml")
    more.write_text(text)
    words = ["install", "bars", "helm/barengine", "--values", "bars.yaml", "--values", str(more)]
    objects = render(words, values, helm)
    mounts = container(one(objects, "Job"))["volumeMounts"]
    assert "/etc/barengine/admin" in {mount["mountPath"] for mount in mounts}
    mounts = container(one(objects, "Deployment"))["volumeMounts"]
    assert {mount["mountPath"] for mount in mounts} == {"/etc/barengine/tls"}


def test_the_flag_for_several_releases_is_one() -> None:
    """As it stands on the page."""
    (given,) = re.findall(r"--set-json 'monitoring\.rules\.expected=(.*)'", PAGE)
    objects = rendered("minimal", monitoring__rules=f'{{"enabled": true, "expected": {given}}}')
    assert 'absent(barengine_build_info{job="fx"})' in str(one(objects, "PrometheusRule"))
