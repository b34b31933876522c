"""From bytes off the wire to the kernel, and from its bars to bytes for the wire."""

from __future__ import annotations

import pytest

from barengine.codec.fields import TICK_SCHEMA, Fields
from barengine.codec.slow import json_decoder, slow_decoder
from barengine.kafka.batches import read_batches
from barengine.kafka.compression import CODECS
from barengine.kafka.output import PrebuiltBatch
from barengine.kernel import EncodedRecords, RecordBatch
from benchmarks.micro.conftest import Meter
from benchmarks.micro.test_kernel import LARGE_BATCH, encoded, taken
from benchmarks.micro.ticks import NOON_MS, Ticks, tick_value

COUNT = 200_000
"""Ticks: about 100 batches."""

SLOW_COUNT = 20_000


def wire(batch: RecordBatch, codec: str) -> bytes:
    """A batch as a producer sends it."""
    time_ms = batch.base_time_ms
    records = EncodedRecords(batch.payload, batch.records, time_ms, time_ms)
    return PrebuiltBatch(records, codec, transactional=False)._build()


@pytest.mark.parametrize("codec", CODECS)
def test_fetched(meter: Meter, codec: str) -> None:
    """Split a fetch, CRC, decompress"""
    data = b"".join(wire(batch, codec) for batch in Ticks(COUNT, 1_000, 60_000).batches())
    assert sum(one.batch.records for one in read_batches(data, (), 0) if one.batch) == COUNT
    meter(lambda fetch: list(read_batches(fetch, (), 0)), lambda: (data,), COUNT, "tick")


@pytest.mark.parametrize("codec", CODECS)
def test_sent(meter: Meter, codec: str) -> None:
    """Compress bars, add the batch header"""
    (block,) = taken(25_000)
    (whole,) = encoded(block, LARGE_BATCH * 10)
    meter(lambda one: PrebuiltBatch(one, codec)._build(), lambda: (whole,), 25_000, "bar")


def test_slow(meter: Meter) -> None:
    """Decode a value that no field plan can express"""
    decode = slow_decoder(TICK_SCHEMA, Fields(), 9)
    value = tick_value("BRK", "SYM00001", NOON_MS, 1.25)[5:]
    meter(lambda: [decode(value) for _ in range(SLOW_COUNT)], tuple, SLOW_COUNT, "tick")


def test_json(meter: Meter) -> None:
    """Decode a JSON value"""
    decode = json_decoder(Fields(), 9)
    value = b'{"broker":"BRK","symbol":"SYM00001","timestamp":%d,"bid":1.25}' % NOON_MS
    meter(lambda: [decode(value) for _ in range(SLOW_COUNT)], tuple, SLOW_COUNT, "tick")
