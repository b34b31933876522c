"""Ticks of the built-in schema: a few by name, or a great many at once."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from typing import Final

from tests.broker.records import Headers, Record

SCHEMA_ID: Final = 1
SECOND: Final = 1000
START_MS: Final = 1_750_000_000_000
"""Where replayed time begins: long past, and the start of a bucket of a second and of a minute
less 40 s."""

_PRICE: Final = struct.Struct("<d")


def frame(schema_id: int = SCHEMA_ID) -> bytes:
    """The Confluent frame."""
    return b"\x00" + schema_id.to_bytes(4, "big")


def varint(number: int) -> bytes:
    """Zigzag varint, as Avro writes int and long."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def text(name: str | bytes) -> bytes:
    """An Avro string."""
    raw = name.encode() if isinstance(name, str) else name
    return varint(len(raw)) + raw


def value(broker: str | bytes, symbol: str | bytes, at_ms: int, price: float = 1.0) -> bytes:
    """A framed value of the built-in Tick schema, ``at_ms`` after START_MS."""
    time = varint(START_MS + at_ms)
    return frame() + text(broker) + text(symbol) + time + _PRICE.pack(price)


def tick(
    broker: str,
    symbol: str,
    at_ms: int,
    price: float = 1.0,
    partition: int = 0,
    headers: Headers | None = None,
) -> Record:
    """One tick, ``at_ms`` after START_MS, under the key that producers use."""
    time_ms = START_MS + at_ms
    key = f"{broker}|{symbol}".encode()
    return Record(value(broker, symbol, at_ms, price), key, partition, time_ms, headers)


def spread(
    broker: str, symbols: int, first_ms: int, last_ms: int, step_ms: int, partitions: int = 1
) -> list[Record]:
    """One tick of each symbol every ``step_ms`` in [first_ms, last_ms), prices all different.

    Symbol n is in partition n modulo ``partitions``.
    """
    return [
        tick(broker, f"S{number}", at_ms, number + at_ms / SECOND, number % partitions)
        for at_ms in range(first_ms, last_ms, step_ms)
        for number in range(symbols)
    ]


def many(
    broker: str, count: int, symbols: int, span_ms: int, partition: int = 0
) -> Iterator[Record]:
    """So many ticks in order of time over ``span_ms`` from START_MS on, made fast."""
    chance = random.Random(count)
    names = [frame() + text(broker) + text(f"S{number}") for number in range(symbols)]
    prices = [_PRICE.pack(chance.uniform(1, 2)) for _ in range(997)]
    for number in range(count):
        time_ms = START_MS + number * span_ms // count
        one = names[number % symbols] + varint(time_ms) + prices[number % 997]
        yield Record(one, None, partition, time_ms)
