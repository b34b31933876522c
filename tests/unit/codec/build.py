"""Schemas around a tick, and what decoding ends in: for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from barengine.codec.fields import Fields
from barengine.codec.plan import MAX_DEPTH
from barengine.codec.tick import BadTick, DecodedTick
from barengine.model import Reason

Outcome = DecodedTick | Reason


FIELDS = Fields()
MS = {"type": "long", "logicalType": "timestamp-millis"}
DECIMAL_2 = {"logicalType": "decimal", "precision": 9, "scale": 2}
TICK_TYPES: dict[str, Any] = {
    "broker": "string",
    "symbol": "string",
    "timestamp": MS,
    "bid": "double",
}


def outcome(decode: Callable[[], DecodedTick]) -> Outcome:
    """The tick, or the reason why there is none; any other exception escapes."""
    try:
        return decode()
    except BadTick as bad:
        return bad.reason


def reason_of(convert: Callable[[], int]) -> int | Reason:
    """The number, or the reason why there is none."""
    try:
        return convert()
    except BadTick as bad:
        return bad.reason


def record(name: str = "Tick", **types: Any) -> dict[str, Any]:
    """A record schema with these fields."""
    fields = [{"name": field, "type": kind} for field, kind in types.items()]
    return {"type": "record", "name": name, "fields": fields}


def tick(**types: Any) -> dict[str, Any]:
    """The four fields, changed and extended."""
    return record(**(TICK_TYPES | types))


def nested(levels: int, inner: Any) -> Any:
    """``levels`` arrays around a type."""
    for _ in range(levels):
        inner = {"type": "array", "items": inner}
    return inner


def doubled(levels: int, kind: Any) -> Any:
    """Records that each hold the next smaller twice: 2**levels leaves when written out."""
    for level in range(levels):
        kind = record(f"R{level}", a=kind, b=f"R{level - 1}" if level else kind)
    return kind


SLOW = {
    "a type that holds itself": tick(next=["null", "Tick"]),
    "arrays nested too deep": tick(deep=nested(MAX_DEPTH + 1, "int")),
    "maps nested too deep": tick(deep={"type": "map", "values": nested(MAX_DEPTH, "int")}),
    "array of nulls": tick(many={"type": "array", "items": "null"}),
    "array of empty records": tick(many={"type": "array", "items": record("Empty", a="null")}),
    "array of fixed of no size": tick(
        many={"type": "array", "items": {"type": "fixed", "name": "No", "size": 0}}
    ),
    "a plan too long": tick(many=doubled(20, "int")),
    "types nested too deep by name": tick(
        many=[record("R0", a="int"), *(record(f"R{i}", a=f"R{i - 1}") for i in range(1, 120))]
    ),
    "a price that may be a boolean": tick(bid=["boolean", "double"]),
    "a record that may lack the price": tick(
        quote=[record("Quote", bid="double"), record("Trade", size="long")]
    ),
}
"""Schemas that no plan can express."""
