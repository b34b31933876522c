"""The folder of a local Kafka: its data, configuration, log, and the lock that guards them."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from barengine.errors import LocalKafkaError


class LocalFolder:
    """A folder that is kept if the caller named it, and temporary otherwise.

    Attributes:
        kept: the caller's folder, or None for a temporary one.
    """

    def __init__(self, kept: Path | None) -> None:
        self.kept = None if kept is None else kept.absolute()
        self._temporary: Path | None = None

    def __repr__(self) -> str:
        return f"<LocalFolder {self.kept or self._temporary or 'not made yet'}>"

    @property
    def path(self) -> Path:
        """Where it is.

        Raises:
            LocalKafkaError: it is temporary, and not made yet or already removed.
        """
        path = self.kept or self._temporary
        if path is None:
            raise LocalKafkaError("the local Kafka has no folder while it is not started")
        return path

    @property
    def orphan(self) -> Path | None:
        """What is to be removed if this process dies: the folder, if it is temporary."""
        return self._temporary

    @property
    def data(self) -> Path:
        """The broker's ``log.dirs``."""
        return self.path / "data"

    @property
    def log(self) -> Path:
        """The broker's own log."""
        return self.path / "broker.log"

    @property
    def formatted(self) -> bool:
        """Whether Kafka's storage tool has prepared the data folder."""
        return (self.data / "meta.properties").exists()

    def make(self) -> None:
        """Make the folder where it is missing.

        Raises:
            LocalKafkaError: it cannot be made.
        """
        try:
            if self.kept is not None:
                self.kept.mkdir(parents=True, exist_ok=True)
            elif self._temporary is None:
                self._temporary = Path(tempfile.mkdtemp(prefix="barengine-kafka-"))
        except OSError as error:
            raise self._unusable(error) from error

    def write_properties(self, text: str) -> Path:
        """Write ``server.properties`` and return its path.

        Raises:
            LocalKafkaError: the folder cannot be written.
        """
        path = self.path / "server.properties"
        try:
            path.write_text(text)
        except OSError as error:
            raise self._unusable(error) from error
        return path

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the folder's lock; a process that inherits the yielded file holds it on.

        Raises:
            LocalKafkaError: another local Kafka has it.
        """
        try:
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield lock
        except BlockingIOError as error:
            raise LocalKafkaError(
                f"{self.path} is in use by another local Kafka: stop that one, "
                "or give another folder (--data DIR)"
            ) from error
        finally:
            os.close(lock)

    def remove(self) -> None:
        """Remove the folder if it is temporary. Safe to repeat."""
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    def _unusable(self, error: OSError) -> LocalKafkaError:
        where = self.kept or tempfile.gettempdir()
        return LocalKafkaError(
            f"the local Kafka cannot use {error.filename or where} ({error.strerror}): "
            "give a folder that can be written (--data DIR)"
        )
