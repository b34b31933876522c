"""Shows the first fetch of the local Kafka: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

STEPS: Final = 4  # plain lines at 25, 50, 75 and 100 %: enough for a log, no flood
MIB: Final = 1 << 20


class FetchProgress(Protocol):
    """Is told of every file that begins and of every chunk that came."""

    def file(self, name: str) -> None:
        """The file of this name begins."""

    def bytes(self, count: int) -> None:
        """So many bytes came since the last call."""


class PlainProgress:
    """One line for the start and one for every quarter of the bytes."""

    def __init__(self, title: str, files: int, total: int, out: TextIO) -> None:
        self._title, self._total, self._out = title, total, out
        self._done = self._step = 0
        self._say(f"fetching {title}: {files} files, {total / MIB:.1f} MiB (kept for next time)")

    def file(self, name: str) -> None:
        """Names of files are no news in a log."""

    def bytes(self, count: int) -> None:
        """Say so whenever another quarter is complete."""
        self._done = min(self._done + count, self._total)  # a retried file counts twice
        step = self._done * STEPS // self._total
        if step > self._step:
            self._step = step
            self._say(f"fetching {self._title}: {100 * step // STEPS} %")

    def _say(self, line: str) -> None:
        print(line, file=self._out, flush=True)


class BarProgress:
    """A bar of bytes with the current file's name, speed and time left."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def file(self, name: str) -> None:
        """Show the file that comes now."""
        self._progress.update(self._task, file=name)

    def bytes(self, count: int) -> None:
        """Advance the bar."""
        self._progress.advance(self._task, count)


@contextmanager
def fetch_progress(title: str, files: int, total: int) -> Iterator[FetchProgress]:
    """Show a fetch of so many files and bytes on standard error, which stays out of pipes."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield PlainProgress(title, files, total, sys.stderr)
        return
    columns = (
        TextColumn("fetching {task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[file]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield BarProgress(progress, progress.add_task(title, total=total, file=""))
