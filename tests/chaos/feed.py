"""Ticks as markets send them, out of order, and some that no market should: late ones, bad ones."""

from __future__ import annotations

import random
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from confluent_kafka import KafkaError, Message, Producer

from tests.broker.records import QUIET, Record, produce
from tests.broker.ticks import frame, text, varint

BROKERS: Final = ("alpha", "beta|x", "gämma")
SYMBOLS: Final = 60
JITTER_MS: Final = 700
"""Ticks come out of order by less than this; the engine's grace is somewhat more."""

LATE_MS: Final = 20_000
BAD_ONE_IN: Final = 2_000
LATE_ONE_IN: Final = 1_000
FUTURE_MS: Final = 10**9
"""Far beyond MAX_FUTURE: quarantined."""

_PRICE: Final = struct.Struct("<d")
_PIECE: Final = 500
"""Ticks between two looks at the clock."""

LONGEST_S: Final = 900.0
"""It stops by itself after that, whatever became of the test."""

_FLUSH_S: Final = 90.0  # the broker may have come back a moment ago


@dataclass(frozen=True, slots=True)
class Mix:
    """What is sent."""

    symbols: int = SYMBOLS
    late_ms: int = LATE_MS
    late_one_in: int = LATE_ONE_IN
    begins_ms: int | None = None
    """Event time at the first tick, which runs on at wall speed; None: it is the wall clock's."""


class Feed:
    """Sends ticks in a thread of its own, begun by ``with``.

    Args:
        rate: ticks a second.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        partitions: int,
        rate: int,
        chance: random.Random,
        mix: Mix,
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._partitions = partitions
        self._piece_s = _PIECE / rate
        self._chance = chance
        self._mix = mix
        self._behind_ms = 0
        self._thread = threading.Thread(target=self._run, name="feed")
        self._stopping = threading.Event()
        self._sent = 0
        self._left: int | None = None
        self._refused: list[KafkaError] = []
        self._names = [
            [frame() + text(broker) + text(f"S{number}") for number in range(mix.symbols)]
            for broker in BROKERS
        ]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    @property
    def running(self) -> bool:
        """Whether there is more to come."""
        return self._thread.is_alive()

    def stop(self) -> int:
        """Send no more; how many ticks the broker has taken in all.

        Raises:
            AssertionError: it did not take everything.
        """
        self._stopping.set()
        self._thread.join()
        assert self._left == 0, f"{self._left} of {self._sent} ticks are not sent"
        refused = self._refused
        assert not refused, f"{len(refused)} of {self._sent} ticks are refused: {refused[:3]}"
        return self._sent

    def _run(self) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "linger.ms": 20,
                "compression.type": "lz4",
                "enable.idempotence": True,
                "queue.buffering.max.messages": 1_000_000,
                # With its own 10 s ticks would come so late that the market was silent meanwhile.
                "reconnect.backoff.max.ms": 500,
                "delivery.report.only.error": True,
                **QUIET,
            }
        )
        if self._mix.begins_ms is not None:
            self._behind_ms = _wall_ms() - self._mix.begins_ms
        due = time.monotonic()
        ends = due + LONGEST_S
        while due < ends and not self._stopping.is_set():
            for record in self._records(_PIECE):
                self._sent += produce(
                    producer, self._topic, record, self._done, self._stopping.is_set
                )
            producer.poll(0)
            due += self._piece_s
            self._stopping.wait(max(0.0, due - time.monotonic()))
        self._left = producer.flush(_FLUSH_S)

    def _done(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._refused.append(error)

    def _records(self, count: int) -> Iterator[Record]:
        chance, now_ms = self._chance, _wall_ms() - self._behind_ms
        for _ in range(count):
            series = chance.randrange(self._mix.symbols)
            names = self._names[series % len(BROKERS)][series]
            yield self._record(names, series % self._partitions, now_ms)

    def _record(self, names: bytes, partition: int, now_ms: int) -> Record:
        chance = self._chance
        time_ms = now_ms - chance.randrange(JITTER_MS)
        if chance.randrange(self._mix.late_one_in) == 0:
            time_ms -= self._mix.late_ms
        if chance.randrange(BAD_ONE_IN) == 0:
            return self._bad(names, partition, now_ms)
        value = names + varint(time_ms) + _PRICE.pack(chance.uniform(-10, 10))
        return Record(value, None, partition, now_ms)

    def _bad(self, names: bytes, partition: int, now_ms: int) -> Record:
        value = self._chance.choice(
            (
                None,
                b"\x01no frame",
                names,
                names + varint(now_ms) + _PRICE.pack(float("nan")),
                names + varint(_wall_ms() + FUTURE_MS) + _PRICE.pack(1.0),
            )
        )
        return Record(value, b"bad", partition, now_ms)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
