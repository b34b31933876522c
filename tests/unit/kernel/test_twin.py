"""The compiled kernel does what the pure one does, to the byte, whatever happens to it."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.kernel.streams import Life


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 25))
def test_both_kernels_agree_after_every_step(seed: int, steps: int) -> None:
    """Outcomes, rejects, clocks, bars, encodings and states are equal after every call."""
    life = Life(Random(seed))
    for _ in range(steps):
        life.step()
    life.pair.take(100)
    life.pair.close_all()
