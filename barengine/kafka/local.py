"""A real one-node Apache Kafka on this machine, from packages alone: no Docker, no installation."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from barengine.errors import LocalKafkaError
from barengine.kafka.local_config import java_command, new_cluster_id, server_properties
from barengine.kafka.local_fetch import java_executable, kafka_jars
from barengine.kafka.local_folder import LocalFolder
from barengine.kafka.local_net import HOST, answers, claim_port, pick_free_port
from barengine.kafka.local_process import SupervisedProcess, log_tail

START_TIMEOUT_S: Final = 90.0  # 3 s here; a laptop that compiles meanwhile takes many times that
STOP_GRACE_S: Final = 20.0  # a clean stop takes half a second, more with much to flush
POLL_S: Final = 0.05


class LocalKafka:
    """One broker and its folder; a context manager that starts and stops it.

    The broker never outlives this process, however it ends, ``kill -9`` included. Its port stays
    the same from the first start on, its data until :meth:`stop` (for ever in ``data_dir``).

    Args:
        port: the port on the loopback address; 0 picks a free one.
        data_dir: the folder to keep topics in; None takes a temporary one.
        config: broker settings that win over those of :mod:`barengine.kafka.local_config`.
        heap_mb: the most heap that the broker may use, in MiB.

    Raises:
        LocalKafkaError: by every method that starts; its text names the way out.
    """

    def __init__(
        self,
        port: int = 0,
        data_dir: Path | None = None,
        config: Mapping[str, str] | None = None,
        heap_mb: int = 512,
    ) -> None:
        self._port = port
        self._folder = LocalFolder(data_dir)
        self._config = dict(config or {})
        self._heap_mb = heap_mb
        self._process: SupervisedProcess | None = None

    def __repr__(self) -> str:
        state = "running" if self.running else "stopped"
        return f"<LocalKafka {self.bootstrap} {state} {self._folder!r}>"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """The address for ``bootstrap.servers``, ``127.0.0.1:PORT``; known after the start."""
        return f"{HOST}:{self._port}"

    @property
    def log_path(self) -> Path:
        """The file with the broker's own log."""
        return self._folder.log

    @property
    def running(self) -> bool:
        """Whether the broker's process is alive."""
        return self._process is not None and self._process.wait(0) is None

    @property
    def pid(self) -> int:
        """The broker's process id, for tests that disturb it.

        Raises:
            LocalKafkaError: it was not started.
        """
        if self._process is None:
            raise LocalKafkaError("the local Kafka is not started")
        return self._process.pid

    def start(self) -> Self:
        """Start the broker, fetch it before if need be, and return when it answers."""
        if self.running:
            return self
        self._release(keep_folder=True)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the broker, cleanly if its folder is kept; remove a temporary one. Idempotent."""
        self._release(keep_folder=False)
        self._folder.remove()

    def restart(self) -> Self:
        """Stop cleanly and start again: same port, same data."""
        self._release(keep_folder=True)
        return self.start()

    def kill(self) -> None:
        """Kill the broker (``SIGKILL``); port and data are there for the next :meth:`start`."""
        if self._process is not None:
            self._process.kill()

    def wait(self, timeout_s: float) -> bool:
        """Whether the broker has ended, waiting for that at most so many seconds."""
        return self._process is None or self._process.wait(timeout_s) is not None

    def _start(self) -> None:
        self._port = claim_port(self._port)
        java, jars = java_executable(), kafka_jars()
        self._folder.make()
        controller_port = pick_free_port(self._port)
        properties = self._folder.write_properties(
            server_properties(self._port, controller_port, self._folder.data, self._config)
        )
        command = java_command(java, jars, self._heap_mb)
        with self._folder.locked() as lock:
            if not self._folder.formatted:
                self._format(command, properties, lock)
            self._process = self._run([*command, "kafka.Kafka", str(properties)], lock)
        self._wait_until_it_answers()

    def _run(self, command: list[str], lock: int) -> SupervisedProcess:
        return SupervisedProcess(
            command,
            self._folder.log,
            grace_s=STOP_GRACE_S,
            orphan_folder=self._folder.orphan,
            held_fd=lock,
        )

    def _format(self, command: list[str], properties: Path, lock: int) -> None:
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={new_cluster_id()}"]
        process = self._run([*command, *tool, "--config", str(properties)], lock)
        try:
            exit_code = process.wait(START_TIMEOUT_S)
        finally:
            process.close(keep_folder=True)
        if exit_code != 0:
            raise LocalKafkaError(
                f"Kafka's storage tool could not prepare {self._folder.data}\n"
                f"{log_tail(self._folder.log)}"
            )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers(self._port):
            if self.wait(POLL_S):
                raise self._not_up("ended instead of coming up")
            if time.monotonic() > deadline:
                raise self._not_up(f"did not answer within {START_TIMEOUT_S:.0f} s")

    def _not_up(self, what: str) -> LocalKafkaError:
        return LocalKafkaError(f"the local Kafka {what}\n{log_tail(self._folder.log)}")

    def _release(self, *, keep_folder: bool) -> None:
        if self._process is not None:
            self._process.close(keep_folder=keep_folder)
            self._process = None
