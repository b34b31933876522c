"""A contender's process, seen from outside: what it prints, what it costs, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import psutil

from benchmarks.contender import Command

ROOT: Final = Path(__file__).parents[1]
_END_S: Final = 20.0
_PREFIX: Final = "BARENGINE_"
_SCHED_CLOCK: Final = 2
"""The kind of a process' CPU clock that the scheduler keeps itself (CPUCLOCK_SCHED)."""


class Moment(NamedTuple):
    """When something happened, and the CPU seconds that the process had used until then."""

    at: float
    cpu_s: float


def end_as_by_ctrl_c() -> None:
    """Let SIGTERM end this program in good order, so that nothing it has started outlives it."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


class Child:
    """One process with everything it starts; a context manager that leaves none of it behind.

    Args:
        log: takes its standard error.
    """

    def __init__(self, command: Command, log: Path) -> None:
        self.running: Moment | None = None
        self.done: Moment | None = None
        self.records = 0
        """What it says it has read."""
        self.notes: dict[str, float] = {}
        self.changed = threading.Event()
        """Set at each line; to be waited for, then cleared."""
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        ours = {key: text for key, text in os.environ.items() if not key.startswith(_PREFIX)}
        with log.open("wb") as stream:
            self._process = subprocess.Popen(  # noqa: S603 - the contenders' own commands
                command.argv,
                cwd=ROOT,
                env=ours | dict(command.env),
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
            )
        self._tree = psutil.Process(self._process.pid)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def now(self) -> Moment:
        """This moment, and what was used so far by all its processes, ended ones too."""
        at = time.perf_counter()  # first: finding the family looks at every process there is
        own_s = _cpu_s(self._tree)
        others_s = sum(_cpu_s(process) for process in self._descendants())
        return Moment(at, own_s + others_s)

    def peak_bytes(self) -> int:
        """The most memory that its processes have held, each at its own worst."""
        return sum(_peak(process) for process in self._processes())

    @property
    def exited(self) -> bool:
        """It has ended, and everything that it printed was read."""
        return self._process.poll() is not None and not self._listener.is_alive()

    def last_words(self) -> str:
        """How it ended, with the last line of its log."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return f"exit code {self._process.returncode}: {lines[-1] if lines else 'it says nothing'}"

    def end(self) -> None:
        """SIGTERM, and what does not obey is killed. Safe to repeat."""
        family = list(self._processes())
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        for process in family:
            with suppress(psutil.Error):
                process.kill()
        self._process.wait()
        self._listener.join()

    def _processes(self) -> Iterator[psutil.Process]:
        yield self._tree
        yield from self._descendants()

    def _descendants(self) -> list[psutil.Process]:
        with suppress(psutil.Error):
            return list(self._tree.children(recursive=True))
        return []

    def _listen(self) -> None:
        """Take note of each line; the clock is read first."""
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._take(line.split())
                self.changed.set()
        self.changed.set()

    def _take(self, words: list[str]) -> None:
        match words:
            case ["RUNNING"]:
                self.running = self.now()
            case ["DONE", records]:
                self.done, self.records = self.now(), int(records)
            case ["NOTE", note]:
                name, _, number = note.partition("=")
                self.notes[name] = float(number)


def _cpu_s(process: psutil.Process) -> float:
    """What a process has used, all its threads and the children that it has waited for.

    Linux has a CPU clock for every process (clock_getcpuclockid(3) makes its number in this way),
    in ns; elsewhere, and for children that have ended, there are steps of 10 ms.
    """
    with suppress(psutil.Error):
        user, system, *ended = process.cpu_times()[:4]
        with suppress(OSError, OverflowError):
            if psutil.LINUX:
                own_s = time.clock_gettime(~process.pid << 3 | _SCHED_CLOCK)
                return own_s + float(sum(ended))
        return float(user + system + sum(ended))
    return 0.0


def _peak(process: psutil.Process) -> int:
    """The kernel's own high-water mark where it keeps one (Linux), else what is held now."""
    try:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0
    except FileNotFoundError:
        with suppress(psutil.Error):
            return int(process.memory_info().rss)
        return 0
