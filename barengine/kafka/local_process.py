"""A child process that cannot outlive us, seen from our side of the supervisor's pipe."""

from __future__ import annotations

import contextlib
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from barengine.errors import LocalKafkaError

SUPERVISOR: Final = Path(__file__).with_name("local_supervisor.py")
SPAWN_TIMEOUT_S: Final = 30.0  # an interpreter's start; long only on a machine that thrashes
MARGIN_S: Final = 10.0  # on top of a grace period, for the kill that ends it
LOG_TAIL_LINES: Final = 12


class SupervisedProcess:
    """One running child; every way of ending it goes through its supervisor.

    Args:
        command: what to run.
        log: the file that its output is appended to.
        grace_s: seconds between asking it to end and killing it.
        orphan_folder: removed by the supervisor if we die without :meth:`close`.
        held_fd: an open file (a lock) that the supervisor keeps open as long as it lives.

    Raises:
        LocalKafkaError: the child did not start; the log's last lines are in the text.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        grace_s: float,
        orphan_folder: Path | None = None,
        held_fd: int | None = None,
    ) -> None:
        self._log, self._grace_s = log, grace_s
        self._buffer = b""
        self._exit_code: int | None = None
        arguments = [str(grace_s), str(orphan_folder or ""), *command]
        with log.open("ab") as output:
            # isolated and without site packages: 20 ms to start, and nothing of ours to import
            self._supervisor = subprocess.Popen(  # noqa: S603 - no shell, our own arguments
                [sys.executable, "-I", "-S", str(SUPERVISOR), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is ours: the child ends when we say so
                pass_fds=() if held_fd is None else (held_fd,),
            )
        try:
            self.pid = self._read_pid()
        except BaseException:
            self.close(keep_folder=True)
            raise

    def _read_pid(self) -> int:
        line = self._next_line(SPAWN_TIMEOUT_S)
        if line is None or not line.startswith("pid "):
            raise LocalKafkaError(f"the local Kafka's process did not start\n{log_tail(self._log)}")
        return int(line.removeprefix("pid "))

    def wait(self, timeout_s: float) -> int | None:
        """The child's exit code, or None if it still runs after so many seconds."""
        if self._exit_code is None:
            line = self._next_line(timeout_s)
            if line is not None and line.startswith("pid "):  # an interrupt came before it was read
                line = self._next_line(timeout_s)
            if line is not None:
                # no line at all means that the supervisor itself was killed, and the child with it
                self._exit_code = int(line.removeprefix("exit ")) if line else -9
        return self._exit_code

    def kill(self) -> None:
        """Kill the child at once (``SIGKILL``) and wait until it is gone."""
        self._command(b"k")
        self.wait(MARGIN_S)

    def close(self, *, keep_folder: bool) -> None:
        """End the child and let the supervisor go. Safe to repeat.

        A child whose orphan folder is not kept is killed, and the folder removed; any other is
        ended politely, and by force after the grace period.
        """
        if keep_folder:
            self._command(b"q")
        stdin, stdout = self._supervisor.stdin, self._supervisor.stdout
        assert stdin is not None
        assert stdout is not None
        with contextlib.suppress(OSError):
            stdin.close()
        try:
            self._supervisor.wait(self._grace_s + MARGIN_S)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()  # the kernel then kills the child
            self._supervisor.wait()
        finally:
            self.wait(0)  # the exit code may still be in the pipe
            stdout.close()

    def _command(self, command: bytes) -> None:
        stdin = self._supervisor.stdin
        assert stdin is not None
        with contextlib.suppress(OSError, ValueError):  # closed by us, or the supervisor is gone
            stdin.write(command)

    def _next_line(self, timeout_s: float) -> str | None:
        """The supervisor's next line, "" once it is gone, None if there was none in time."""
        stdout = self._supervisor.stdout
        assert stdout is not None
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._buffer:
            left = max(0.0, deadline - time.monotonic())
            if stdout.closed or not select.select([stdout], [], [], left)[0]:
                return "" if stdout.closed else None
            chunk = stdout.read(256)
            if not chunk:
                return ""
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()


def log_tail(log: Path) -> str:
    """The log's last lines, with its path, for an error's text; Java's stack frames left out."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError as error:
        return f"(no log at {log}: {error.strerror})"
    telling = [line for line in lines if not line.startswith("\tat ")]
    return "\n".join([f"last lines of {log}:", *telling[-LOG_TAIL_LINES:]])
