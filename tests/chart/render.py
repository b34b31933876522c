"""The chart, rendered by Helm: objects to look at, or Helm's refusal."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]  # PyYAML ships no types

from tests.chart.tools import ROOT, helms

CHART: Final = ROOT / "helm" / "barengine"
VALUES: Final = Path(__file__).with_name("values")
SETS: Final = sorted(path.stem for path in VALUES.glob("*.yaml"))
RELEASE: Final = "x"
NAMESPACE: Final = "market"
Object = dict[str, Any]


def call(helm: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run that Helm to its end."""
    program = helms().get(helm) or next(iter(helms().values()))  # HELM is there instead of both
    return subprocess.run([program, *words], check=False, capture_output=True, text=True)


@cache
def rendered(values: str, helm: str = "", **overrides: str) -> list[Object]:
    """The objects of a set of values, in Helm's order; ``overrides`` are JSON by dotted name."""
    sets = [f"--set-json={name.replace('__', '.')}={text}" for name, text in overrides.items()]
    file = VALUES / f"{values}.yaml"
    where = ("template", RELEASE, CHART, "--namespace", NAMESPACE, "--values", file)
    done = call(helm or next(iter(helms())), *where, *sets)
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def refusal(helm: str, **values: Any) -> str:
    """What Helm says of values that it must not take; they stand over the minimal ones."""
    sets = [f"--set-json={name}={json.dumps(value)}" for name, value in values.items()]
    where = ("template", RELEASE, CHART, "--values", VALUES / "minimal.yaml")
    done = call(helm, *where, *sets)
    assert done.returncode != 0, done.stdout
    return done.stderr


def one(objects: list[Object], kind: str, ending: str = "") -> Object:
    """The only object of that kind whose name ends so."""
    (found,) = (o for o in of_kind(objects, kind) if o["metadata"]["name"].endswith(ending))
    return found


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    """All objects of that kind."""
    return [found for found in objects if found["kind"] == kind]


def workload(objects: list[Object]) -> Object:
    """The engine: a Deployment or a StatefulSet."""
    (found,) = of_kind(objects, "Deployment") + of_kind(objects, "StatefulSet")
    return found


def pod(holder: Object) -> Object:
    """The pod's spec in a workload or a Job."""
    spec = holder["spec"]["template"]["spec"]
    assert isinstance(spec, dict)
    return spec


def container(holder: Object) -> Object:
    """Its only container."""
    (found,) = pod(holder)["containers"]
    assert isinstance(found, dict)
    return found


def environment(holder: Object) -> dict[str, Any]:
    """The container's variables: their values, or where they come from."""
    return {
        each["name"]: each.get("value", each.get("valueFrom")) for each in container(holder)["env"]
    }


def matches(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether a selector of these labels finds what has those."""
    return selector.items() <= labels.items()
