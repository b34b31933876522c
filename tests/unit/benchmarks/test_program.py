"""What the Python programs of the comparison share."""

from __future__ import annotations

import io
import random
import struct
import sys

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barengine.codec.fields import TICK_SCHEMA
from benchmarks.contender import Job
from benchmarks.load import Load
from benchmarks.program import Options, add, arguments, bar_of, options, packed, tick

NAMES = st.text(st.characters(codec="ascii"), max_size=63)
SCHEMA = fastavro.parse_schema(TICK_SCHEMA)


@given(NAMES, NAMES, st.integers(0, 2**52), st.floats(allow_nan=False))
def test_the_fast_parser_reads_what_avro_wrote(
    broker: str, symbol: str, time_ms: int, price: float
) -> None:
    """Time and price are those of fastavro, wherever the names before them end."""
    out = io.BytesIO()
    value = {"broker": broker, "symbol": symbol, "timestamp": time_ms, "bid": price}
    fastavro.schemaless_writer(out, SCHEMA, value)
    assert tick(b"\0\0\0\0\1" + out.getvalue()) == (time_ms, price)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3)), min_size=1), st.randoms())
def test_a_bar_is_ordered_by_event_time_and_then_by_arrival(
    ticks: list[tuple[int, int]], rng: random.Random
) -> None:
    """Open is the first tick of the earliest time, close the last one of the latest."""
    rng.shuffle(ticks)
    bar = bar_of(*ticks[0])
    for time_ms, price in ticks[1:]:
        add(bar, time_ms, price)
    prices = [price for _, price in ticks]
    ordered = [price for _, price in sorted(ticks, key=lambda one: one[0])]
    wanted = (ordered[0], max(prices), min(prices), ordered[-1], len(ticks))
    assert struct.unpack("<4dq", packed(bar)) == wanted


def test_a_program_is_told_what_the_job_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of records includes the closing ticks, one a partition."""
    job = Job("localhost:1", "in", "out", "group", Load(100, partitions=3))
    monkeypatch.setattr(sys, "argv", ["program", *arguments(job)])
    assert options() == Options("localhost:1", "in", "out", "group", 3, 103)
