"""Ticks from JSON: exact numbers, the same reasons as Avro."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barengine.codec.fields import Fields
from barengine.codec.json_value import MAX_JSON_DEPTH
from barengine.codec.slow import json_decoder
from barengine.codec.tick import DecodedTick
from barengine.model import Reason, Touch
from tests.unit.codec.build import Outcome, outcome
from tests.unit.codec.shapes import INT64, TEXT
from tests.unit.codec.strategies import exact_price, exact_time

FIELDS = Fields()
TICK = DecodedTick(b"B", b"S", 5_000_000, 100_000_000)


def decoded(text: str | bytes, fields: Fields = FIELDS) -> Outcome:
    """What becomes of a JSON value, at price scale 9."""
    value = text if isinstance(text, bytes) else text.encode()
    return outcome(lambda: json_decoder(fields, 9)(value))


def with_field(name: str, raw: str) -> str:
    """The JSON text of a tick, one field replaced by raw JSON."""
    fields = {"broker": '"B"', "symbol": '"S"', "timestamp": "5", "bid": "0.1"} | {name: raw}
    return "{" + ", ".join(f'"{key}": {text}' for key, text in fields.items()) + "}"


@given(
    TEXT,
    TEXT,
    INT64,
    st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-1e6, max_value=1e6),
    st.booleans(),
)
def test_numbers_are_read_as_they_are_written(
    broker: str, symbol: str, time_ms: int, price: Decimal, quoted: bool
) -> None:
    """0.1 stays 0.1, quoted or not: no number passes through a float."""
    document = {"broker": broker, "symbol": symbol, "timestamp": time_ms, "bid": "@"}
    number = f'"{price}"' if quoted else f"{price}"
    text = json.dumps(document, ensure_ascii=False).replace('"bid": "@"', f'"bid": {number}')
    expected_time = exact_time(time_ms, 10**6)
    expected_price = exact_price(price, 9)
    assert isinstance(expected_price, int)
    assert not isinstance(expected_price, Reason)
    if isinstance(expected_time, Reason):
        assert decoded(text) is expected_time
    else:
        assert isinstance(expected_time, int)
        assert decoded(text) == DecodedTick(
            broker.encode(), symbol.encode(), expected_time, expected_price
        )


@pytest.mark.parametrize(
    ("name", "raw", "reason"),
    [
        ("bid", "NaN", Reason.PRICE_NOT_FINITE),
        ("bid", "Infinity", Reason.PRICE_NOT_FINITE),
        ("bid", "-Infinity", Reason.PRICE_NOT_FINITE),
        ("bid", '"nan"', Reason.PRICE_NOT_FINITE),
        ("bid", "1e400", Reason.PRICE_RANGE),
        ("bid", "9" * 6000, Reason.PRICE_RANGE),
        ("bid", "null", Reason.MISSING_FIELD),
        ("bid", "true", Reason.UNDECODABLE),
        ("bid", "[1]", Reason.UNDECODABLE),
        ("bid", '"one"', Reason.UNDECODABLE),
        ("bid", '"\\ud800"', Reason.UNDECODABLE),
        ("timestamp", "9" * 6000, Reason.TIME_RANGE),
        ("timestamp", "-" + "9" * 26, Reason.TIME_RANGE),
        ("timestamp", "5.5", Reason.UNDECODABLE),
        ("timestamp", "NaN", Reason.UNDECODABLE),
        ("timestamp", '"5"', Reason.UNDECODABLE),
        ("timestamp", '"1970-01-01T00:00:00"', Reason.UNDECODABLE),
        ("timestamp", '"9999-01-01T00:00:00Z"', Reason.TIME_RANGE),
        ("timestamp", "null", Reason.MISSING_FIELD),
        ("broker", "null", Reason.MISSING_FIELD),
        ("broker", "7", Reason.UNDECODABLE),
        ("symbol", "NaN", Reason.UNDECODABLE),
        ("symbol", '"\\ud800"', Reason.UNDECODABLE),
        ("symbol", "{}", Reason.UNDECODABLE),
    ],
)
def test_fields_that_are_no_part_of_a_tick(name: str, raw: str, reason: Reason) -> None:
    """Null is missing, another type undecodable, a number without an int64 form out of range."""
    assert decoded(with_field(name, raw)) is reason


def test_an_iso_timestamp_names_its_instant() -> None:
    """A timestamp may be a text with a zone."""
    assert decoded(with_field("timestamp", '"1970-01-01T01:00:00.005+01:00"')) == TICK


def test_an_absent_field_is_missing_and_undecodable_beats_it() -> None:
    """The order of reasons is that of the plans: UNDECODABLE, then the slots in order."""
    assert decoded('{"symbol": "S", "timestamp": 5, "bid": 1e400}') is Reason.MISSING_FIELD
    assert decoded('{"symbol": "S", "timestamp": 5, "bid": true}') is Reason.UNDECODABLE


def test_dotted_fields_lie_in_nested_objects() -> None:
    """``quote.bid`` is bid in quote; without an object there, it is missing."""
    fields = Fields(price="quote.bid")
    assert decoded(with_field("quote", '{"bid": 0.1}'), fields) == TICK
    for raw in ("null", "5", "[]", "{}"):
        assert decoded(with_field("quote", raw), fields) is Reason.MISSING_FIELD


def test_record_time_needs_no_timestamp() -> None:
    """Under ``@record`` the time is 0 and a timestamp field may be anything."""
    fields = Fields(timestamp="@record")
    assert decoded(with_field("timestamp", "true"), fields) == TICK._replace(time_ns=0)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        with_field("bid", "0.1").encode() + b"x",
        with_field("bid", "0.1").encode("utf-16"),
        b"\xef\xbb\xbf" + with_field("bid", "0.1").encode(),
        b'{"broker": "\xff"}',
        b'{"a": "unclosed',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 200 + b'"' + b'\\"' * 500_000,
    ],
)
def test_what_is_no_json_object_is_undecodable(text: bytes) -> None:
    """UTF-8, one object, of bounded depth; everything else is a dead letter."""
    assert decoded(text) is Reason.UNDECODABLE


def test_depth_is_counted_and_brackets_are_not() -> None:
    """Many shallow lists are fine, brackets in strings too; one level too deep is not."""
    pairs = json.dumps([[1, 2]] * 500 + ["[" * 500, '\\"[{' * 500])
    assert decoded(with_field("levels", pairs)) == TICK
    inside = MAX_JSON_DEPTH - 1
    assert decoded(with_field("deep", "[" * inside + "]" * inside)) == TICK
    over = MAX_JSON_DEPTH
    assert decoded(with_field("deep", "[" * over + "]" * over)) is Reason.UNDECODABLE


@given(st.binary(max_size=40) | st.text().map(str.encode))
def test_any_bytes_end_in_a_tick_or_a_reason(value: bytes) -> None:
    """No input raises anything but BadTick."""
    assert isinstance(decoded(value), Reason | DecodedTick)


SIZED = Fields(price="mid(bid,ask)", size="qty", touch="flags")


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ('"bid": 1, "ask": 2', (1_500_000_000, None, Touch.BOTH)),
        ('"bid": 0.0000000014, "ask": "1e-9"', (1, None, Touch.BOTH)),
        ('"bid": 1, "ask": 1, "qty": "2.5"', (10**9, 2_500_000_000, Touch.BOTH)),
        ('"bid": 1, "ask": 1, "qty": 2, "flags": null', (10**9, 2 * 10**9, Touch.BOTH)),
        ('"bid": 1, "ask": 1, "qty": 2, "flags": "Volume"', (10**9, 2 * 10**9, Touch.VOLUME)),
        ('"bid": 1, "ask": 1, "qty": 2, "flags": 1', (10**9, None, Touch.PRICE)),
        ('"bid": 1', Reason.MISSING_FIELD),
        ('"bid": 1, "ask": NaN', Reason.PRICE_NOT_FINITE),
        ('"bid": 1, "ask": 1e30', Reason.PRICE_RANGE),
        ('"bid": 1, "ask": true', Reason.UNDECODABLE),
        ('"bid": 1, "ask": 1, "qty": NaN', Reason.SIZE_NOT_FINITE),
        ('"bid": 1, "ask": 1, "qty": -1', Reason.SIZE_RANGE),
        ('"bid": 1, "ask": 1, "qty": 1e9', Reason.SIZE_RANGE),
        ('"bid": 1, "ask": 1, "qty": "x"', Reason.UNDECODABLE),
        ('"bid": 1, "ask": 1, "flags": 0', Reason.TOUCHES_NOTHING),
        ('"bid": 1, "ask": 1, "flags": 1.0', Reason.FLAGS),
        ('"bid": 1, "ask": 1, "flags": 99999999999999999999999999', Reason.FLAGS),
        ('"bid": 1, "ask": 1, "flags": "bid"', Reason.FLAGS),
        ('"bid": 1, "ask": 1, "qty": -1, "flags": 9', Reason.SIZE_RANGE),
    ],
)
def test_sizes_flags_and_two_sides(
    members: str, expected: tuple[int, int | None, Touch] | Reason
) -> None:
    """Numbers as they are written, words in any case of letters; a mean is rounded once."""
    text = f'{{"broker": "B", "symbol": "S", "timestamp": 5, {members}}}'
    found = outcome(lambda: json_decoder(SIZED, 9)(text.encode()))
    assert (found if isinstance(found, Reason) else found[3:]) == expected
