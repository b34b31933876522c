"""The check and the kernel, two programs without common code, agree on whatever comes."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from barengine.model import Order, Watermark
from tests.unit.demo.scene import scene, tick

NAMES = st.sampled_from(["a", "b|c", "d\\", "é", "x" * 70])
PRICES = st.floats(-100, 100) | st.sampled_from([0.1, -0.0, 1.0, 5e-10, 1.5e-9, 9.3e9, 1e300])
ODD = st.sampled_from([float("nan"), float("inf")])

good_ticks = st.builds(tick, NAMES, NAMES, st.integers(-20_000, 40_000), PRICES | ODD)
odd_ticks = st.builds(
    tick, st.sampled_from(["", "n" * 300, "a"]), NAMES, st.integers(-(2**60), 2**60), PRICES
)
noise = st.none() | st.binary(max_size=12) | st.binary(max_size=12).map(lambda b: b"\0" * 5 + b)


@st.composite
def damaged(draw: Any) -> bytes:
    """A tick with a byte changed, or cut off, or with something behind it."""
    value = bytearray(draw(good_ticks))
    place = draw(st.integers(0, len(value) - 1))
    match draw(st.sampled_from(["change", "cut", "append"])):
        case "change":
            value[place] = draw(st.integers(0, 255))
        case "cut":
            del value[place:]
        case _:
            value += struct.pack("<d", 1.0)
    return bytes(value)


values = st.lists(good_ticks | good_ticks | odd_ticks | noise | damaged(), max_size=40)
silences = st.lists(st.integers(0, 20 * 10**9), max_size=40)


@given(values, silences, st.sampled_from(Order), st.sampled_from(Watermark))
def test_the_check_agrees_with_the_kernel(
    values: list[bytes | None], silences: list[int], order: Order, watermark: Watermark
) -> None:
    """Whatever comes in, with silence in between: every bar exact, every record accounted for."""
    observed = 0

    def fall_silent(offset: int, kernel: Any) -> None:
        nonlocal observed
        if offset < len(silences):
            observed += silences[offset]
            kernel.advance(observed)

    result = scene(values, order=order, watermark=watermark, between=fall_silent)
    report = result.check()
    assert report.differences == []
    assert report.ok
    assert report.in_bars + report.late + report.dead == report.ticks_in == len(values)
