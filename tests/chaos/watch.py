"""How long nobody got a bar: arrival times of bars as a read_committed reader sees them."""

from __future__ import annotations

import threading
import time
from typing import Any, Final, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.broker.records import QUIET

_POLL_S: Final = 0.2
_LOOK_S: Final = 2.0  # bounds one question for the topic while it may not be there yet


class Watch:
    """Reads a topic by librdkafka in a thread of its own, begun by ``with``.

    The stall of a partition is the longest time between two of its records while ticks came; the
    first one is expected when the first window is due.

    Args:
        due_after_s: from a tick to its bar, window and grace, where nothing stalls.
    """

    def __init__(self, bootstrap: str, topic: str, due_after_s: float) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._due_after_s = due_after_s
        self._stopping = threading.Event()
        self._due_at: float | None = None
        self._ended_at: float | None = None
        self._last: dict[int, float] = {}
        self._longest: dict[int, float] = {}
        self._thread = threading.Thread(target=self._run, name="watch")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def feed_began(self) -> None:
        """Ticks come from now on."""
        self._due_at = time.monotonic() + self._due_after_s

    def feed_ended(self) -> None:
        """No more ticks come from now on: waiting longer is no stall."""
        self._ended_at = time.monotonic()

    def stop(self) -> None:
        """End the thread. Idempotent."""
        self._stopping.set()
        self._thread.join()

    @property
    def stall_s(self) -> float | None:
        """The longest stall of any partition; None: no bar came."""
        return max(self._longest.values(), default=None)

    def _run(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "watch",  # never joined: partitions are assigned by hand
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                # its own back-off must not look like the engine's stall
                "reconnect.backoff.max.ms": 200,
                "topic.metadata.refresh.interval.ms": 1000,
                **QUIET,
            }
        )
        try:
            self._assign(consumer)
            while not self._stopping.is_set():
                message: Any = consumer.poll(_POLL_S)
                if message is not None and message.error() is None:
                    self._note(message.partition())
        finally:
            consumer.close()

    def _assign(self, consumer: Consumer) -> None:
        """Wait for the topic, and take all of its partitions."""
        while not self._stopping.is_set():
            partitions = _partitions(consumer, self._topic)
            if partitions:
                consumer.assign([TopicPartition(self._topic, one, 0) for one in partitions])
                return
            self._stopping.wait(_POLL_S)

    def _note(self, partition: int) -> None:
        now = time.monotonic()
        last = self._last.get(partition, self._due_at or now)
        self._last[partition] = now
        stall_s = min(now, self._ended_at or now) - last
        self._longest[partition] = max(self._longest.get(partition, 0.0), stall_s)


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    try:
        found = consumer.list_topics(topic, _LOOK_S).topics[topic]
    except KafkaException:  # the broker may be away for a while
        return []
    return [] if found.error is not None else sorted(found.partitions)
