"""One run of one contender: started, timed from outside, every bar verified."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.child import Child, Moment
from benchmarks.contender import Contender, Job
from benchmarks.load import FOLDER, Bar, Load, expected
from benchmarks.verdict import Verdict, judge

_START_S: Final = 120.0
_RUN_S: Final = 240.0
"""Slow contenders get fewer ticks: whoever needs longer is stuck."""

_AFTER_S: Final = 2.0
"""For what comes twice."""

_PIECE: Final = 10_000
_POLL_S: Final = 0.005
"""The reader shares two cores with the contender: few large pieces, seldom. It is as late, so
that it must be little beside the shortest run, which is half a second."""

_ADMIN_S: Final = 30.0
_QUIET: Final = {"log_level": 0}


@dataclass(frozen=True)
class Run:
    """What one run has shown."""

    ticks: int
    seconds: float
    cpu_s: float
    peak_bytes: int
    verdict: Verdict | None
    """None: it makes no bars."""
    notes: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""
    """Why the figures say nothing; empty where they do."""

    @property
    def good(self) -> bool:
        """It finished, with every bar exactly once and right."""
        return not self.problem and (self.verdict is None or self.verdict.good)

    @property
    def ticks_per_s(self) -> float:
        return self.ticks / self.seconds if self.seconds else 0.0

    @property
    def cpu_s_per_million(self) -> float:
        return self.cpu_s / self.ticks * 1e6


def measure(contender: Contender, bootstrap: str, load: Load) -> Run:
    """Run a contender on a load whose topic is prepared. Its topics are deleted afterwards."""
    name = f"run-{uuid.uuid4().hex[:8]}"
    job = Job(bootstrap, load.name, f"{name}-1m", name, load)
    wanted = {} if contender.decode is None else expected(load)
    with _own_topics(job), _reader(job) as reader:
        slug = contender.name.replace(" ", "-").replace(",", "")
        with Child(contender.command(job), FOLDER / "logs" / f"{slug}.log") as child:
            watched = _Watched(child, reader, wanted, job.records)
            problem = watched.until_end()
            end = watched.end or child.now()
            peak_bytes = child.peak_bytes()
            if not problem:
                watched.look_on(_AFTER_S if contender.decode else 0)
    begin = child.running or end
    verdict = contender.decode and judge(watched.records(), wanted, contender.decode)
    return Run(
        load.ticks,
        end.at - begin.at,
        end.cpu_s - begin.cpu_s,
        peak_bytes,
        verdict,
        child.notes,
        problem,
    )


class _Watched:
    """A child, and a reader of committed records that follows its output."""

    def __init__(
        self, child: Child, reader: Consumer, wanted: Mapping[bytes, Bar], read: int
    ) -> None:
        self.end: Moment | None = None
        self._child = child
        self._reader = reader
        self._wanted = len(wanted)
        self._missing = set(wanted)
        self._messages: list[Message] = []
        self._looked_at = 0
        self._to_read = read

    def until_end(self) -> str:
        """Wait for the first record and then for the last bar; returns what went wrong."""
        if not self._wait(lambda: self._child.running, _START_S):
            return self._why("did not begin")
        finished = self._all_read if not self._wanted else self._all_bars
        if not self._wait(finished, _RUN_S):
            self._look()
            got = self._wanted - len(self._missing)
            return self._why(f"did not finish: {got:,} of {self._wanted:,} bars")
        if not self._wanted and self._child.records != self._to_read:
            return f"read {self._child.records:,} of {self._to_read:,} records"
        return ""

    def look_on(self, seconds: float) -> None:
        """Take what still comes."""
        stop = time.perf_counter() + seconds
        while time.perf_counter() < stop:
            self._take()

    def _wait(self, condition: Any, limit_s: float) -> bool:
        stop = time.perf_counter() + limit_s
        while not condition():
            if self._child.exited or time.perf_counter() > stop:
                return False
            if self._child.running is None or not self._wanted:
                self._child.changed.wait(_POLL_S)
                self._child.changed.clear()
        return True

    def _all_read(self) -> bool:
        self.end = self._child.done
        return self.end is not None

    def _all_bars(self) -> bool:
        """Keys are looked at once there are enough of them: until then the contender has the
        cores, and the moment of the end is taken before."""
        self._take()
        if len(self._messages) < self._wanted or len(self._messages) == self._looked_at:
            return False
        end = self._child.now()
        self._look()
        if not self._missing:
            self.end = end
        return not self._missing

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of all that came."""
        for message in self._messages:
            key, value = message.key(), message.value()
            if message.error() is None and isinstance(key, bytes) and isinstance(value, bytes):
                yield key, value

    def _take(self) -> None:
        self._messages += self._reader.consume(_PIECE, _POLL_S)

    def _look(self) -> None:
        """Strike what came since the last look off the list of what is missing."""
        new = self._messages[self._looked_at :]
        self._looked_at = len(self._messages)
        self._missing.difference_update(one.key() for one in new if one.error() is None)

    def _why(self, what: str) -> str:
        return f"{what} ({self._child.last_words()})" if self._child.exited else what


@contextmanager
def _own_topics(job: Job) -> Iterator[None]:
    """Make the output topic; at the end delete every topic that has come meanwhile."""
    admin = AdminClient({"bootstrap.servers": job.bootstrap, **_QUIET})
    before = set(admin.list_topics(timeout=_ADMIN_S).topics)
    topic = NewTopic(job.output_topic, job.partitions, config={"retention.ms": "-1"})
    admin.create_topics([topic])[job.output_topic].result(_ADMIN_S)
    try:
        yield
    finally:
        new = set(admin.list_topics(timeout=_ADMIN_S).topics) - before
        for gone in admin.delete_topics(
            [name for name in new if not name.startswith("__")], operation_timeout=_ADMIN_S
        ).values():
            gone.result(_ADMIN_S)


@contextmanager
def _reader(job: Job) -> Iterator[Consumer]:
    consumer = Consumer(
        {
            "bootstrap.servers": job.bootstrap,
            "group.id": f"{job.group}-reader",  # never joined
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            **_QUIET,
        }
    )
    consumer.assign([TopicPartition(job.output_topic, part, 0) for part in range(job.partitions)])
    try:
        yield consumer
    finally:
        consumer.close()
