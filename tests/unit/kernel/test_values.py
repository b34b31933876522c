"""Values of any schema: the compiled interpreter reads what the Python one reads."""

from __future__ import annotations

import struct
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barengine.codec.compile import compile_plan
from barengine.codec.plan import FieldPlan, Kind, Op, Slot
from barengine.codec.slow import slow_decoder
from barengine.kernel import KernelConfig
from barengine.model import Bar, Framing, Period
from tests.unit.codec.strategies import Case, decimal_texts, schemas_and_ticks
from tests.unit.kernel.build import batch, text, tick, tick_plan, varint
from tests.unit.kernel.pair import Pair


def bare_pair(plan: FieldPlan | None, price_scale: int, *, record_time: bool = False) -> Pair:
    """Both kernels, reading unframed values into bars of a second that silence closes."""
    config = KernelConfig(
        Period.parse("1s"),
        grace_ns=2**40,
        idle_timeout_ns=0,
        framing=Framing.NONE,
        price_scale=price_scale,
        record_time=record_time,
        sizes=True,
    )
    pair = Pair(config)
    pair.add_schema(0, plan)
    return pair


@settings(max_examples=300, deadline=None)
@given(schemas_and_ticks(max_ticks=6), st.randoms(use_true_random=True))
def test_any_schema(case: Case, rng: Random) -> None:
    """Whole values and cut ones of a random schema, by plan and by slow decoder."""
    plan = compile_plan(case.schema, case.fields)
    values = [one.value for one in case.ticks]
    values += [value[: rng.randrange(len(value) + 1)] for value in values]
    for way in (plan, None):
        pair = bare_pair(plan, case.price_scale, record_time=case.fields.record_time)
        if way is None:
            slow = slow_decoder(case.schema, case.fields, case.price_scale)
            pair.add_schema(0, None, slow)
        pair.feed(batch(values))
        pair.close_all()


def fed(kind: tuple[int, int, int], price_scale: int, *prices: bytes) -> list[Bar]:
    """Feed values that end in these price bytes to both kernels: a bar for each that is one."""
    pair = bare_pair(tick_plan(price=kind), price_scale)
    pair.feed(batch([tick(at)[5:-8] + price for at, price in enumerate(prices)]))
    return pair.close_all()


SCALES = st.integers(0, 18)
INT64 = st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(min_size=8, max_size=8), max_size=40), SCALES)
def test_any_double(bits: list[bytes], scale: int) -> None:
    """All 2^64 bit patterns, zeros and denormals and NaNs included."""
    fed((Kind.DOUBLE, 0, 0), scale, *bits)


@settings(max_examples=300, deadline=None)
@given(st.lists(INT64, max_size=40), SCALES, st.integers(-60, 60))
def test_doubles_near_a_tie(numbers: list[int], scale: int, power: int) -> None:
    """Doubles that lie on or beside the middle between two decimals, and at the ends."""
    doubles = [float(Decimal(n) * Decimal(2) ** power) for n in numbers]
    # An odd number of 2^-(scale + 1) is a decimal and a half, exactly.
    doubles += [(2 * (n >> shift) + 1) / 2 ** (scale + 1) for n in numbers for shift in (20, 60)]
    ends = [
        end / 10**scale * (1 + place * 2**-52) for end in (1e18, 2.0**63) for place in (-1, 0, 1)
    ]
    doubles += [side * end for end in ends for side in (1, -1)]
    fed((Kind.DOUBLE, 0, 0), scale, *(struct.pack("<d", number) for number in doubles))


@pytest.mark.parametrize("scale", range(19))
def test_doubles_around_the_last_decimal(scale: int) -> None:
    """Less than half of the last decimal is nothing, more is one of it."""
    parts = (0.25, 0.49, 0.5, 0.51, 0.86, 1.0, 1.49, 1.5, 2.5, 1e-30)
    doubles = [side * part / 10**scale for part in parts for side in (1, -1)]
    bars = fed((Kind.DOUBLE, 0, 0), scale, *(struct.pack("<d", number) for number in doubles))
    assert [bar.close for bar in bars[6:10]] == [1, -1, 1, -1]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(min_size=4, max_size=4), max_size=40), SCALES)
def test_any_float(bits: list[bytes], scale: int) -> None:
    """All 2^32 bit patterns."""
    fed((Kind.FLOAT, 0, 0), scale, *bits)


@settings(max_examples=200, deadline=None)
@given(st.lists(INT64, max_size=40), SCALES)
def test_any_long(numbers: list[int], scale: int) -> None:
    """Whole prices up to the ends of int64."""
    numbers += [n // 10**scale for n in numbers]
    fed((Kind.LONG, 0, 0), scale, *(varint(number) for number in numbers))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.binary(max_size=20), max_size=20),
    SCALES,
    st.sampled_from([0, 1, 9, 18, 19, 20, 30, 37, 38, 39, 55, 56, 57, 100, 1024]),
    st.integers(0, 40),
)
def test_any_decimal(raw: list[bytes], scale: int, own_scale: int, digits: int) -> None:
    """Any number of bytes at any scale, ties and sign extension included."""
    ties = [
        (side * (2 * n + 1) * 5 * 10**digits).to_bytes(24, "big", signed=True)[cut:]
        for n in range(3) for side in (1, -1) for cut in (0, 6)
    ]  # fmt: skip
    content = [*raw, *ties, b"\x7f" + b"\xff" * 15, b"\x80" + bytes(15), b"\x80" + bytes(16)]
    fed((Kind.DECIMAL_BYTES, own_scale, 0), scale, *(text(item) for item in content))


@pytest.mark.parametrize("down", [1, 18, 19, 20, 37, 38, 39])
def test_decimals_of_many_more_digits_than_are_kept(down: int) -> None:
    """On both sides of every tie, up to the ends of 128 bits, whatever division that takes."""
    ties = [(2 * n + 1) * 10**down // 2 for n in (0, 1, 2, 2**62, 2**63 - 1)]
    numbers = [tie + nudge for tie in ties for nudge in (-1, 0, 1)]
    numbers += [2**64 - 1, 2**64, 2**127 - 1, 2**127, 2**128]
    prices = [(side * n).to_bytes(40, "big", signed=True) for n in numbers for side in (1, -1)]
    for scale in (0, 18):
        assert fed((Kind.DECIMAL_BYTES, scale + down, 0), scale, *map(text, prices))


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=200, max_size=200), SCALES, st.integers(0, 40), st.integers(0, 20))
def test_any_fixed_decimal(raw: bytes, scale: int, own_scale: int, size: int) -> None:
    """The same in a fixed number of bytes, none included."""
    parts = [raw[place * size : (place + 1) * size] for place in range(10)]
    fed((Kind.DECIMAL_FIXED, own_scale, size), scale, *parts)


@settings(max_examples=100, deadline=None)
@given(st.lists(decimal_texts(), max_size=20), SCALES)
def test_any_decimal_text(texts: list[str], scale: int) -> None:
    """Text prices go through the one conversion that everything else uses."""
    fed((Kind.DECIMAL_TEXT, 0, 0), scale, *(text(item) for item in texts))


def mids(scale: int, pairs: list[tuple[float, float]]) -> list[Bar]:
    """Feed the means of two doubles to both kernels: a bar for each that is a price."""
    plan = tick_plan()
    sides = FieldPlan((*plan.words[:20], Op.STORE, Slot.ASK, Kind.DOUBLE, 0, 0, Op.END))
    pair = bare_pair(sides, scale)
    pair.feed(
        batch([tick(at, bid)[5:] + struct.pack("<d", ask) for at, (bid, ask) in enumerate(pairs)])
    )
    return pair.close_all()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), max_size=30),
    st.lists(st.tuples(st.floats(), st.floats()), max_size=10),
    SCALES,
)
def test_the_mean_of_any_two_doubles(
    near: list[tuple[float, float]], far: list[tuple[float, float]], scale: int
) -> None:
    """It is exact, whatever their exponents: rounded once, and not once for each side."""
    tiny = [(bid, ask * 10.0**-power) for bid, ask in near for power in (20, 300)]
    mids(scale, near + far + tiny)
    finite = [pair for pair in near if all(abs(side) < 10**18 / 10**scale for side in pair)]
    expected = [round((Fraction(bid) + Fraction(ask)) / 2 * 10**scale) for bid, ask in finite]
    assert [bar.close for bar in mids(scale, finite)] == expected


def test_a_mean_is_rounded_once() -> None:
    """0.65 is 1, though 0.4 and 0.9 would become 0 and 1, and their mean 0; ties go to even."""
    bars = mids(0, [(0.4, 0.9), (0.5, 0.5), (1.5, 1.5), (0.25, 0.75), (-0.4, -0.9), (1.0, 2.0)])
    assert [bar.close for bar in bars] == [1, 0, 2, 0, -1, 2]


@pytest.mark.parametrize("unit_ns", [1, 10**3, 10**6, 10**9])
def test_times_at_the_ends_of_what_is_allowed(unit_ns: int) -> None:
    """±2^62 ns is in, a unit more is not, and no product wraps around."""
    pair = bare_pair(tick_plan(unit_ns=unit_ns), 9)
    edge = 2**62 // unit_ns
    times = [0, edge, edge + 1, -edge, -edge - 1, 2**63 - 1, -(2**63), 2**62 + 1]
    head, price = text("A") + text("X"), bytes(8)
    pair.feed(batch([head + varint(time) + price for time in times]))
    pair.close_all()
