"""Bytewax: event-time tumbling windows with recovery on; what it writes is at least once."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import bytewax.operators as op  # type: ignore[import-not-found]
from bytewax.connectors.kafka import (  # type: ignore[import-not-found]
    KafkaSink,
    KafkaSinkMessage,
    KafkaSource,
)
from bytewax.dataflow import Dataflow  # type: ignore[import-not-found]
from bytewax.operators import windowing as win
from bytewax.recovery import RecoveryConfig, init_db_dir  # type: ignore[import-not-found]
from bytewax.run import cli_main  # type: ignore[import-not-found]

from benchmarks.program import Announce, Options, add, bar_of, options, packed, tick, wait_for_end

EPOCH: Final = datetime.fromtimestamp(0, UTC)
MINUTE: Final = timedelta(minutes=1)
GRACE: Final = timedelta(seconds=5)
BATCH: Final = 10_000
# librdkafka's queues run dry by default, and it then waits for a second
FETCH: Final = {"fetch.queue.backoff.ms": 5, "queued.min.messages": 1_000_000}

announce = Announce()


def parse(batch: list[Any]) -> list[tuple[str, tuple[int, float]]]:
    """Series with event time in ms and price, for each record of a batch."""
    announce()
    return [(message.key.decode(), tick(message.value)) for message in batch]


def fold(bar: list[Any], value: tuple[int, float]) -> list[Any]:
    """Add a tick to a bar, which is empty at first."""
    return add(bar, *value) if bar else bar_of(*value)


def never(_left: list[Any], _right: list[Any]) -> list[Any]:
    """Windows of a fixed length are never merged."""
    raise AssertionError


def message(item: tuple[str, tuple[int, list[Any]]]) -> Any:
    """A finished bar as a record; windows are numbered from the epoch."""
    series, (number, bar) = item
    return KafkaSinkMessage(f"{series}|{number * 60_000}".encode(), packed(bar))


def flow_of(job: Options) -> Any:
    """The dataflow.

    Windows close by the series' own event time alone. The system clock, which the usual clock
    adds, stands still: a series without a further tick closes at the end of the topic instead.
    """
    clock = win.EventClock(
        ts_getter=lambda value: EPOCH + timedelta(milliseconds=value[0]),
        wait_for_system_duration=GRACE,
        now_getter=lambda: EPOCH,
        to_system_utc=lambda _: None,
    )
    flow = Dataflow("bars")
    brokers = [job.bootstrap]
    source = KafkaSource(brokers, [job.topic], tail=False, batch_size=BATCH, add_config=FETCH)
    ticks = op.flat_map_batch("parse", op.input("ticks", flow, source), parse)
    windower = win.TumblingWindower(length=MINUTE, align_to=EPOCH)
    bars = win.fold_window("bars", ticks, clock, windower, list, fold, never, ordered=False)
    records = op.map("record", bars.down, message)
    op.output("out", records, KafkaSink(brokers, job.output))
    return flow


def main() -> None:
    """Run to the end of the topic, and wait for SIGTERM."""
    job = options()
    with tempfile.TemporaryDirectory() as folder:
        init_db_dir(Path(folder), 1)
        cli_main(flow_of(job), recovery_config=RecoveryConfig(folder))
        wait_for_end()


if __name__ == "__main__":
    main()
