"""Where the log lines of a demo go: they would tear its picture apart."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from barengine.errors import BarengineError
from barengine.service.logs import configure
from barengine.settings import LogFormat, LogLevel


class LogFile:
    """Takes the log of the process until its end: what dies late speaks late."""

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(prefix="barengine-demo-", suffix=".log")
        self.path = Path(name)
        self._stream = os.fdopen(handle, "w", buffering=1)
        configure(LogLevel.INFO, LogFormat.JSON, self._stream)

    @property
    def empty(self) -> bool:
        """Nothing was logged as yet."""
        return self._stream.tell() == 0

    def remove(self) -> None:
        """Nobody will want to read it."""
        self.path.unlink(missing_ok=True)


@contextmanager
def log_file() -> Iterator[LogFile]:
    """A log that is removed again when the block was interrupted, or failed and logged nothing."""
    log = LogFile()
    try:
        yield log
    except BarengineError:
        if log.empty:
            log.remove()
        else:
            sys.stderr.write(f"the engine's log is in {log.path}\n")
        raise
    except KeyboardInterrupt:
        log.remove()
        raise
