"""What only the slow path reads, and what it must survive."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barengine.codec.compile import compile_plan
from barengine.codec.fields import TICK_SCHEMA, Fields
from barengine.codec.plan import MAX_DEPTH
from barengine.codec.slow import MAX_VALUE_DEPTH, slow_decoder
from barengine.codec.tick import DecodedTick
from barengine.codec.varint import encode_varint
from barengine.errors import SchemaError
from barengine.model import Reason
from tests.unit.codec.build import FIELDS, SLOW, Outcome, nested, outcome, record, tick

DATUM = {"broker": "LMAX", "symbol": "EURUSD", "timestamp": 5, "bid": 1.25}
TICK = DecodedTick(b"LMAX", b"EURUSD", 5_000_000, 1_250_000_000)


def written(schema: Any, datum: Any) -> bytes:
    """The datum as fastavro writes it."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), datum)
    return out.getvalue()


def decoded(schema: Any, value: bytes, fields: Fields = FIELDS) -> Outcome:
    """What the slow path makes of a value, at price scale 9."""
    return outcome(lambda: slow_decoder(schema, fields, 9)(value))


EXTRAS: dict[str, dict[str, Any]] = {
    "a type that holds itself": {"next": DATUM | {"next": None}},
    "arrays nested too deep": {"deep": [[[[[[[[[1, 2], []]]]]]], []]]},
    "array of nulls": {"many": [None] * 7},
    "array of empty records": {"many": [{"a": None}] * 3},
    "array of fixed of no size": {"many": [b"", b""]},
    "types nested too deep by name": {"many": ("R0", {"a": 3})},
    "a price that may be a boolean": {"bid": ("double", 1.25)},
}


@pytest.mark.parametrize("name", EXTRAS)
def test_schemas_without_a_plan_are_read_too(name: str) -> None:
    """The tick among fields that no plan can skip is found all the same."""
    value = written(SLOW[name], DATUM | EXTRAS[name])
    assert compile_plan(SLOW[name], FIELDS) is None
    assert decoded(SLOW[name], value) == TICK
    assert decoded(SLOW[name], value[:-1]) is Reason.UNDECODABLE
    assert decoded(SLOW[name], value + b"\0") is Reason.UNDECODABLE


@given(st.recursive(st.none(), lambda inner: st.lists(inner, max_size=3), max_leaves=20))
def test_values_of_recursive_types_are_walked(tree: Any) -> None:
    """A type that holds itself in arrays is walked to every leaf."""
    node = record("Node", children={"type": "array", "items": "Node"}, size="long")
    schema = tick(tree=node)

    def grown(branch: Any) -> Any:
        return {"children": [grown(child) for child in branch or []], "size": 1}

    value = written(schema, DATUM | {"tree": grown(tree)})
    assert decoded(schema, value) == TICK
    assert decoded(schema, value[:-1]) is Reason.UNDECODABLE


@pytest.mark.parametrize("size", [MAX_VALUE_DEPTH, 20_000, 1_000_000])
def test_a_bottomless_value_is_undecodable(size: int) -> None:
    """A value that nests deeper than is read is a dead letter: it must not end the process."""
    schema = tick(node=record("Node", node=["null", "Node"]))
    start = written(TICK_SCHEMA, DATUM)
    assert decoded(schema, start + b"\x02" * (size // MAX_VALUE_DEPTH) + b"\0") in (
        TICK,
        Reason.UNDECODABLE,
    )
    assert decoded(schema, start + b"\x02" * size + b"\0") is Reason.UNDECODABLE


def test_any_number_of_nulls_is_there_at_once() -> None:
    """An array that claims 2**62 items of no bytes is walked without counting them."""
    schema = tick(many={"type": "array", "items": "null"})
    value = written(TICK_SCHEMA, DATUM) + encode_varint(2**62) + b"\0"
    assert decoded(schema, value) == TICK


def test_blocks_may_tell_their_size() -> None:
    """A negative block count means as many items, preceded by a size in bytes."""
    schema = tick(deep=nested(MAX_DEPTH + 1, "int"))
    blocks = encode_varint(-1) + encode_varint(99)
    value = written(TICK_SCHEMA, DATUM) + blocks * MAX_DEPTH + b"\0" * (MAX_DEPTH + 1)
    assert decoded(schema, value) == TICK


def test_a_branch_of_the_wrong_type_is_undecodable() -> None:
    """Where a union took a branch that can be no price, the record is a dead letter."""
    schema = tick(bid=["boolean", "double", "null"])
    assert decoded(schema, written(schema, DATUM | {"bid": True})) is Reason.UNDECODABLE
    assert decoded(schema, written(schema, DATUM | {"bid": None})) is Reason.MISSING_FIELD
    assert decoded(schema, written(schema, DATUM)) == TICK


def test_a_record_without_the_field_is_missing_it() -> None:
    """Where a union took a record that lacks the price, the field is missing."""
    schema = tick(quote=[record("Quote", bid="double"), record("Trade", size="long"), "int"])
    fields = Fields(price="quote.bid")
    for quote, expected in [
        (("Quote", {"bid": 1.25}), TICK),
        (("Trade", {"size": 9}), Reason.MISSING_FIELD),
        (("int", 9), Reason.MISSING_FIELD),
    ]:
        assert decoded(schema, written(schema, DATUM | {"quote": quote}), fields) == expected


def test_one_field_may_fill_two_slots() -> None:
    """Broker and symbol may be the same field; a plan cannot read it twice, this can."""
    value = written(TICK_SCHEMA, DATUM)
    assert decoded(TICK_SCHEMA, value, Fields(broker="symbol")) == TICK._replace(broker=b"EURUSD")


def test_a_top_level_union_is_read_by_its_branch() -> None:
    """Several event types in one topic: the ticks among them are read."""
    schema = [record("Heartbeat", at="long"), TICK_SCHEMA]
    assert decoded(schema, b"\x02" + written(TICK_SCHEMA, DATUM)) == TICK
    assert decoded(schema, b"\x00\x02") is Reason.MISSING_FIELD


def test_a_schema_without_ticks_is_refused() -> None:
    """The slow path cannot help where no value would ever be a tick."""
    with pytest.raises(SchemaError, match="BARENGINE_FIELD_PRICE"):
        slow_decoder(tick(bid="boolean"), FIELDS, 9)
