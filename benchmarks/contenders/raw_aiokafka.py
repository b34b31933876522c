"""Reading alone, with aiokafka: every record is handed over, none is parsed."""

from __future__ import annotations

from typing import Final

import uvloop
from aiokafka import AIOKafkaConsumer

from benchmarks.program import Announce, done, options

PIECE: Final = 10_000


async def read() -> int:
    """Count the records of the topic."""
    job, announce, seen = options(), Announce(), 0
    async with AIOKafkaConsumer(
        job.topic,
        bootstrap_servers=job.bootstrap,
        group_id=job.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 << 20,
    ) as consumer:
        while seen < job.ticks:
            # whole fetches at once are no faster, and much would be done before the first record
            polled = await consumer.getmany(timeout_ms=1000, max_records=PIECE)
            for records in polled.values():
                announce()
                seen += len(records)
    return seen


if __name__ == "__main__":
    done(uvloop.run(read()))
