"""What every mark needs: a broker, topics, and processes that answer in JSON."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import psutil
from confluent_kafka.admin import AdminClient, NewTopic

ROOT: Final = Path(__file__).parents[2]
Env = Mapping[str, str] | None
"""More of the engine's environment, such as ``MARKS_STACKS``."""

_PATIENCE_S: Final = 120.0
_CALL_S: Final = 30.0


class Child:
    """One process of ours; a context manager that leaves none behind.

    Args:
        module: run as ``python -m``.
        spec: its first line of standard input; None: none.
        env: settings of the engine, with their prefix.
        log: the file that takes its standard error.
    """

    def __init__(
        self,
        module: str,
        spec: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        with (log or Path(os.devnull)).open("ab") as stream:
            self.process = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", module],
                cwd=ROOT,
                env=_environment(env or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
            )
        self._meter = psutil.Process(self.process.pid)
        if spec is not None:
            self.say(json.dumps(spec))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(_CALL_S)

    def say(self, line: str = "") -> None:
        """A line for its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """The next line of its standard output."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args!r} ended with {self.process.wait(_CALL_S)}")
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    def finish(self) -> dict[str, Any]:
        """SIGTERM, and its last answer."""
        self.process.send_signal(signal.SIGTERM)
        answer = self.answer()
        self.process.wait(_CALL_S)
        return answer

    def rss(self) -> int:
        """Resident bytes now."""
        return int(self._meter.memory_info().rss)

    def cpu_s(self) -> float:
        """CPU seconds so far."""
        times = self._meter.cpu_times()
        return float(times.user + times.system)


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BARENGINE_")}
    return kept | dict(settings)


class Scene:
    """One input topic under a context of its own, and engines that read it.

    A context manager: its topics are deleted at the end, or each would cost the broker, and all
    that is measured after it, a little.
    """

    def __init__(self, bootstrap: str, partitions: int, folder: Path, **settings: str) -> None:
        self.bootstrap, self.partitions, self.folder = bootstrap, partitions, folder
        self.context = f"m{uuid.uuid4().hex[:8]}"
        self.topic = f"{self.context}.ticks"
        self.port = _free_port()
        self.settings = {
            "BOOTSTRAP_SERVERS": bootstrap,
            "CONTEXT": self.context,
            "AUTO_CREATE_TOPICS": "on",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(self.port),
            "LOG_FORMAT": "json",
            **settings,
        }
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        new = NewTopic(self.topic, partitions, config={"retention.ms": "-1"})
        self._admin.create_topics([new])[self.topic].result(_CALL_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        there = self._admin.list_topics(timeout=_CALL_S).topics
        own = [topic for topic in there if topic.startswith(f"{self.context}.")]
        for gone in self._admin.delete_topics(own).values():
            gone.result(_CALL_S)

    @property
    def bar_topics(self) -> list[str]:
        """One for each period, the base window's first."""
        rollups = self.settings.get("ROLLUPS")
        periods = [self.settings["WINDOW"], *(rollups.split(",") if rollups else ())]
        return [f"{self.context}.bar_{period}" for period in periods]

    @contextmanager
    def engine(self, env: Env = None, *, ready: bool = True) -> Iterator[Child]:
        """An engine under watch; by default one whose partitions are all RUNNING."""
        prefixed = {f"BARENGINE_{key}": value for key, value in self.settings.items()}
        log = self.folder / f"{self.context}.log"
        module = os.environ.get("MARKS_ENGINE", "benchmarks.marks.engine")
        with Child(module, env={**prefixed, **(env or {})}, log=log) as child:
            if ready:
                self.until_ready(child)
            yield child

    def feeder(self, what: str, **spec: Any) -> Child:
        """A feeder of this topic."""
        common = {"bootstrap": self.bootstrap, "topic": self.topic, "partitions": self.partitions}
        return Child("benchmarks.marks.feeder", {"what": what, **common, **spec})

    def reader(self, expected: int | None = None) -> Child:
        """A reader of the bars from now on, standing at the end."""
        common = {"bootstrap": self.bootstrap, "partitions": self.partitions}
        child = Child(
            "benchmarks.marks.reader", {"topics": self.bar_topics, "expected": expected, **common}
        )
        child.answer()
        return child

    def tasks(self) -> dict[str, dict[str, Any]]:
        """The tasks of /status; empty without an answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status", timeout=5) as page:
                status = json.load(page)
        except (OSError, urllib.error.URLError):
            return {}
        return dict(status["tasks"]) if status["ready"] else {}

    def until_ready(self, engine: Child) -> None:
        """Wait until every partition is RUNNING."""
        until("the engine is ready", lambda: len(self.tasks()) == self.partitions, engine)

    def until_open(self, engine: Child, windows: int) -> None:
        """Wait until so many windows are open."""
        until(
            f"{windows} windows are open",
            lambda: sum(task["windows_open"] for task in self.tasks().values()) == windows,
            engine,
        )


def until(what: str, condition: Any, engine: Child) -> None:
    """Wait for a condition while the engine lives.

    Raises:
        RuntimeError: it ended, or it took too long.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if engine.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"not in time: {what}")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
