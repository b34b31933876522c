"""Ticks that close bars all the time, and when each bar becomes visible.

Each step is one tick of every series, a minute of event time after the one before: it closes bars
at once. So bars come as often as steps do, and a longer gap between them is a stall.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.broker.records import QUIET, end_offsets, produce
from tests.broker.ticks import tick

PARTITIONS: Final = 4
STEP_S: Final = 0.02
SERIES: Final = 10
"""Of each partition."""

_STEP_MS: Final = 60_000
_POLL_S: Final = 0.005
_PIECE: Final = 1_000


def _name(number: int, partition: int) -> str:
    """The symbol of a series: its number alone tells the partition of its ticks."""
    return f"S{number * PARTITIONS + partition}"


def _origin(key: bytes) -> int:
    """The partition of the ticks of a bar."""
    _, symbol, _ = key.split(b"|")
    return int(symbol[1:]) % PARTITIONS


class _Thread:
    """A thread that lives as long as a ``with`` block."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        raise NotImplementedError


class Feed(_Thread):
    """Sends a step every STEP_S, on time or catching up."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        super().__init__()
        self._topic = topic
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1, **QUIET})

    def _run(self) -> None:
        began = time.monotonic()
        for step in itertools.count():
            if self._stopping.wait(max(0.0, began + step * STEP_S - time.monotonic())):
                break
            for partition in range(PARTITIONS):
                for number in range(SERIES):
                    name = _name(number, partition)
                    one = tick("b", name, step * _STEP_MS, 1.0 + step, partition)
                    produce(self._producer, self._topic, one)
            self._producer.poll(0)
        self._producer.flush()


class Arrivals(_Thread):
    """When committed bars arrive, by the partition of their ticks; monotonic seconds.

    Kafka Streams writes a bar to any partition, so the series has to tell.
    """

    def __init__(self, bootstrap: str, topic: str) -> None:
        super().__init__()
        self.seen: list[list[float]] = [[] for _ in range(PARTITIONS)]
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "arrivals",  # never joined: partitions are assigned by hand
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 10,
                **QUIET,
            }
        )
        ends = end_offsets(bootstrap, topic)
        self._consumer.assign([TopicPartition(topic, p, end) for p, end in ends.items()])

    def _run(self) -> None:
        while not self._stopping.is_set():
            messages = self._consumer.consume(_PIECE, _POLL_S)
            now = time.monotonic()
            for partition in {_origin(m.key() or b"") for m in messages if m.error() is None}:
                self.seen[partition].append(now)
        self._consumer.close()

    def flowing(self, since: float, partitions: Sequence[int] = range(PARTITIONS)) -> bool:
        """Whether bars of each of the partitions have come after that moment."""
        return all(self.seen[p] and self.seen[p][-1] > since for p in partitions)

    def gap(self, since: float, partition: int) -> tuple[float, float]:
        """The longest wait for bars that ended after ``since``, and when it ended."""
        seen = list(self.seen[partition])
        pairs = itertools.pairwise(seen)
        return max((after - before, after) for before, after in pairs if after > since)

    def back(self, since: float) -> float:
        """Seconds from ``since`` until the partition that waited longest had bars again."""
        return max(self.gap(since, partition) for partition in range(PARTITIONS))[1] - since

    def stall(self, since: float, partitions: Sequence[int]) -> float:
        """The longest wait for bars of any of the partitions."""
        return max(self.gap(since, partition)[0] for partition in partitions)
