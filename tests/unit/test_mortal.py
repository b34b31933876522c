"""Engines of tests do not outlive a run that was ended by force."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import eventually, is_gone

ROOT = Path(__file__).parents[2]
ASKER = """
import subprocess, sys, time
from pathlib import Path
from tests.broker.engine_process import EngineProcess

engine = EngineProcess({}, Path(sys.argv[1]), ["-c", "import time; time.sleep(600)"])
print(engine.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can tell a child")
def test_engine_ends_with_its_test(tmp_path: Path) -> None:
    """``kill -9`` of the test's process ends the engine that it has started."""
    with subprocess.Popen(
        [sys.executable, "-c", ASKER, str(tmp_path / "log")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as asker:
        assert asker.stdout is not None
        engine = int(asker.stdout.readline())
        assert not is_gone(engine)
        asker.kill()
    assert eventually(lambda: is_gone(engine))
