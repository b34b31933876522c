"""The exact conversions, against decimal arithmetic and against the calendar."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barengine.codec import convert
from barengine.codec.tick import BadTick
from barengine.model import MAX_EVENT_NS, MAX_PRICE, Reason
from tests.unit.codec.build import reason_of
from tests.unit.codec.strategies import (
    Meaning,
    decimal_texts,
    exact_price,
    exact_time,
    text_meaning,
)

SCALES = st.integers(0, 18)


def text(digits: str, scale: int = 9) -> Meaning:
    """A price text converted, or the reason why it is none."""
    return reason_of(lambda: convert.price_from_text(digits.encode(), scale))


@given(st.floats(-1e10, 1e10) | st.floats(), SCALES)
def test_a_float_means_its_exact_binary_value(value: float, scale: int) -> None:
    """It is rounded half to even once, from all its binary digits."""
    got = reason_of(lambda: convert.price_from_float(value, scale))
    assert got == exact_price(Decimal(value), scale)


@given(st.integers(-(10**30), 10**30), st.integers(0, 40), SCALES)
def test_a_decimal_is_rounded_once(unscaled: int, digits: int, scale: int) -> None:
    """More digits than the price scale are rounded half to even, fewer are filled with zeros."""
    got = reason_of(lambda: convert.price_from_decimal(unscaled, digits, scale))
    assert got == exact_price(Decimal((unscaled < 0, _digits(unscaled), -digits)), scale)


@pytest.mark.parametrize(
    ("unscaled", "price"), [(5, 0), (15, 2), (25, 2), (26, 3), (-5, 0), (-15, -2), (-25, -2)]
)
def test_a_tie_of_a_decimal_goes_to_even(unscaled: int, price: int) -> None:
    """Half a unit of the price scale is rounded to the even neighbour, below zero too."""
    assert convert.price_from_decimal(unscaled, 1, 0) == price


def _digits(number: int) -> tuple[int, ...]:
    return tuple(int(digit) for digit in str(abs(number)))


@given(st.integers(-(2**63), 2**63 - 1), SCALES)
def test_a_whole_price_is_scaled_up(value: int, scale: int) -> None:
    """An int price has no decimals; it may leave int64 by its scale alone."""
    got = reason_of(lambda: convert.price_from_int(value, scale))
    assert got == exact_price(Decimal(value), scale)


@given(decimal_texts(), SCALES)
def test_decimal_text_means_its_number(digits: str, scale: int) -> None:
    """Sign, digits, point and exponent as in Decimal, rounded once."""
    assert text(digits, scale) == text_meaning(digits, lambda number: exact_price(number, scale))


@pytest.mark.parametrize(
    ("digits", "price"),
    [
        ("0.5", 0),
        ("1.5", 2),
        ("2.5", 2),
        ("-0.5", 0),
        ("-1.5", -2),
        ("-2.5", -2),
        ("2.50000000000000000000000000000000000001", 3),
        ("2.49999999999999999999999999999999999999", 2),
        ("0.05", 0),
        ("0.51", 1),
        (".5e1", 5),
        ("5.", 5),
        ("+7", 7),
        ("00012e-1", 1),
        ("999999999999999999.4", MAX_PRICE),
        ("-999999999999999999", -MAX_PRICE),
        ("-999999999999999998.5", -999999999999999998),
        ("0" * 5000 + "3", 3),
        ("0e999999999999999999999999", 0),
        ("1e-999999999999999999999999", 0),
        ("1" + "0" * 5000 + "e-5000", 1),
        ("0." + "0" * 5000 + "2e5001", 2),
    ],
)
def test_ties_go_to_even_and_size_costs_nothing(digits: str, price: int) -> None:
    """A tie is decided by all digits; thousands of them, or a huge exponent, are no trouble."""
    assert text(digits, 0) == price


@pytest.mark.parametrize(
    "digits",
    [
        "9223372036854775808",
        "9223372036854775807.5",
        "-9223372036854775808.51",
        "1e19",
        "1e999999999",
        "-1e" + "9" * 10_000,
        "9" * 10_000,
    ],
)
def test_text_outside_int64_is_out_of_range(digits: str) -> None:
    """PRICE_RANGE, decided before a huge integer is built."""
    assert text(digits, 0) is Reason.PRICE_RANGE


@pytest.mark.parametrize("digits", ["nan", "NaN", "-nan", "inf", "+Inf", "-INFINITY", "Infinity"])
def test_text_of_no_finite_number(digits: str) -> None:
    """NaN and the infinities are recognised in any case and with any sign."""
    assert text(digits) is Reason.PRICE_NOT_FINITE


@pytest.mark.parametrize(
    "digits",
    [
        "",
        ".",
        "+",
        "-.",
        "e5",
        "1e",
        "1e+",
        "1.2.3",
        "1 ",
        " 1",
        "1_000",
        "1,5",
        "0x10",
        "\u0661",
        "1\n",
    ],
)
def test_other_text_is_undecodable(digits: str) -> None:
    """Nothing is guessed: spaces, separators and other scripts are no numbers."""
    assert text(digits) is Reason.UNDECODABLE


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from([1, 10**3, 10**6]))
def test_times_outside_the_range_are_refused(value: int, unit_ns: int) -> None:
    """A time is its units in ns, inside ±MAX_EVENT_NS."""
    assert reason_of(lambda: convert.time_from_units(value, unit_ns)) == exact_time(value, unit_ns)


def test_the_ends_of_the_time_range_are_in_it() -> None:
    """±MAX_EVENT_NS are times; one ns further is none."""
    assert convert.time_from_units(MAX_EVENT_NS, 1) == MAX_EVENT_NS
    assert convert.time_from_units(-MAX_EVENT_NS, 1) == -MAX_EVENT_NS
    for value in (MAX_EVENT_NS + 1, -MAX_EVENT_NS - 1):
        assert reason_of(lambda v=value: convert.time_from_units(v, 1)) is Reason.TIME_RANGE  # type: ignore[misc]


ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(
    lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes))
)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
CENTURY = datetime.timedelta(days=36500)


@given(st.timedeltas(-CENTURY, CENTURY), ZONES)
def test_iso_times_mean_their_instant(since: datetime.timedelta, zone: datetime.tzinfo) -> None:
    """A date, a time of day and a zone give the instant that the calendar gives."""
    moment = (EPOCH + since).astimezone(zone)
    time_ns = (since // datetime.timedelta(microseconds=1)) * 1000
    assert convert.time_from_iso(moment.isoformat()) == time_ns


@pytest.mark.parametrize(
    ("moment", "time_ns"),
    [
        ("1970-01-01T00:00Z", 0),
        ("1970-01-01 00:00:01z", 10**9),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T00:00:00,5Z", 5 * 10**8),
        ("1970-01-01T00:00:00.1234567899Z", 123456789),
        ("1970-01-01T02:00:00+02", 0),
        ("1970-01-01T02:30:00+0230", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
    ],
)
def test_iso_times_in_their_other_spellings(moment: str, time_ns: int) -> None:
    """Seconds and minutes of the zone may be left out; nanoseconds are kept, the rest is cut."""
    assert convert.time_from_iso(moment) == time_ns


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        ("2024-01-01T00:00:00", Reason.UNDECODABLE),
        ("2024-01-01", Reason.UNDECODABLE),
        ("2024-02-30T00:00:00Z", Reason.UNDECODABLE),
        ("0000-01-01T00:00:00Z", Reason.UNDECODABLE),
        ("2024-01-01T24:00:00Z", Reason.UNDECODABLE),
        ("2024-01-01T00:00:60Z", Reason.UNDECODABLE),
        ("2024-01-01T00:00:00Z ", Reason.UNDECODABLE),
        ("1704067200000", Reason.UNDECODABLE),
        ("9999-12-31T23:59:59Z", Reason.TIME_RANGE),
        ("0001-01-01T00:00:00Z", Reason.TIME_RANGE),
    ],
)
def test_texts_that_name_no_instant(moment: str, reason: Reason) -> None:
    """Without a zone there is no instant; with one it may still be too far away."""
    with pytest.raises(BadTick) as bad:
        convert.time_from_iso(moment)
    assert bad.value.reason is reason
