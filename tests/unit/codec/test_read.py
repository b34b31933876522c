"""The plan interpreter on bytes written by hand: limits of the format, order of reasons."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from barengine.codec.compile import compile_plan
from barengine.codec.fields import Fields
from barengine.codec.plan import Slot
from barengine.codec.read import run_plan, stored_slots
from barengine.codec.tick import DecodedTick
from barengine.codec.varint import encode_varint
from barengine.model import Reason
from tests.unit.codec.build import FIELDS, Outcome, outcome, tick

DOUBLE = struct.Struct("<d").pack
HEAD = b"\x02B\x02S\x0a"
"""Broker B, symbol S, timestamp 5 ms."""
TICK = DecodedTick(b"B", b"S", 5_000_000, 15)


def read(value: bytes, fields: Fields = FIELDS, **types: Any) -> Outcome:
    """What the plan of a tick schema with these fields makes of a value, at price scale 1."""
    plan = compile_plan(tick(**types), fields)
    assert plan is not None
    return outcome(lambda: run_plan(plan, value, 0, 1))


def test_a_flat_tick_is_read() -> None:
    """Names in UTF-8, milliseconds to ns, the price scaled."""
    assert read(HEAD + DOUBLE(1.5)) == TICK


@pytest.mark.parametrize(
    ("varint", "expected"),
    [
        (b"\x80" * 9 + b"\x00", 0),
        (b"\x8a" + b"\x80" * 8 + b"\x00", 5_000_000),
        (b"\x8a" + b"\x80" * 8 + b"\x7e", 5_000_000),
        (b"\xff" * 9 + b"\x01", Reason.TIME_RANGE),
        (b"\x80" * 10 + b"\x00", Reason.UNDECODABLE),
        (b"\xff" * 10, Reason.UNDECODABLE),
    ],
)
def test_a_varint_has_ten_bytes_and_64_bits(varint: bytes, expected: int | Reason) -> None:
    """Padding is allowed, bits above the 64th are dropped, an eleventh byte is not read."""
    got = read(b"\x02B\x02S" + varint + DOUBLE(1.5))
    assert (got.time_ns if isinstance(got, DecodedTick) else got) == expected


@pytest.mark.parametrize(
    "name", [b"\x01", b"\x03", b"\x02\xff", b"\x04\xc0\x80", b"\x06\xed\xa0\x80", b"\xfe\xff\x03"]
)
def test_names_have_a_length_and_are_utf8(name: bytes) -> None:
    """Negative and overlong lengths, overlong and surrogate UTF-8 are UNDECODABLE."""
    assert read(name + b"\x02S\x0a" + DOUBLE(1.5)) is Reason.UNDECODABLE


@pytest.mark.parametrize("index", [-1, 2, 2**62])
def test_indexes_are_in_range(index: int) -> None:
    """A union branch or a name's enum symbol outside the schema's is UNDECODABLE."""
    enum = {"type": "enum", "name": "E", "symbols": ["B", "C"]}
    rest = b"\x02S\x0a" + DOUBLE(1.5)
    assert read(encode_varint(index) + rest, broker=enum) is Reason.UNDECODABLE
    assert read(encode_varint(index) + b"\x02B" + rest, broker=["null", "string"]) is (
        Reason.UNDECODABLE
    )


def test_an_enum_that_is_only_skipped_may_be_out_of_range() -> None:
    """A field that no one asked for is walked over, not judged."""
    enum = {"type": "enum", "name": "E", "symbols": ["B"]}
    assert read(HEAD + DOUBLE(1.5) + b"\x7f", extra=enum) == TICK


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (b"\x00", TICK),
        (b"\x04\x01\x02\x02\x03\x00", TICK),
        (b"\x03\x7e\x01\x02\x00", TICK),
        (b"\x03\x01\x01\x02\x00", TICK),
        (b"\x04\x01\x02", Reason.UNDECODABLE),
        (b"\x04\x01\x00", Reason.UNDECODABLE),
        (b"\xff" * 9 + b"\x01\x00\x00\x00", Reason.UNDECODABLE),
        (b"\xfe" + b"\xff" * 8 + b"\x01\x00\x00", Reason.UNDECODABLE),
    ],
)
def test_arrays_come_in_blocks(blocks: bytes, expected: Outcome) -> None:
    """Any number of blocks, with or without a size, the size is not believed; then a 0."""
    items = {"type": "array", "items": "int"}
    assert read(HEAD + DOUBLE(1.5) + blocks, extra=items) == expected


@pytest.mark.parametrize(
    ("raw", "price"),
    [
        (b"\x00", 0),
        (b"\x02\x7f", 127),
        (b"\x02\x80", -128),
        (b"\x04\xff\x80", -128),
        (b"\x10" + (-(10**18) + 1).to_bytes(8, "big", signed=True), -(10**18) + 1),
        (b"\x10" + (10**18).to_bytes(8, "big"), Reason.PRICE_RANGE),
        (b"\x80\x10" + b"\x00" * 1023 + b"\x07", 7),
    ],
)
def test_decimals_are_twos_complement_of_any_length(raw: bytes, price: int | Reason) -> None:
    """No bytes are 0; leading sign bytes change nothing; what exceeds 18 digits is PRICE_RANGE."""
    kind = {"type": "bytes", "logicalType": "decimal", "precision": 40, "scale": 1}
    got = read(HEAD + raw, bid=kind)
    assert (got.price if isinstance(got, DecodedTick) else got) == price


NULLABLE: dict[str, Any] = {
    "broker": ["null", "string"],
    "symbol": ["null", "string"],
    "timestamp": ["null", "long"],
    "bid": ["null", "double", "string"],
}
FAR = b"\x02" + b"\xfe" + b"\xff" * 8 + b"\x01"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\x00" + b"\x00" + FAR + b"\x00", Reason.MISSING_FIELD),
        (b"\x02\x02B" + b"\x02\x02S" + FAR + b"\x00", Reason.TIME_RANGE),
        (b"\x02\x02B" + b"\x02\x02S" + FAR + b"\x02" + DOUBLE(1e300), Reason.TIME_RANGE),
        (b"\x02\x02B" + b"\x02\x02S" + b"\x00" + b"\x02" + DOUBLE(1e300), Reason.MISSING_FIELD),
        (b"\x02\x02B" + b"\x02\x02S" + b"\x02\x0a" + b"\x02" + DOUBLE(1e300), Reason.PRICE_RANGE),
        (b"\x00" + b"\x00" + FAR + b"\x04\x04no", Reason.UNDECODABLE),
        (b"\x00" + b"\x00" + FAR + b"\x02" + DOUBLE(1e300) + b"!", Reason.UNDECODABLE),
        (b"\x00" + b"\x02\x02\xff" + FAR + b"\x00", Reason.UNDECODABLE),
    ],
)
def test_the_first_reason_counts_and_undecodable_beats_all(value: bytes, reason: Reason) -> None:
    """Broken bytes first, price text included; then broker, symbol, time, price in this order."""
    assert read(value, FIELDS, **NULLABLE) is reason


def test_record_time_leaves_the_time_at_zero() -> None:
    """A plan that stores no time gives 0, and says so."""
    fields = Fields(timestamp="@record")
    assert read(HEAD + DOUBLE(1.5), fields) == TICK._replace(time_ns=0)
    with_time, without = compile_plan(tick(), FIELDS), compile_plan(tick(), fields)
    assert with_time is not None
    assert without is not None
    assert Slot.TIME in stored_slots(with_time)
    assert Slot.TIME not in stored_slots(without)
