"""The reader of the marks, a process of its own: librdkafka, read_committed, and a clock.

It reads one specification as JSON from standard input, says ``ready`` when it stands at the end
of every partition, and writes one answer when standard input closes or enough bars came.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from typing import Any

from confluent_kafka import Consumer, TopicPartition

_POLL_S = 0.05
_CALL_S = 30.0


def follow(spec: dict[str, Any], stopped: threading.Event) -> dict[str, Any]:
    """When the last bar of each bucket came: by partition, broker and bucket."""
    consumer = Consumer(
        {
            "bootstrap.servers": spec["bootstrap"],
            "group.id": "reader of the marks",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            # Its defaults pause fetching for seconds once so much waits to be polled.
            "fetch.queue.backoff.ms": 5,
            "queued.min.messages": 1_000_000,
        }
    )
    places = []
    for topic, partition in itertools.product(spec["topics"], range(spec["partitions"])):
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), _CALL_S)
        places.append(TopicPartition(topic, partition, end))
    consumer.assign(places)
    consumer.poll(0)
    print(json.dumps({"ready": True}), flush=True)
    read = _read_one if spec["expected"] is None else _read_many
    began = time.process_time()
    buckets = read(consumer, spec["expected"], stopped)
    consumer.close()
    rows = [(*key, count, at) for key, (count, at) in buckets.items()]
    return {"buckets": rows, "cpu_s": time.process_time() - began}


Buckets = dict[tuple[int, str, int], tuple[int, int]]
"""By partition, broker and start of the bucket in ms: its bars, and when the last one came."""


def _read_one(consumer: Consumer, _: int | None, stopped: threading.Event) -> Buckets:
    buckets: Buckets = {}
    while not stopped.is_set():
        message = consumer.poll(_POLL_S)
        if message is None:
            continue
        now_ns = time.monotonic_ns()
        if message.error():
            raise RuntimeError(str(message.error()))
        broker, start = _key(message)
        found = (message.partition() or 0, broker, start)
        buckets[found] = (buckets.get(found, (0, 0))[0] + 1, now_ns)
    return buckets


def _read_many(consumer: Consumer, expected: int | None, stopped: threading.Event) -> Buckets:
    """As fast as it goes, keys unread: one bucket of each topic, all of one broker."""
    counts: dict[int, tuple[int, int]] = {}
    seen = 0
    while seen < (expected or 0) and not stopped.is_set():
        messages = consumer.consume(10_000, _POLL_S / 10)
        now_ns = time.monotonic_ns()
        seen += len(messages)
        for message in messages:
            partition = message.partition() or 0
            counts[partition] = (counts.get(partition, (0, 0))[0] + 1, now_ns)
    return {(partition, "", 0): value for partition, value in counts.items()}


def _key(message: Any) -> tuple[str, int]:
    """Broker and start of the bucket."""
    broker, _, start = message.key().decode().split("|")
    return broker, int(start)


def main() -> None:
    """Do what the first line of standard input says, until the second one."""
    spec = json.loads(sys.stdin.readline())
    stopped = threading.Event()

    def wait() -> None:
        sys.stdin.readline()
        stopped.set()

    threading.Thread(target=wait, daemon=True).start()
    print(json.dumps(follow(spec, stopped)), flush=True)


if __name__ == "__main__":
    main()
