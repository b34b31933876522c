"""Runs one child and sees to it that it never outlives the process that asked for it.

Started as a plain file in an interpreter without site packages, so it imports the standard
library alone. Usage: ``local_supervisor.py GRACE_SECONDS FOLDER COMMAND...``

The end of standard input is the whole point: the kernel closes that pipe however the asking
process ends, ``kill -9`` included. The child is then killed and FOLDER removed, because nobody
else may be left to do it. Without a FOLDER (the empty string), or if it is to stay, the child is
ended politely, and by force after the grace period. Commands come before that, one byte each:
``k`` kills the child at once, ``q`` says that FOLDER stays.

Lines go to standard output: ``pid N`` at once, ``exit CODE`` when the child has ended. The
child's own output goes to standard error.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # prctl(2)
PARENT_CHECK_S = 1.0  # a forked copy of the asker may hold the pipe open: ask who our parent is


def _die_with_supervisor() -> Callable[[], None] | None:
    """What the child runs before exec, so that killing the supervisor kills it too (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    supervisor = os.getpid()

    def set_death_signal() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:  # it died before the line above
            os._exit(1)

    return set_death_signal


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody may be listening any more
        os.write(1, f"{line}\n".encode())


class Supervisor:
    """The child, the pipe to the asker, and the two ways out."""

    def __init__(self, command: list[str], grace_s: float) -> None:
        self._wake, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        self._asker = os.getppid()
        self._grace_s = grace_s
        self._reported = False
        self._child = subprocess.Popen(  # noqa: S603 - no shell, the asker's own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=2,
            preexec_fn=_die_with_supervisor(),  # noqa: PLW1509 - there is one thread here
        )
        _say(f"pid {self._child.pid}")

    def run(self) -> bool:
        """Serve until the asker closes the pipe or is gone; True if it said ``q`` before."""
        stays = False
        while os.getppid() == self._asker:
            ready, _, _ = select.select([0, self._wake], [], [], PARENT_CHECK_S)
            if self._wake in ready and signal.SIGTERM in os.read(self._wake, 64):
                break
            self._report()
            if 0 in ready:
                commands = os.read(0, 64)
                if not commands:
                    break
                stays = stays or b"q" in commands
                if b"k" in commands:
                    self._child.kill()
        return stays

    def end(self, *, politely: bool) -> None:
        """End the child, by force at last."""
        if politely and self._child.poll() is None:
            self._child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(self._grace_s)
        self._child.kill()
        self._child.wait()
        self._report()

    def _report(self) -> None:
        if not self._reported and self._child.poll() is not None:
            self._reported = True
            _say(f"exit {self._child.returncode}")


def main() -> None:
    """Supervise as the module's text says."""
    grace_s, folder, *command = sys.argv[1:]
    supervisor = Supervisor(command, float(grace_s))
    stays = supervisor.run() or not folder
    supervisor.end(politely=stays)
    if not stays:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
