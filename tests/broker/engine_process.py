"""The service as its users run it: a process of its own, seen through HTTP, log and exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.processes import PATIENCE_S, eventually

ROOT: Final = Path(__file__).parents[2]
_MORTAL: Final = (sys.executable, "-I", "-S", str(Path(__file__).with_name("mortal.py")))
HTTP_S: Final = PATIENCE_S  # bounds one request to a process that may be stopped
TAIL_LINES: Final = 40
KERNEL: Final = "BARENGINE_KERNEL"
RUN: Final = ("-m", "barengine", "run")
PREFIX: Final = "BARENGINE_"


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process' environment with these settings and no others; the kernel is left to choose."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == KERNEL or not name.startswith(PREFIX)
    }
    return kept | {PREFIX + key: value for key, value in settings.items()}


class EngineProcess:
    """One ``barengine run``, started at once; a context manager that leaves no process behind.

    The process does not outlive the thread that started it, however that ends.

    Args:
        settings: keys without their prefix, such as ``{"WINDOW": "1s"}``.
        log: the file that takes what the process says on standard error.
        command: arguments of the Python interpreter.
    """

    def __init__(
        self, settings: Mapping[str, str], log: Path, command: Sequence[str] = RUN
    ) -> None:
        self.log = log
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [*_MORTAL, str(os.getpid()), sys.executable, *command],
                cwd=ROOT,
                env=environment(settings),
                stdout=stream,
                stderr=stream,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            print(self.tail())  # noqa: T201 - pytest shows it beside the failure
        self.kill9()

    # -- life ------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def until(self, what: str, condition: Any) -> None:
        """Wait until the condition is true.

        Raises:
            AssertionError: it did not come true, or the process ended; with the end of the log.
        """
        met: list[bool] = []  # asked once: what is true now may be over in a moment

        def over() -> bool:
            met[:] = [bool(condition())]
            return met[0] or not self.running

        eventually(over)
        if not met[0]:
            ended = "" if self.running else f", it ended with {self._process.returncode}"
            raise AssertionError(f"not in time: {what}{ended}\n{self.tail()}")

    def until_ready(self) -> Self:
        """Wait until every assigned partition is RUNNING."""
        self.until("ready", self.ready)
        return self

    def kill9(self) -> None:
        """``kill -9``; nothing if it has ended."""
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def terminate(self) -> int:
        """SIGTERM, and the exit code that follows."""
        self.send(signal.SIGTERM)
        return self.exit_code()

    def exit_code(self) -> int:
        """Wait for its end. A signal gives its negative number."""
        try:
            return self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end\n{self.tail()}") from None

    def freeze(self) -> None:
        """SIGSTOP: alive, and silent like a machine that is paused."""
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.send(signal.SIGCONT)

    @property
    def frozen(self) -> bool:
        """Whether it is stopped by a signal, its own or another's."""
        return bool(psutil.Process(self._process.pid).status() == psutil.STATUS_STOPPED)

    # -- what it says ----------------------------------------------------------------------

    def text(self) -> str:
        """Everything it has said so far."""
        return self.log.read_text(errors="replace")

    def tail(self) -> str:
        """The last lines of it."""
        return "\n".join([f"{self.log}:", *self.text().splitlines()[-TAIL_LINES:]])

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of that event, in order."""
        lines = [line for line in self.text().splitlines() if line.startswith("{")]
        events = [json.loads(line) for line in lines if line.endswith("}")]
        return [event for event in events if event["event"] == name]

    @property
    def port(self) -> int | None:
        """Where it serves HTTP; None: not yet."""
        listening = self.events("listening")
        return int(listening[0]["port"]) if listening else None

    def get(self, path: str) -> tuple[int, str]:
        """Status code and body of a page; 0 without an answer."""
        port = self.port
        if port is None:
            return 0, ""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=HTTP_S) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> bool:
        """Whether /readyz says so."""
        return self.get("/readyz")[0] == 200

    def tasks(self) -> dict[int, dict[str, Any]]:
        """The tasks of /status by partition; empty without an answer."""
        code, body = self.get("/status")
        tasks = json.loads(body)["tasks"] if code == 200 else {}
        return {int(partition): task for partition, task in tasks.items()}

    def total(self, name: str) -> int:
        """Sum over all tasks, those that have that number."""
        return sum(task.get(name, 0) for task in self.tasks().values())

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the samples of that name that have these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.get("/metrics")[1])
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )
