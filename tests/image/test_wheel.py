"""The wheel on its own: who installs it needs no compiler."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from barengine import __version__

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("kernel_once.py")
SOURCES = (".py", ".pyi", ".pyx", ".pxd", ".txt", ".typed")


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (found,) = dist.glob("*.whl")
    return found


def names_in_checkout() -> set[str]:
    """Every file of the package that is no product of a build."""
    paths = (ROOT / "barengine").rglob("*")
    return {p.relative_to(ROOT).as_posix() for p in paths if p.name.endswith(SOURCES)}


def test_the_wheel_runs_where_there_is_no_compiler(wheel: Path, tmp_path: Path) -> None:
    """pip takes it and ready-made wheels of all it needs; then the compiled kernel makes bars."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    env |= {"PATH": str(tmp_path / "venv" / "bin"), "PYTHONSAFEPATH": "1"}
    python = tmp_path / "venv" / "bin" / "python"
    lock = ROOT / "requirements" / "run.txt"
    install = ["-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--constraint"]
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    # The lock's hashes would be asked of the wheel, too: here its versions are enough.
    versions = tmp_path / "versions.txt"
    lines = (line.split(" \\")[0] for line in lock.read_text().splitlines() if "==" in line)
    versions.write_text("\n".join(lines))
    subprocess.run([python, *install, versions, wheel], check=True, env=env, cwd=tmp_path)
    ran = subprocess.run([python, SCRIPT], check=True, env=env, cwd=tmp_path, capture_output=True)
    assert b"by the compiled kernel" in ran.stdout


def test_the_sdist_is_complete(dist: Path) -> None:
    """All sources are in it, and none of what a compiler has made of them here; the wheel of this
    test was built from it."""
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    missing = names_in_checkout() - names
    assert not missing
    assert {"setup.py", "pyproject.toml", "README.md", "CHANGELOG.md"} <= names
    assert "config/barengine.yaml" in names
    assert not [name for name in names if name.endswith((".c", ".so", ".pyc"))]


def test_the_wheel_has_what_runs_and_no_more(wheel: Path) -> None:
    """Package and kernel for one version of Python; no tests, no generated C."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.split("/")[0] for name in names} == {
        "barengine",
        f"barengine-{__version__}.dist-info",
    }
    assert {n for n in names_in_checkout() if n.endswith((".py", ".pyi", ".txt"))} <= names
    assert not [name for name in names if name.endswith((".c", ".pyc", ".pyx"))]
    modules = {path.stem for path in (ROOT / "barengine" / "kernel").glob("*.pyx")}
    compiled = {Path(name).name.split(".")[0] for name in names if name.endswith(".so")}
    assert compiled == modules
