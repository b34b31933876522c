"""Millions of damaged inputs on a kernel that reports every wrong access; few in a short run."""

from __future__ import annotations

import faulthandler
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import sanitized
from tests.fuzz.targets import TARGETS

SHORT = 200_000
INPUTS = int(os.environ.get("FUZZ_INPUTS") or SHORT)
"""``make fuzz`` sets ten millions."""

PIECES = 4
SEED = os.environ.get("FUZZ_SEED") or str(random.SystemRandom().randrange(10**6))
MARGIN_S = 30.0


@pytest.fixture(scope="module")
def limit_s(pytestconfig: pytest.Config) -> float:
    """Seconds after which a process has failed its test; somewhat later the whole run ends."""
    return float(pytestconfig.getini("faulthandler_timeout")) - MARGIN_S


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, limit_s: float) -> Path:
    """The package with a sanitized kernel. Building may take longer than a test."""
    faulthandler.dump_traceback_later(sanitized.BUILD_S + MARGIN_S, exit=True)
    folder = sanitized.build(tmp_path_factory.mktemp("sanitized"))
    faulthandler.dump_traceback_later(limit_s + MARGIN_S, exit=True)
    return folder


def run(package: Path, limit_s: float, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a sanitized Python in a process of its own: a finding ends it."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=sanitized.ROOT,
        env=sanitized.environment(package),
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


def test_sanitizers_see(package: Path, limit_s: float) -> None:
    """The build reports a read beyond a buffer: a fuzzer that cannot fail proves nothing."""
    code = "import ctypes; p = ctypes.create_string_buffer(8); ctypes.string_at(p, 4096)"
    ended = run(package, limit_s, "-c", code)
    assert ended.returncode != 0
    assert "AddressSanitizer" in ended.stderr


@pytest.mark.parametrize("piece", range(PIECES))
def test_fuzz(
    package: Path, limit_s: float, piece: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """No input makes the kernel read out of bounds, loop, or lose a record without a reason."""
    seed = f"{SEED}.{piece}"
    ended = run(package, limit_s, "-m", "tests.fuzz", seed, str(INPUTS // PIECES))
    lines = [line for line in ended.stdout[-2000:].splitlines() if line.endswith(" inputs")]
    with capsys.disabled():
        print(f"\nFUZZ_SEED={SEED} {seed}: {', '.join(lines)}")  # noqa: T201 - the run's summary
    assert ended.returncode == 0, f"FUZZ_SEED={SEED} {ended.stdout[-80:]}\n{ended.stderr[-6000:]}"
    assert len(lines) == len(TARGETS)
