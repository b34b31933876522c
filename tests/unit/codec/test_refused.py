"""Schemas that can never yield ticks: refused, with the way out."""

from __future__ import annotations

from typing import Any

import pytest

from barengine.codec.compile import compile_plan
from barengine.codec.fields import TICK_SCHEMA, Fields
from barengine.codec.parse import MAX_NESTING
from barengine.errors import SchemaError
from tests.unit.codec.build import FIELDS, MS, nested, record, tick

REFUSED: dict[str, tuple[Any, str]] = {
    "no record": ("long", "no fields"),
    "boolean price": (tick(bid="boolean"), "boolean"),
    "bytes without decimal": (tick(bid="bytes"), "bytes"),
    "decimal of bad scale": (
        tick(bid={"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 3}),
        "invalid decimal",
    ),
    "time as price": (tick(bid=MS), "timestamp-millis"),
    "string timestamp": (tick(timestamp="string"), "string"),
    "time of day": (tick(timestamp={"type": "long", "logicalType": "time-micros"}), "time-micros"),
    "date": (tick(timestamp={"type": "int", "logicalType": "date"}), "date"),
    "number as name": (tick(broker="long"), "long"),
    "bytes as name": (tick(symbol="bytes"), "bytes"),
    "always null": (tick(symbol="null"), "null"),
    "record as price": (tick(bid=record("Bid", bid="double")), "record Bid"),
    "no usable branch": (tick(bid=["null", "boolean"]), "boolean"),
    "array of ticks": ({"type": "array", "items": TICK_SCHEMA}, "array"),
}
SETTING = {
    "boolean price": "BARENGINE_FIELD_PRICE",
    "string timestamp": "BARENGINE_FIELD_TIMESTAMP",
    "number as name": "BARENGINE_FIELD_BROKER",
    "bytes as name": "BARENGINE_FIELD_SYMBOL",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_schema_that_yields_no_ticks_is_refused(name: str) -> None:
    """The error says what the schema has in that place, and which setting to change."""
    schema, found = REFUSED[name]
    with pytest.raises(SchemaError) as error:
        compile_plan(schema, FIELDS)
    assert found in str(error.value)
    assert SETTING.get(name, "BARENGINE_FIELD_") in str(error.value)


def test_a_missing_field_is_refused_with_what_there_is() -> None:
    """The error names the field that was looked for, the record, and the fields it has."""
    with pytest.raises(SchemaError) as error:
        compile_plan(TICK_SCHEMA, Fields(price="last"))
    for part in (
        "'last'",
        "market.Tick",
        "broker, symbol, timestamp, bid",
        "BARENGINE_FIELD_PRICE",
    ):
        assert part in str(error.value)


def test_a_string_timestamp_may_be_left_to_the_record() -> None:
    """The error of an unusable timestamp names the way out that needs no other field."""
    with pytest.raises(SchemaError, match="@record"):
        compile_plan(tick(timestamp="string"), FIELDS)
    assert compile_plan(tick(timestamp="string"), Fields(timestamp="@record")) is not None


BROKEN: dict[str, Any] = {
    "unknown type": tick(x="Unknown"),
    "no name": {"type": "record", "fields": []},
    "no fields": {"type": "record", "name": "R"},
    "a number": tick(x=7),
    "field without type": {"type": "record", "name": "R", "fields": [{"name": "a"}]},
    "field twice": {"type": "record", "name": "R", "fields": tick()["fields"] * 2},
    "name twice": tick(x=record("A", a="int"), y=record("A", a="int")),
    "union in union": tick(x=["null", ["int", "string"]]),
    "enum without symbols": tick(x={"type": "enum", "name": "E"}),
    "fixed of negative size": tick(x={"type": "fixed", "name": "F", "size": -1}),
    "fixed of boolean size": tick(x={"type": "fixed", "name": "F", "size": True}),
    "array without items": tick(x={"type": "array"}),
    "nested too deep": tick(x=nested(MAX_NESTING, "int")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_schema_is_refused(name: str) -> None:
    """JSON that is no Avro schema gives a SchemaError, whatever is wrong with it."""
    with pytest.raises(SchemaError):
        compile_plan(BROKEN[name], FIELDS)
