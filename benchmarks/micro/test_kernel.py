"""Ticks into windows, windows into bars."""

from __future__ import annotations

import pytest

from barengine.kernel import BarBlock, EncodedRecords, Kernel, Payloads
from benchmarks.micro.conftest import Meter
from benchmarks.micro.ticks import ALWAYS, Ticks, feed, made, one_each

LARGE_BATCH = 1_000_000
"""Payload bytes of an output batch: the broker's default limit."""

SHARE = {"compiled": 1, "pure": 50}
"""The twin is written to be read, and gets so many times less to do."""


@pytest.mark.parametrize("kernel", SHARE)
@pytest.mark.parametrize("series", [1_000, 100_000])
def test_process(meter: Meter, kernel: str, series: int) -> None:
    """Decode, aggregate, close; series"""
    count = 1_000_000 // SHARE[kernel]
    batches = Ticks(count, series, 1_800_000 // SHARE[kernel]).batches()
    rounds = 9 if kernel == "compiled" else 1
    meter(lambda one: feed(one, batches), lambda: (made(kernel),), count, "tick", rounds)


@pytest.mark.parametrize("ends", [2, 60, 3_600])
def test_wheel(meter: Meter, ends: int) -> None:
    """A new window with nearly every tick, open ends"""
    count = 500_000
    batches = Ticks(count, 10_000, 5_000_000).batches()
    meter(lambda one: feed(one, batches), lambda: (made("compiled", "1s", ends),), count, "tick")


def opened(series: int) -> tuple[Kernel]:
    """A kernel with a window of each series, due."""
    kernel = made("compiled", grace_s=0)
    kernel.process(one_each(series, closing=True), 0, 2**62, ALWAYS)
    return (kernel,)


def closed(series: int) -> tuple[Kernel]:
    """The same with the windows closed."""
    (kernel,) = opened(series)
    assert kernel.drain() == series
    return (kernel,)


def taken(series: int) -> tuple[BarBlock]:
    """The bars of so many series."""
    (kernel,) = closed(series)
    return (kernel.take_bars(),)


def encoded(block: BarBlock, max_bytes: int) -> list[EncodedRecords]:
    """As payloads."""
    payloads = Payloads(max_bytes)
    block.encode(payloads)
    return payloads.encoded()


def test_drain(meter: Meter) -> None:
    """Close windows that are due."""
    meter(lambda kernel: kernel.drain(), lambda: opened(100_000), 100_000, "bar")


def test_take(meter: Meter) -> None:
    """Take bars over."""
    meter(lambda kernel: kernel.take_bars(), lambda: closed(100_000), 100_000, "bar")


def test_encode(meter: Meter) -> None:
    """Encode keys and values, as records."""
    meter(lambda block: encoded(block, LARGE_BATCH), lambda: taken(100_000), 100_000, "bar")
