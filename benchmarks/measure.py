"""One run of one contender: started, timed from outside, every bar verified."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import OFFSET_END, Consumer, KafkaError, Message, TopicPartition
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
"""How often it is asked how far committed records go: the end is known as exactly, so that it must
be little beside the shortest run, which is half a second."""

_SETTLED_S: Final = 0.2
"""Nothing has come for so long, and there is enough: whether it is all that is wanted is looked at
now. A contender that goes on all the same shares two cores with that look."""

_ADMIN_S: Final = 30.0
_QUIET: Final = {"log_level": 0}

Ends = tuple[int, ...]
"""By partition of the output topic, the offset that committed records go up to."""


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
            watched = _Watched(child, reader, wanted, job)
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
    """A child, and how far the committed records of its output go.

    Reading sixty thousand bars takes as much CPU as making the last few thousand of them. So
    until all are there the broker is only asked for its last stable offsets, a request of some
    hundred microseconds: what lies before them is what read_committed lets a consumer see. The
    records are read afterwards, and tell which moment was the end.
    """

    def __init__(
        self, child: Child, reader: Consumer, wanted: Mapping[bytes, Bar], job: Job
    ) -> None:
        self.end: Moment | None = None
        self._child = child
        self._reader = reader
        self._wanted = len(wanted)
        self._missing = set(wanted)
        self._messages: list[Message] = []
        self._to_read = job.records
        self._places = [TopicPartition(job.output_topic, part, 0) for part in range(job.partitions)]
        self._read_to = [0] * job.partitions
        self._needed = [0] * job.partitions
        """The ends before which every wanted bar that was found lies."""
        self._seen: list[tuple[Moment, Ends]] = []

    def until_end(self) -> str:
        """Wait for the first record and then for the last bar; returns what went wrong."""
        if not self._wait(lambda: self._child.running, _START_S):
            return self._why("did not begin")
        finished = self._all_bars if self._wanted else self._all_read
        if not self._wait(finished, _RUN_S):
            self._look(self._ends())
            got = self._wanted - len(self._missing)
            return self._why(f"did not finish: {got:,} of {self._wanted:,} bars")
        if not self._wanted and self._child.records != self._to_read:
            return f"read {self._child.records:,} of {self._to_read:,} records"
        return ""

    def look_on(self, seconds: float) -> None:
        """Take what still comes."""
        time.sleep(seconds)
        self._look(self._ends())

    def _wait(self, condition: Any, limit_s: float) -> bool:
        stop = time.perf_counter() + limit_s
        while True:
            over = self._child.exited or time.perf_counter() > stop
            if condition():  # asked last: it may have said so as it ended
                return True
            if over:
                return False
            self._child.changed.wait(_POLL_S)
            self._child.changed.clear()

    def _all_read(self) -> bool:
        self.end = self._child.done
        return self.end is not None

    def _all_bars(self) -> bool:
        """The processes' CPU is asked for once there is enough, and not before: that takes longer
        than the ends do."""
        ends = self._ends()
        if sum(ends) < self._wanted:
            return False
        if not self._seen or self._seen[-1][1] != ends:
            self._seen.append((self._child.now(), ends))
            return False
        if time.perf_counter() - self._seen[-1][0].at < _SETTLED_S:
            return False
        self._look(ends)
        if not self._missing:  # the last ones may have come during the look: then it is later
            reached = (moment for moment, seen in self._seen if self._reaches(seen))
            self.end = next(reached, None)
        return self.end is not None

    def _ends(self) -> Ends:
        """Asked of the broker, all partitions at once."""
        latest = [TopicPartition(one.topic, one.partition, OFFSET_END) for one in self._places]
        found = self._reader.offsets_for_times(latest, _ADMIN_S)
        for one in found:
            if one.error is not None:
                raise RuntimeError(f"the end of {one.topic}-{one.partition}: {one.error}")
        return tuple(one.offset for one in sorted(found, key=lambda one: one.partition))

    def _reaches(self, ends: Ends) -> bool:
        return all(end >= needed for end, needed in zip(ends, self._needed, strict=True))

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of all that came."""
        for message in self._messages:
            key, value = message.key(), message.value()
            if isinstance(key, bytes) and isinstance(value, bytes):
                yield key, value

    def _look(self, ends: Ends) -> None:
        """Read up to the ends, and strike what came off the list of what is missing."""
        if not self._reader.assignment():  # from then on it reads ahead, and costs CPU
            self._reader.assign(self._places)
        stop = time.perf_counter() + _ADMIN_S
        while any(at < end for at, end in zip(self._read_to, ends, strict=True)):
            if time.perf_counter() > stop:
                raise RuntimeError(f"the bars up to {ends} could not be read in {_ADMIN_S:.0f} s")
            for message in self._reader.consume(_PIECE, _POLL_S):
                self._take(message)

    def _take(self, message: Message) -> None:
        error, key = message.error(), message.key()
        partition, offset = message.partition() or 0, message.offset() or 0
        if error is None:
            self._messages.append(message)
            self._read_to[partition] = offset + 1
            if key in self._missing:
                self._missing.remove(key)
                self._needed[partition] = offset + 1
        elif error.code() == KafkaError._PARTITION_EOF:
            self._read_to[partition] = offset  # behind markers, which nobody is given
        else:
            raise RuntimeError(f"the bars cannot be read: {error}")

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
            "enable.partition.eof": True,
            **_QUIET,
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()
