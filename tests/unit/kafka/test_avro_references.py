"""Putting referenced types into a schema."""

from __future__ import annotations

import io
from typing import Any

import fastavro

from barengine.kafka.avro_references import inline

MONEY = {
    "type": "record",
    "name": "Money",
    "namespace": "shop",
    "fields": [{"name": "amount", "type": "long"}, {"name": "currency", "type": "Currency"}],
}
CURRENCY = {"type": "enum", "name": "shop.Currency", "symbols": ["EUR", "USD"]}


def order(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "Order", "namespace": "shop", "fields": list(fields)}


def round_trip(schema: Any, value: Any) -> Any:
    """Write and read with another implementation, which must understand the schema alone."""
    parsed = fastavro.parse_schema(schema)
    file = io.BytesIO()
    fastavro.schemaless_writer(file, parsed, value)
    file.seek(0)
    return fastavro.schemaless_reader(file, parsed, None)


def test_a_type_is_defined_where_it_is_met_first_and_named_after_that() -> None:
    """Two uses of one referenced type make one definition, and the schema stands alone."""
    named = {"shop.Money": MONEY, "shop.Currency": CURRENCY}
    schema = inline(
        order(
            {"name": "price", "type": "Money"},
            {"name": "fee", "type": ["null", "shop.Money"]},
            {"name": "shown_in", "type": {"type": "array", "items": "Currency"}},
        ),
        named,
    )
    value = {
        "price": {"amount": 5, "currency": "USD"},
        "fee": {"amount": 1, "currency": "EUR"},
        "shown_in": ["EUR", "USD"],
    }
    assert round_trip(schema, value) == value
    assert schema["fields"][0]["type"]["name"] == "Money"
    assert schema["fields"][1]["type"] == ["null", "shop.Money"]


def test_a_reference_at_the_top() -> None:
    """A union of references is a schema too."""
    schema = inline(["null", "shop.Currency"], {"shop.Currency": CURRENCY})
    assert round_trip(schema, "USD") == "USD"
    assert round_trip(schema, None) is None


def test_a_type_without_namespace_keeps_none() -> None:
    """Put inside of a namespace, it must not slide into it."""
    bare = {"type": "fixed", "name": "Bare", "size": 2}
    schema = inline(order({"name": "a", "type": "Bare"}), {"Bare": bare})
    assert schema["fields"][0]["type"] == {**bare, "namespace": ""}
    assert round_trip(schema, {"a": b"xy"}) == {"a": b"xy"}


def test_a_type_that_contains_itself() -> None:
    """A definition is under way while its own name is met: the name stays."""
    node = {
        "type": "record",
        "name": "shop.Node",
        "fields": [{"name": "next", "type": ["null", "Node"]}],
    }
    schema = inline(order({"name": "first", "type": "Node"}), {"shop.Node": node})
    value = {"first": {"next": {"next": None}}}
    assert round_trip(schema, value) == value


def test_everything_else_stays() -> None:
    """Logical types, defaults, docs and unknown names are left as they are."""
    schema = order(
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 0},
        {"name": "tags", "type": {"type": "map", "values": "string"}, "doc": "free"},
    )
    assert inline(schema, {"shop.Money": MONEY}) == schema
