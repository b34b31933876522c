"""Millions of damaged inputs on a kernel that reports every wrong access; few in a short run."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import sanitized
from tests.fuzz.targets import TARGETS

SHORT = 400_000
INPUTS = int(os.environ.get("FUZZ_INPUTS") or SHORT)
"""``make fuzz`` sets ten millions."""

LONGEST_S = 3 * 3600


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with a sanitized kernel."""
    return sanitized.build(tmp_path_factory.mktemp("sanitized"))


def fuzz(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the fuzzer in a process of its own: a finding ends it."""
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments],
        cwd=sanitized.ROOT,
        env=sanitized.environment(package),
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )


def test_fuzz(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No input makes the kernel read out of bounds, loop, or lose a record without a reason."""
    seed = os.environ.get("FUZZ_SEED") or str(random.SystemRandom().randrange(10**6))
    ended = fuzz(package, seed, str(INPUTS))
    lines = [line for line in ended.stdout[-2000:].splitlines() if line.endswith(" inputs")]
    with capsys.disabled():
        print(f"\nFUZZ_SEED={seed}: {', '.join(lines)}")  # noqa: T201 - the run's summary
    assert ended.returncode == 0, f"FUZZ_SEED={seed} {ended.stdout[-80:]}\n{ended.stderr[-6000:]}"
    assert len(lines) == len(TARGETS)


def test_sanitizers_see(package: Path) -> None:
    """The build reports a read beyond a buffer: a fuzzer that cannot fail proves nothing."""
    code = "import ctypes; p = ctypes.create_string_buffer(8); ctypes.string_at(p, 4096)"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=sanitized.environment(package),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert "AddressSanitizer" in ended.stderr
