"""Stream processors for Python, measured on request: each in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import venv
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.contender import Command, Contender, Job
from benchmarks.load import FOLDER
from benchmarks.program import arguments

_PINS: Final = Path(__file__).with_name("requirements-extras.txt")


def unavailable(package: str) -> str | None:
    """Why it cannot run here; None: it can, and is installed."""
    home = _home(package)
    stamp = home / "installed.txt"
    if stamp.exists() and stamp.read_text() == _PINS.read_text():
        return None
    try:
        venv.create(home, clear=True, with_pip=True)
        _install(home, package)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        return f"{package} cannot be installed: {said.strip().splitlines()[-1]}"
    stamp.write_text(_PINS.read_text())
    return None


def command(package: str, module: str, job: Job) -> Command:
    """One of the modules beside this one, as a process in the package's environment."""
    python = str(_python(_home(package)))
    return Command([python, "-m", f"benchmarks.contenders.{module}", *arguments(job)])


def _install(home: Path, package: str) -> None:
    """The package, and what it needs, at the pinned versions."""
    pip = [str(_python(home)), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run(  # noqa: S603 - pip, with names from this module
        [*pip, "--constraint", str(_PINS), package], check=True, capture_output=True, text=True
    )


def _home(package: str) -> Path:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return FOLDER / f"{package.partition('[')[0]}-py{version}"


def _python(home: Path) -> Path:
    return home / "bin" / "python"


QUIX: Final = Contender(
    "Quix Streams",
    "exactly once",
    partial(command, "quixstreams", "quix_bars"),
    notes="its tumbling windows in RocksDB, commit every 1 s, a parser made fast for it, "
    "librdkafka tuned",
    ticks=1_000_000,
    extra=True,
    available=partial(unavailable, "quixstreams"),
)

BYTEWAX: Final = Contender(
    "Bytewax",
    "at least once",
    partial(command, "bytewax[kafka]", "bytewax_bars"),
    notes="event-time windows with recovery on, a parser made fast for it, librdkafka tuned; "
    "the topic's end closes the last windows",
    ticks=4_000_000,
    extra=True,
    available=partial(unavailable, "bytewax[kafka]"),
)
