"""How fast the kernels are: decoding and aggregating ticks, closing and encoding bars.

    python benchmarks/micro_kernel.py [--repeats 7] [--no-pure]

Values are those of the built-in Tick schema behind a Confluent frame, 53-byte records or so, the
times up to one second out of order. Every number is the median of the repeats in CPU time, the
best one behind it: on a busy machine the best says more about the code.
"""

from __future__ import annotations

import argparse
import statistics
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from barengine.codec.compile import compile_plan
from barengine.codec.fields import TICK_SCHEMA, Fields
from barengine.codec.records import encode_record
from barengine.codec.varint import encode_varint
from barengine.kernel import BarBlock, Kernel, KernelConfig, RecordBatch, kernel_class
from barengine.model import Period

BATCH = 2000
"""Records of a batch: what a producer with default settings sends under load."""

NOON_MS = 1_750_000_000_000 - 1_750_000_000_000 % 60_000
ALWAYS = 2**61
"""A wall time that no tick is ahead of."""

PURE_SCALE = 20
"""The twin is so much slower that it gets less to do."""

LARGE_BATCH = 1_000_000
"""Payload bytes of an output batch: the broker's default limit."""


@dataclass(frozen=True)
class Load:
    """Ticks of so many series, spread over ``span_ms`` of event time."""

    ticks: int
    series: int
    span_ms: int

    def batches(self) -> list[RecordBatch]:
        """The ticks in batches; the same ones at every call."""
        rng = Random(7)
        symbols = [f"SYM{number:05}" for number in range(self.series)]
        prices = [100 + number * 0.1 for number in range(self.series)]
        out = []
        for base in range(0, self.ticks, BATCH):
            parts = []
            for delta in range(min(BATCH, self.ticks - base)):
                which = rng.randrange(self.series)
                prices[which] = round(prices[which] + rng.choice((-0.01, 0, 0.01)), 5)
                at = NOON_MS + (base + delta) * self.span_ms // self.ticks - rng.randrange(1000)
                value = tick_value("BRK", symbols[which], at, prices[which])
                key = b"BRK|" + symbols[which].encode()
                parts.append(encode_record(delta, at - NOON_MS, key, value))
            out.append(RecordBatch(b"".join(parts), len(parts), base, NOON_MS))
        return out


@dataclass(frozen=True)
class Measured:
    """Times of one measurement, each divided by what was done in it."""

    name: str
    unit: str
    samples: list[float]

    def __str__(self) -> str:
        return f"{statistics.median(self.samples):,.1f} ({min(self.samples):,.1f})"


def tick_value(broker: str, symbol: str, time_ms: int, price: float) -> bytes:
    """A framed value of the built-in schema."""
    names = b"".join(encode_varint(len(name)) + name.encode() for name in (broker, symbol))
    return b"\0\0\0\0\1" + names + encode_varint(time_ms) + struct.pack("<d", price)


def made(name: str, period: str = "1m", grace_s: int = 5) -> Kernel:
    """A kernel that reads the built-in schema."""
    kernel = kernel_class(name)(KernelConfig(Period.parse(period), grace_s * 10**9))
    kernel.add_schema(0, compile_plan(TICK_SCHEMA, Fields()))
    return kernel


def feed(kernel: Kernel, batches: Iterable[RecordBatch]) -> None:
    """Process and drain, batch by batch, as the engine does."""
    for batch in batches:
        kernel.process(batch, 0, 2**62, ALWAYS)
        kernel.drain()


def clocked(work: Callable[[], object]) -> float:
    """Nanoseconds that the work took."""
    begin = time.thread_time_ns()
    work()
    return time.thread_time_ns() - begin


def processing(name: str, load: Load, repeats: int) -> Measured:
    """Nanoseconds a tick: decode, aggregate, close."""
    batches = load.batches()
    samples = [clocked(lambda: feed(made(name), batches)) / load.ticks for _ in range(repeats)]
    return Measured(f"process, {load.series:,} series", "ns/tick", samples)


def closing(name: str, series: int, repeats: int) -> list[Measured]:
    """Closing and encoding one bar of each series, all due in the same instant."""
    opening = [tick_value("BRK", f"SYM{n:05}", NOON_MS, n * 0.01) for n in range(series)]
    last = tick_value("BRK", "SYM00000", NOON_MS + 60_000, 1.0)
    records = [encode_record(n, 0, None, value) for n, value in enumerate([*opening, last])]
    batch = RecordBatch(b"".join(records), len(records), 0, NOON_MS)
    close, take, encode = [], [], []
    scaled = 100_000 / series / 1e6
    for _ in range(repeats):
        kernel = made(name, grace_s=0)
        kernel.process(batch, 0, 2**62, ALWAYS)
        close.append(clocked(kernel.drain) * scaled)
        blocks: list[BarBlock] = []
        take.append(clocked(lambda: blocks.append(kernel.take_bars())) * scaled)  # noqa: B023
        encode.append(clocked(partial(blocks[0].encode, LARGE_BATCH)) * scaled)
        assert len(blocks[0]) == series
    return [
        Measured(what, "ms for 100,000 bars", samples)
        for what, samples in (("close", close), ("take over", take), ("encode", encode))
    ]


def memory(series: int) -> list[str]:
    """Resident bytes that a window costs, with its series: the process before and after."""
    load = [
        encode_record(n, 0, None, tick_value("BRK", f"SYM{n:05}", NOON_MS, 1.0))
        for n in range(series)
    ]
    batch = RecordBatch(b"".join(load), len(load), 0, NOON_MS)
    kernel = made("compiled")
    before = resident()
    kernel.process(batch, 0, 2**62, ALWAYS)
    grown = (resident() - before) / kernel.open_windows
    return [f"window and series, {series:,} of them", f"{grown:.0f}", "", "bytes resident"]


def resident() -> int:
    """Bytes of this process in memory."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096


def measure(name: str, scale: int, repeats: int) -> list[Measured]:
    """Everything that is timed; a scale above 1 makes it so many times smaller."""
    return [
        processing(name, Load(1_000_000 // scale, 1000, 1_800_000 // scale), repeats),
        processing(name, Load(1_000_000 // scale, 100_000, 120_000), repeats),
        *closing(name, 100_000 // scale, repeats),
    ]


def main() -> None:
    """Measure both kernels and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--no-pure", action="store_true", help="the twin takes its time")
    options = parser.parse_args()
    table = Table("what", "compiled", f"pure (1/{PURE_SCALE} of the load)", "unit")
    table.add_row(*memory(100_000))
    compiled = measure("compiled", 1, options.repeats)
    pure = [] if options.no_pure else measure("pure", PURE_SCALE, max(1, options.repeats // 3))
    for one, other in zip_longest(compiled, pure):
        table.add_row(one.name, str(one), str(other or ""), one.unit)
    Console().print(table)


if __name__ == "__main__":
    main()
