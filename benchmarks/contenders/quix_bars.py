"""Quix Streams: its own tumbling windows, exactly once, a parser made fast for it."""

from __future__ import annotations

import tempfile
from typing import Any, Final

from quixstreams import Application  # type: ignore[import-not-found]
from quixstreams.models import Deserializer, Serializer  # type: ignore[import-not-found]

from benchmarks.program import Announce, add, bar_of, options, packed, tick

# librdkafka's queues run dry by default, and it then waits for a second
FETCH: Final = {"fetch.queue.backoff.ms": 5, "queued.min.messages": 1_000_000}

announce = Announce()


class ReadTick(Deserializer):  # type: ignore[misc]
    """A tick as (event time in ms, price)."""

    def __call__(self, value: bytes, ctx: Any) -> tuple[int, float]:
        announce()
        return tick(value)


class WriteBar(Serializer):  # type: ignore[misc]
    """The bytes of a finished bar."""

    def __call__(self, value: tuple[bytes, bytes], ctx: Any) -> bytes:
        return value[1]


def named(window: Any, key: bytes, _timestamp: Any, _headers: Any) -> tuple[bytes, bytes]:
    """Key and value of a finished bar."""
    return b"%b|%d" % (key, window["start"]), packed(window["value"])


def main() -> None:
    """Run until SIGTERM."""
    job = options()
    with tempfile.TemporaryDirectory() as folder:
        app = Application(
            broker_address=job.bootstrap,
            consumer_group=job.group,
            processing_guarantee="exactly-once",
            auto_offset_reset="earliest",
            commit_interval=1.0,
            state_dir=folder,
            loglevel="WARNING",
            consumer_poll_timeout=0.1,
            consumer_extra_config=FETCH,
            producer_extra_config={"linger.ms": 20},
        )
        ticks = app.topic(
            job.topic,
            key_deserializer="bytes",
            value_deserializer=ReadTick(),
            timestamp_extractor=lambda value, *_: value[0],
        )
        bars = app.topic(job.output, key_serializer="bytes", value_serializer=WriteBar())
        frame = app.dataframe(ticks)
        windows = frame.tumbling_window(60_000, grace_ms=5_000).reduce(
            reducer=lambda bar, value: add(bar, *value), initializer=lambda value: bar_of(*value)
        )
        # by partition: a series that falls silent would never close by its own clock
        closed = windows.final(closing_strategy="partition").apply(named, metadata=True)
        closed.to_topic(bars, key=lambda bar: bar[0])
        app.run()


if __name__ == "__main__":
    main()
