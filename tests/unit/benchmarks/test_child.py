"""A contender's process, seen from outside."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from benchmarks.child import Child
from benchmarks.contender import Command
from tests.processes import eventually, is_gone

WORKS = """
import os, subprocess, sys, time
print("RUNNING", flush=True)
stop = time.process_time() + 0.2
while time.process_time() < stop: pass
subprocess.run([sys.executable, "-c", "held = bytearray(50_000_000); print('NOTE held_ms=1.5')"])
print("DONE 42", flush=True)
time.sleep(600)
"""
FAILS = "import sys; sys.exit('no such topic')"
HAS_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(f"DONE {child.pid}", flush=True)
time.sleep(600)
"""


def python(text: str) -> Command:
    return Command([sys.executable, "-c", text])


def test_what_a_child_prints_is_timed(tmp_path: Path) -> None:
    """Its first and last line carry the clock and the CPU time of its whole family."""
    with Child(python(WORKS), tmp_path / "log") as child:
        assert eventually(lambda: child.done is not None)
        assert child.running is not None
        assert child.done is not None
        assert child.done.at > child.running.at
        assert child.done.cpu_s - child.running.cpu_s >= 0.2
        assert (child.records, child.notes) == (42, {"held_ms": 1.5})
        assert child.peak_bytes() > 1_000_000
    assert child.exited


def test_a_child_that_fails_says_why(tmp_path: Path) -> None:
    """Exit code and last line of its log."""
    with Child(python(FAILS), tmp_path / "log") as child:
        assert eventually(lambda: child.exited)
        assert child.last_words() == "exit code 1: no such topic"


def test_nothing_is_left_of_a_child(tmp_path: Path) -> None:
    """What it has started ends with it."""
    with Child(python(HAS_CHILD), tmp_path / "log") as child:
        assert eventually(lambda: child.records > 0)
        assert not is_gone(child.records)
    assert eventually(lambda: is_gone(child.records))


ENDS = """
import time
from pathlib import Path
from benchmarks.child import Child, end_as_by_ctrl_c
from benchmarks.contender import Command
end_as_by_ctrl_c()
with Child(Command({argv!r}), Path({log!r})) as child:
    while not child.records: time.sleep(0.01)
    print(child.records, flush=True)
    time.sleep(600)
"""


def test_sigterm_leaves_nothing_behind(tmp_path: Path) -> None:
    """A benchmark that is told to end takes its children with it."""
    text = ENDS.format(argv=python(HAS_CHILD).argv, log=str(tmp_path / "log"))
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        grandchild = int(program.stdout.readline())
        program.terminate()
        assert program.wait(60) == 128 + signal.SIGTERM
    assert eventually(lambda: is_gone(grandchild))
