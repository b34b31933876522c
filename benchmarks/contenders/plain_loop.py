"""The script that everyone writes first: aiokafka, fastavro, a dict, transactions.

Bars and offsets are committed together. Open windows are in memory only and their ticks below
the committed offsets: after a crash their bars are wrong or missing.
"""

from __future__ import annotations

import asyncio
import io
import signal
import time
from typing import Any, Final

import fastavro
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.program import Announce, Options, add, bar_of, options, packed

MINUTE_MS: Final = 60_000
GRACE_MS: Final = 5_000
COMMIT_S: Final = 1.0
HEADER_BYTES: Final = 5

# event time as a plain long: fastavro would make a datetime of a timestamp, and take twice as long
TICK: Final = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Tick",
        "namespace": "market",
        "fields": [
            {"name": "broker", "type": "string"},
            {"name": "symbol", "type": "string"},
            {"name": "timestamp", "type": "long"},
            {"name": "bid", "type": "double"},
        ],
    }
)


class Windows:
    """The open windows of one partition, by minute and then by series."""

    def __init__(self) -> None:
        self.open: dict[int, dict[str, list[Any]]] = {}
        self.clock_ms = 0
        self.next_close_ms = 0

    def take(self, value: bytes, closed: list[tuple[bytes, bytes]]) -> None:
        """Add a tick, unless it is late; append what it closes to ``closed``."""
        tick: Any = fastavro.schemaless_reader(io.BytesIO(value[HEADER_BYTES:]), TICK, None)
        at = tick["timestamp"]
        start = at - at % MINUTE_MS
        if start + MINUTE_MS > self.clock_ms - GRACE_MS:
            window = self.open.setdefault(start, {})
            series = f"{tick['broker']}|{tick['symbol']}"
            if (bar := window.get(series)) is None:
                window[series] = bar_of(at, tick["bid"])
            else:
                add(bar, at, tick["bid"])
        if at > self.clock_ms:
            self.clock_ms = at
            if at >= self.next_close_ms:
                self.close(at - GRACE_MS, closed)

    def close(self, watermark_ms: int, closed: list[tuple[bytes, bytes]]) -> None:
        """Append the bars of every minute that ends at or before the watermark."""
        for start in sorted(self.open):
            if start + MINUTE_MS <= watermark_ms:
                bars = self.open.pop(start).items()
                closed += [(f"{key}|{start}".encode(), packed(bar)) for key, bar in bars]
        self.next_close_ms = min(self.open, default=watermark_ms) + MINUTE_MS + GRACE_MS


async def commit(
    producer: AIOKafkaProducer,
    job: Options,
    bars: list[tuple[bytes, bytes]],
    offsets: dict[TopicPartition, int],
) -> None:
    """Write bars and offsets in one transaction."""
    async with producer.transaction():
        sent = [await producer.send(job.output, value, key) for key, value in bars]
        await asyncio.gather(*sent)
        await producer.send_offsets_to_transaction(offsets, job.group)


async def serve(
    job: Options, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, ended: asyncio.Event
) -> None:
    """Turn ticks into bars until the end."""
    announce, due = Announce(), time.monotonic() + COMMIT_S
    partitions: dict[TopicPartition, Windows] = {}
    offsets: dict[TopicPartition, int] = {}
    bars: list[tuple[bytes, bytes]] = []
    while not ended.is_set():
        polled = await consumer.getmany(timeout_ms=100, max_records=10_000)
        for partition, records in polled.items():
            announce()
            take = partitions.setdefault(partition, Windows()).take
            for record in records:
                take(record.value, bars)
            offsets[partition] = records[-1].offset + 1
        if offsets and time.monotonic() > due:
            await commit(producer, job, bars, offsets)
            bars, offsets, due = [], {}, time.monotonic() + COMMIT_S


async def main() -> None:
    """Run until SIGTERM."""
    job, ended = options(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    consumer = AIOKafkaConsumer(
        job.topic,
        bootstrap_servers=job.bootstrap,
        group_id=job.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 << 20,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=job.bootstrap,
        transactional_id=job.group,
        linger_ms=5,
        max_batch_size=256 << 10,
    )
    async with consumer, producer:
        await serve(job, consumer, producer, ended)


if __name__ == "__main__":
    uvloop.run(main())
