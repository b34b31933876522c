"""Ticks in batches, for measurements without a broker."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Final

from barengine.codec.compile import compile_plan
from barengine.codec.fields import TICK_SCHEMA, Fields
from barengine.codec.records import encode_record
from barengine.codec.varint import encode_varint
from barengine.kernel import Kernel, KernelConfig, RecordBatch, kernel_class
from barengine.model import Period

BATCH: Final = 2000
"""Records of a batch: what a producer with default settings sends under load."""

NOON_MS: Final = 1_750_000_000_000 - 1_750_000_000_000 % 60_000
ALWAYS: Final = 2**61
"""A wall time that no tick is ahead of."""


@dataclass(frozen=True)
class Ticks:
    """So many ticks of so many series over ``span_ms`` of event time, up to 1 s out of order.

    Values are those of the built-in schema in a Confluent frame, records about 53 bytes.
    """

    count: int
    series: int
    span_ms: int

    def batches(self) -> list[RecordBatch]:
        """The ticks in batches; the same ones at every call."""
        rng = Random(7)
        symbols = [f"SYM{number:05}" for number in range(self.series)]
        prices = [100 + number * 0.1 for number in range(self.series)]
        out = []
        for base in range(0, self.count, BATCH):
            parts = []
            for delta in range(min(BATCH, self.count - base)):
                which = rng.randrange(self.series)
                prices[which] = round(prices[which] + rng.choice((-0.01, 0, 0.01)), 5)
                at = NOON_MS + (base + delta) * self.span_ms // self.count - rng.randrange(1000)
                value = tick_value("BRK", symbols[which], at, prices[which])
                key = b"BRK|" + symbols[which].encode()
                parts.append(encode_record(delta, at - NOON_MS, key, value))
            out.append(RecordBatch(b"".join(parts), len(parts), base, NOON_MS))
        return out


def tick_value(broker: str, symbol: str, time_ms: int, price: float) -> bytes:
    """A framed value of the built-in schema."""
    names = b"".join(encode_varint(len(name)) + name.encode() for name in (broker, symbol))
    return b"\0\0\0\0\1" + names + encode_varint(time_ms) + struct.pack("<d", price)


def one_each(series: int, *, closing: bool = False) -> RecordBatch:
    """A tick of each series, all in the same minute; and one of the next, which closes it."""
    values = [tick_value("BRK", f"SYM{n:05}", NOON_MS, n * 0.01) for n in range(series)]
    values += [tick_value("BRK", "SYM00000", NOON_MS + 60_000, 1.0)] * closing
    records = [encode_record(number, 0, None, value) for number, value in enumerate(values)]
    return RecordBatch(b"".join(records), len(records), 0, NOON_MS)


def made(name: str, period: str = "1m", grace_s: int = 5) -> Kernel:
    """A fresh kernel, ``compiled`` or ``pure``, that reads the built-in schema."""
    kernel = kernel_class(name)(KernelConfig(Period.parse(period), grace_s * 10**9))
    kernel.add_schema(0, compile_plan(TICK_SCHEMA, Fields()))
    return kernel


def feed(kernel: Kernel, batches: Iterable[RecordBatch]) -> None:
    """Process and drain, batch by batch, as the engine does."""
    for batch in batches:
        kernel.process(batch, 0, 2**62, ALWAYS)
        kernel.drain()
