"""What the Python programs of the comparison share: their arguments, and what they say.

Nothing of barengine is imported, for programs that run in an environment of their own.
"""

from __future__ import annotations

import argparse
import signal
import struct
import sys
from typing import Any, Final, NamedTuple, get_type_hints

_DOUBLE: Final = struct.Struct("<d").unpack_from
_BAR: Final = struct.Struct("<4dq").pack


class Options(NamedTuple):
    """One run; ``ticks`` counts the records in the topic."""

    bootstrap: str
    topic: str
    output: str
    group: str
    partitions: int
    ticks: int


def options() -> Options:
    """The options on the command line."""
    parser = argparse.ArgumentParser()
    for name, kind in get_type_hints(Options).items():
        parser.add_argument(f"--{name}", type=kind, required=True)
    return Options(**vars(parser.parse_args()))


def arguments(job: Any) -> list[str]:
    """The command line for a :class:`benchmarks.contender.Job`, as :func:`options` reads it."""
    values = (job.bootstrap, job.topic, job.output_topic, job.group, job.partitions, job.records)
    pairs = zip(Options._fields, values, strict=True)
    return [text for name, value in pairs for text in (f"--{name}", str(value))]


class Announce:
    """Say that the first record is there; from the second call on it costs next to nothing."""

    def __init__(self) -> None:
        self._said = False

    def __call__(self) -> None:
        if not self._said:
            self._said = True
            print("RUNNING", flush=True)


def done(records: int) -> None:
    """Say how many records were read, and wait for the end: what it took is still to be read."""
    print(f"DONE {records}", flush=True)
    wait_for_end()


def wait_for_end() -> None:
    """Wait for SIGTERM and end without an error."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.pause()


def tick(value: bytes) -> tuple[int, float]:
    """Event time in ms and price of a value in the built-in tick schema.

    Broker and symbol are skipped, the key names them; both are shorter than 64 bytes. Three steps
    close the gaps that Avro leaves in a long, seven bits a byte, for all bytes at once.
    """
    at = 6 + (value[5] >> 1)
    at += 1 + (value[at] >> 1)
    bits = int.from_bytes(value[at:-8], "little")
    bits = (bits & 0x007F007F007F007F) | (bits & 0x7F007F007F007F00) >> 1
    bits = (bits & 0x00003FFF00003FFF) | (bits & 0x3FFF00003FFF0000) >> 2
    bits = (bits & 0x000000000FFFFFFF) | (bits & 0x0FFFFFFF00000000) >> 4
    return (bits >> 1) ^ -(bits & 1), _DOUBLE(value, len(value) - 8)[0]


def bar_of(time_ms: int, price: float) -> list[Any]:
    """The bar of one tick: open, high, low, close, count, first and last event time."""
    return [price, price, price, price, 1, time_ms, time_ms]


def add(bar: list[Any], time_ms: int, price: float) -> list[Any]:
    """Add a tick to a bar, in place."""
    if time_ms < bar[5]:
        bar[5], bar[0] = time_ms, price
    if time_ms >= bar[6]:
        bar[6], bar[3] = time_ms, price
    if price > bar[1]:
        bar[1] = price
    elif price < bar[2]:
        bar[2] = price
    bar[4] += 1
    return bar


def packed(bar: list[Any]) -> bytes:
    """A bar as it is written."""
    return _BAR(*bar[:5])
