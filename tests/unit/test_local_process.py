"""The supervisor behind the local Kafka, tried on children that cost nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from barengine.errors import LocalKafkaError
from barengine.kafka.local_process import SupervisedProcess, log_tail
from tests.processes import PATIENCE_S, eventually, is_gone

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", file=sys.stderr, flush=True)
time.sleep(600)
"""

# An asker that reports its child's pid and then hangs, as told by the first argument.
ASKER = """
import os, sys, threading, time
from pathlib import Path
from barengine.kafka.local_process import SupervisedProcess

def ask():
    child = SupervisedProcess(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        Path(sys.argv[2]) / "log", grace_s=5, orphan_folder=Path(sys.argv[2]),
    )
    kept.append(child)
    print(child.pid, flush=True)

kept = []
if sys.argv[1] == "thread":
    asking = threading.Thread(target=ask)
    asking.start()
    asking.join()
    print("thread over", flush=True)
else:
    ask()
if sys.argv[1] == "fork" and (forked := os.fork()):
    print(forked, flush=True)
time.sleep(600)
"""


def _asker(way: str, folder: Path) -> subprocess.Popen[str]:
    folder.mkdir()
    command = [sys.executable, "-c", ASKER, way, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _line(asker: subprocess.Popen[str]) -> str:
    assert asker.stdout is not None
    return asker.stdout.readline().strip()


def _killed(asker: subprocess.Popen[str]) -> None:
    asker.kill()
    asker.wait()
    assert asker.stdout is not None
    asker.stdout.close()


def test_child_dies_with_an_asker_that_was_killed(tmp_path: Path) -> None:
    """``kill -9`` of the asker ends its child and removes the folder it left behind."""
    folder = tmp_path / "orphan"
    asker = _asker("plain", folder)
    child = int(_line(asker))
    assert not is_gone(child)

    _killed(asker)

    assert eventually(lambda: is_gone(child))
    assert eventually(lambda: not folder.exists())


def test_child_dies_though_a_forked_copy_of_the_asker_lives_on(tmp_path: Path) -> None:
    """A fork that inherited the asker's end of the pipe does not keep the child alive."""
    asker = _asker("fork", tmp_path / "orphan")
    child, forked = int(_line(asker)), int(_line(asker))

    _killed(asker)

    try:
        assert eventually(lambda: is_gone(child))
        assert not is_gone(forked)
    finally:
        os.kill(forked, signal.SIGKILL)


def test_child_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    """The child belongs to the process, not to the thread that started it."""
    asker = _asker("thread", tmp_path / "orphan")
    child = int(_line(asker))
    assert _line(asker) == "thread over"

    assert not eventually(lambda: is_gone(child), timeout_s=2.0)

    _killed(asker)
    assert eventually(lambda: is_gone(child))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a parent death signal")
def test_child_dies_with_its_supervisor(tmp_path: Path) -> None:
    """Killing the supervisor itself leaves no child behind, and counts as the child's end."""
    process = SupervisedProcess(SLEEP, tmp_path / "log", grace_s=5)
    supervisor = psutil.Process(process.pid).parent()
    assert supervisor is not None

    supervisor.kill()

    assert eventually(lambda: is_gone(process.pid))
    assert process.wait(PATIENCE_S) == -signal.SIGKILL
    process.close(keep_folder=True)


def test_close_ends_the_child_and_keeps_the_folder(tmp_path: Path) -> None:
    """An asker that closes in order keeps its folder, and closing twice is closing once."""
    process = SupervisedProcess(SLEEP, tmp_path / "log", grace_s=5, orphan_folder=tmp_path)

    process.close(keep_folder=True)
    process.close(keep_folder=True)

    assert is_gone(process.pid)
    assert tmp_path.exists()


def test_close_after_a_failure_removes_the_folder(tmp_path: Path) -> None:
    """An asker that gives its folder up has it removed."""
    folder = tmp_path / "given-up"
    folder.mkdir()
    process = SupervisedProcess(SLEEP, folder / "log", grace_s=5, orphan_folder=folder)

    process.close(keep_folder=False)

    assert not folder.exists()


def test_child_that_ignores_the_polite_way_is_killed(tmp_path: Path) -> None:
    """The grace period ends even a child that ignores ``SIGTERM``."""
    log = tmp_path / "log"
    process = SupervisedProcess([sys.executable, "-c", STUBBORN], log, grace_s=0.2)
    assert eventually(lambda: "deaf" in log.read_text())

    process.close(keep_folder=True)

    assert process.wait(0) == -signal.SIGKILL


def test_kill_ends_the_child_at_once_and_is_told(tmp_path: Path) -> None:
    """After ``kill`` the child is gone, and the supervisor still serves."""
    process = SupervisedProcess(SLEEP, tmp_path / "log", grace_s=5)
    assert process.wait(0) is None

    process.kill()

    assert process.wait(0) == -signal.SIGKILL
    assert is_gone(process.pid)
    process.close(keep_folder=True)


def test_exit_code_and_output_of_a_child_that_ends_by_itself(tmp_path: Path) -> None:
    """The child's exit code comes back, and its output is in the log."""
    log = tmp_path / "log"
    command = [sys.executable, "-c", "print('out of luck', flush=True); raise SystemExit(7)"]
    process = SupervisedProcess(command, log, grace_s=5)

    assert process.wait(PATIENCE_S) == 7
    assert "out of luck" in log_tail(log)
    process.close(keep_folder=True)


def test_command_that_does_not_exist(tmp_path: Path) -> None:
    """A child that cannot be started is an error that shows why."""
    with pytest.raises(LocalKafkaError, match=r"did not start[^$]*no-such-program"):
        SupervisedProcess([str(tmp_path / "no-such-program")], tmp_path / "log", grace_s=5)


def test_log_tail_without_a_log(tmp_path: Path) -> None:
    """A log that is not there is said, not raised."""
    assert "no log at" in log_tail(tmp_path / "none")


def test_interrupt_while_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt between the child's start and the first look at it ends both, and stays what it
    is."""
    log = tmp_path / "log"
    children: list[int] = []

    def interrupted(process: SupervisedProcess) -> int:
        assert eventually(lambda: bool(psutil.Process(process._supervisor.pid).children()))
        children.extend(one.pid for one in psutil.Process(process._supervisor.pid).children())
        raise KeyboardInterrupt

    monkeypatch.setattr(SupervisedProcess, "_read_pid", interrupted)
    with pytest.raises(KeyboardInterrupt):
        SupervisedProcess(SLEEP, log, grace_s=5)
    assert all(map(is_gone, children))
