"""The image at work: read-only, as its own user, without a program besides Python."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from barengine.kafka.local_net import pick_free_port
from tests.broker.engine_process import PREFIX
from tests.broker.scene import Scene
from tests.broker.ticks import spread
from tests.image.image import Image

SHELL = "import shutil; print([p for p in ('sh', 'bash', 'cc', 'gcc', 'ld') if shutil.which(p)])"
WRITE = """
import os, pathlib
for place in ('/', '/usr', '/usr/local', '/etc', '/opt/barengine'):
    if not os.statvfs(place).f_flag & os.ST_RDONLY:
        print('may be written:', place)
for place in ('/x', '/tmp/x', '/opt/barengine/x', '/usr/local/x', '/var/tmp/x', '/dev/shm/x'):
    try:
        pathlib.Path(place).write_text('')
        print('written:', place)
    except OSError:
        pass
"""


def contents(image: Image) -> dict[Path, tuple[int, int, int]]:
    """Every file of the image, and what it has changed in its base, with mode, size and time."""
    trees = (image.root(), image.folder() / "usr" / "up", image.folder() / "python" / "up")
    paths = [path for tree in trees for path in tree.rglob("*")]
    seen = {path: path.lstat() for path in paths}
    return {path: (s.st_mode, s.st_size, s.st_mtime_ns) for path, s in seen.items()}


@pytest.fixture
def scene(image: Image, bootstrap: str, tmp_path: Path, monkeypatch: Any) -> Scene:
    """A context on the broker, whose engines are containers of the image."""
    for name, value in image.environment().items():
        monkeypatch.setenv(name, value)
    port = pick_free_port()  # the health check must know it beforehand
    settings = {"HTTP_PORT": str(port), "AUTO_CREATE_TOPICS": "off"}
    return Scene(bootstrap, tmp_path, settings=settings)


def test_the_service_runs_there(image: Image, scene: Scene) -> None:
    """As in the chart: `infra apply` makes the topics, ticks become bars, probes and health check
    agree, SIGTERM ends it with 0, and nothing was written to its tree."""
    before = contents(image)
    given = {PREFIX + key: value for key, value in scene.given.items()}
    job = image.run([*image.final.entrypoint, "infra", "apply"], **given)
    assert job.returncode == 0, job.stderr
    with scene.engine(tuple(image.command())) as engine:
        engine.until_ready()
        health = image.run(image.final.health, **given)
        assert (health.returncode, health.stdout) == (0, "live\n"), health.stderr
        scene.produce(spread("b", 5, 0, 4000, 500))
        scene.until_bars(engine, 5 * 4)
        assert engine.get("/readyz") == (200, "ready\n")
        scene.finish(engine)
        assert engine.events("stopped")
        assert not engine.events("stopped_dirty")
    assert contents(image) == before
    assert image.run(image.final.health, **given).returncode == 1


def test_it_cannot_write(image: Image) -> None:
    """The whole file system is read-only, and the service has needed none of it."""
    done = image.run(["python", "-c", WRITE])
    assert (done.returncode, done.stdout) == (0, "")


def test_it_runs_without_any_program(image: Image) -> None:
    """No shell and no compiler was there when the service ran, and no pip is in the image."""
    done = image.run(["python", "-c", SHELL])
    assert done.stdout == "[]\n"
    assert image.run(["python", "-m", "pip", "--version"]).returncode == 1
    assert image.run(["/usr/local/bin/python", "-m", "pip", "--version"]).returncode == 1


def test_it_is_nobody(image: Image) -> None:
    """The process is the image's user, without groups (or this user, where we are not root)."""
    done = image.run(["python", "-c", "import os; print(os.getuid(), os.getgid(), os.getgroups())"])
    if os.getuid() == 0:
        assert done.stdout == "10001 10001 []\n"
    else:
        assert done.stdout.startswith("0 0 ")  # as this user is called in its user namespace


def test_its_tree_belongs_to_root(image: Image) -> None:
    """Nobody but root could change what runs, were the file system not read-only."""
    for folder, _, files in os.walk(image.root() / "opt"):
        for path in (Path(folder, name) for name in ("", *files)):
            seen = path.lstat()
            assert seen.st_uid == os.getuid(), path
            assert stat.S_ISLNK(seen.st_mode) or not seen.st_mode & 0o022, path


def test_its_bytecode_is_there(image: Image) -> None:
    """A read-only tree cannot get bytecode later: each start would compile everything anew."""
    package = next((image.root() / "opt").rglob("site-packages/barengine"))
    for path in package.rglob("*.py"):
        assert list((path.parent / "__pycache__").glob(f"{path.stem}.cpython-*.pyc")), path


def test_the_standard_library_has_bytecode(image: Image) -> None:
    """Every module that a start imports is there ready to run."""
    program = (
        "import sys, os, barengine.cli.run; "
        "print([m.__name__ for m in list(sys.modules.values()) if getattr(m, '__cached__', None)"
        " and not os.path.exists(m.__cached__)])"
    )
    done = image.run(["python", "-c", program])
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_the_kernel_is_the_compiled_one(image: Image) -> None:
    """What was compiled in the first stage computes in the second."""
    program = Path(__file__).with_name("kernel_once.py").read_text()
    done = image.run(["python", "-c", program])
    assert done.returncode == 0, done.stderr
    assert "by the compiled kernel" in done.stdout


def test_wrong_configuration_is_said_clearly(image: Image) -> None:
    """``docker run`` without a sensible setting ends with 2 and names the key."""
    done = image.run([*image.final.entrypoint, "run"], BARENGINE_WINDOW="7m")
    assert done.returncode == 2
    assert "BARENGINE_WINDOW" in done.stderr
