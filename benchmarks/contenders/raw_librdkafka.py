"""Reading alone, with librdkafka behind its Python client: no record is parsed."""

from __future__ import annotations

from confluent_kafka import Consumer

from benchmarks.program import Announce, Options, done, options


def tuned(job: Options) -> Consumer:
    """A consumer whose queues never run dry: by default they do, and it then waits for a second."""
    return Consumer(
        {
            "bootstrap.servers": job.bootstrap,
            "group.id": job.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 5,
            "queued.min.messages": 1_000_000,
            "queued.max.messages.kbytes": 512 << 10,
            "max.partition.fetch.bytes": 4 << 20,
        }
    )


def read() -> int:
    """Count the records of the topic."""
    job, announce, seen = options(), Announce(), 0
    consumer = tuned(job)
    consumer.subscribe([job.topic])
    while seen < job.ticks:
        for message in consumer.consume(10_000, 0.1):
            announce()
            seen += message.error() is None
    consumer.close()
    return seen


if __name__ == "__main__":
    done(read())
