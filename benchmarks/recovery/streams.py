"""Kafka Streams under the same faults and the same feed; its program is that of the comparison.

It runs as it comes, exactly once, with one thing set: windows are kept for a day. By default
RocksDB would open a database for each minute of event time, and the feed's minutes last 20 ms. The
session time-out is 45 s if nobody says otherwise, so it is measured with that of barengine, too.
"""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.contender import Job
from benchmarks.contenders import java
from benchmarks.load import Load
from benchmarks.recovery.feed import PARTITIONS, SERIES, Arrivals, Feed
from benchmarks.recovery.scenarios import Seconds, Step, until_flowing
from tests.broker.records import make_topic
from tests.processes import eventually

KILL: Final = "Kafka Streams: kill -9 of one of two, bars of all partitions again"
KILL_6S: Final = "Kafka Streams: the same with a session time-out of 6 s"
STATIC: Final = "Kafka Streams: kill -9 and restart of a static member, bars again"

_RETENTION_MS: Final = str(24 * 3600 * 1000)
_PATIENCE_S: Final = 120.0
"""For everything that it may take: a session of 45 s, above all."""


class Member:
    """One process of it; a context manager that leaves none behind."""

    def __init__(self, argv: list[str], log: Path) -> None:
        self._log = log
        with log.open("wb") as stream:
            self._process = subprocess.Popen(argv, env=os.environ, stdout=stream, stderr=stream)  # noqa: S603 - the contender's own command

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill9()

    def running(self) -> bool:
        """Whether it says that it has its first record."""
        return "RUNNING" in self._log.read_text(errors="replace")

    def kill9(self) -> None:
        """``kill -9``; nothing if it has ended."""
        self._process.kill()
        self._process.wait()


class Setting:
    """Topics and a group of their own, and members started in it.

    Args:
        options: of every member, as ``Bars.java`` takes them.
    """

    def __init__(self, bootstrap: str, folder: Path, *options: str) -> None:
        name = f"streams-{uuid.uuid4().hex[:8]}"
        load = Load(ticks=0, series=PARTITIONS * SERIES, partitions=PARTITIONS)
        self.job = Job(bootstrap, f"{name}-ticks", f"{name}-bars", name, load)
        self._folder, self._options, self._members = folder / name, options, 0
        self._folder.mkdir()
        for topic in (self.job.topic, self.job.output_topic):
            make_topic(bootstrap, topic, PARTITIONS, retention_ms="-1")

    def member(self, state: str, *options: str) -> Member:
        """Start one, whose local state is in a folder of that name."""
        self._members += 1
        given = ["--state", str(self._folder / state), "--retention", _RETENTION_MS]
        argv = [*java.DEFAULT.command(self.job).argv, *given, *self._options, *options]
        return Member(argv, self._folder / f"{self._members}.log")


def streams_kill(bootstrap: str, folder: Path) -> Seconds:
    """One of two members is killed."""
    return {KILL: _killed(Setting(bootstrap, folder))}


def streams_kill_6s(bootstrap: str, folder: Path) -> Seconds:
    """The same with barengine's session time-out."""
    return {KILL_6S: _killed(Setting(bootstrap, folder, "--session", "6000"))}


def streams_static(bootstrap: str, folder: Path) -> Seconds:
    """The only member, a static one, is killed and started again."""
    setting = Setting(bootstrap, folder)
    with ExitStack() as stack:
        arrivals = stack.enter_context(Arrivals(bootstrap, setting.job.output_topic))
        stack.enter_context(Feed(bootstrap, setting.job.topic))
        member = stack.enter_context(setting.member("one", "--instance", "one"))
        until_flowing(arrivals, _PATIENCE_S)
        ended = time.monotonic()
        member.kill9()
        stack.enter_context(setting.member("one", "--instance", "one"))
        until_flowing(arrivals, _PATIENCE_S)
        return {STATIC: arrivals.back(ended)}


def _killed(setting: Setting) -> float:
    """Seconds until the partitions of one of two members have bars again."""
    with ExitStack() as stack:
        arrivals = stack.enter_context(Arrivals(setting.job.bootstrap, setting.job.output_topic))
        stack.enter_context(Feed(setting.job.bootstrap, setting.job.topic))
        stack.enter_context(setting.member("one"))
        victim = stack.enter_context(setting.member("two"))
        if not eventually(victim.running, _PATIENCE_S):
            raise RuntimeError("the second member gets no partition")
        until_flowing(arrivals, _PATIENCE_S)
        ended = time.monotonic()
        victim.kill9()
        until_flowing(arrivals, _PATIENCE_S)
        return arrivals.back(ended)


ALL: Final[tuple[Step, ...]] = (streams_kill, streams_kill_6s, streams_static)
