"""Which Avro types can be which field of a tick, and whether a schema can yield ticks at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from barengine.codec.fields import RECORD_TIME, SETTINGS, Fields, Want
from barengine.codec.plan import Kind, Slot
from barengine.codec.schema import Enum, Fixed, Node, Primitive, Record, Union
from barengine.errors import SchemaError

_TIME_UNITS_NS: Final = {
    f"{zone}timestamp-{unit}": unit_ns
    for zone in ("", "local-")
    for unit, unit_ns in (("millis", 10**6), ("micros", 10**3), ("nanos", 1))
}
_NO_INSTANTS: Final = frozenset({"date", "time-millis", "time-micros"})
_NO_PRICES: Final = _NO_INSTANTS | frozenset(_TIME_UNITS_NS)
_PRICES: Final = {
    "double": Kind.DOUBLE,
    "float": Kind.FLOAT,
    "int": Kind.LONG,
    "long": Kind.LONG,
    "string": Kind.DECIMAL_TEXT,
}

_NUMBER: Final = "a double, float, int, long, decimal, or a string of decimal text"
_USABLE: Final = {
    Slot.BROKER: "a string or an enum",
    Slot.SYMBOL: "a string or an enum",
    Slot.TIME: "a long of timestamp-millis, -micros or -nanos, or a plain long in ms",
    Slot.PRICE: _NUMBER,
    Slot.ASK: _NUMBER,
    Slot.SIZE: _NUMBER,
    Slot.TOUCH: "a string or an enum of price, volume, both or none, or an int of their bits",
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """How to read one field: a plan's STORE without its slot."""

    kind: Kind
    a: int = 0
    b: int = 0
    symbols: tuple[bytes, ...] = ()
    """Of NAME_ENUM and TOUCH_ENUM alone."""


def leaf_of(node: Node, slot: Slot) -> Leaf | None:
    """How a value of this type fills the slot; None where it cannot."""
    match node:
        case Primitive(type="null"):
            return Leaf(Kind.NULL)
        case _ if slot is Slot.TIME:
            return _time_leaf(node)
        case _ if slot in (Slot.PRICE, Slot.ASK, Slot.SIZE):
            return _price_leaf(node)
        case Primitive(type="string"):
            return Leaf(Kind.TOUCH_WORD if slot is Slot.TOUCH else Kind.NAME)
        case Enum():
            kind = Kind.TOUCH_ENUM if slot is Slot.TOUCH else Kind.NAME_ENUM
            return Leaf(kind, symbols=tuple(s.encode("utf-8", "replace") for s in node.symbols))
        case Primitive(type="int" | "long") if slot is Slot.TOUCH:
            return Leaf(Kind.TOUCH_BITS)
        case _:
            return None


def _time_leaf(node: Node) -> Leaf | None:
    match node:
        case Primitive(type="long") if node.logical in _TIME_UNITS_NS:
            return Leaf(Kind.TIME, _TIME_UNITS_NS[node.logical])
        case Primitive(type="long" | "int") if node.logical not in _NO_INSTANTS:
            # No logical type, or one that Avro says to ignore: taken as milliseconds.
            return Leaf(Kind.TIME, 10**6)
        case _:
            return None


def _price_leaf(node: Node) -> Leaf | None:
    match node:
        case Primitive(type="bytes", scale=int(scale)):
            return Leaf(Kind.DECIMAL_BYTES, scale)
        case Fixed(scale=int(scale)):
            return Leaf(Kind.DECIMAL_FIXED, scale, node.size)
        case Primitive() if node.type in _PRICES and node.logical not in _NO_PRICES:
            return Leaf(_PRICES[node.type])
        case _:
            return None


@dataclass(slots=True)
class _Survey:
    """What the schema has where one slot looks for its field."""

    usable: bool = False
    problems: list[str] = field(default_factory=list)
    """Alternatives (branches of unions) that cannot be read."""


def check_fields(root: Node, fields: Fields) -> bool:
    """Insist that every field can be found; True where that holds in each branch of each union.

    Raises:
        SchemaError: a field is in no branch of a usable type; tells what the schema has there
            and which setting to change.
    """
    surveys = {slot: _Survey() for slot in fields.slots()}
    _survey(root, fields.want(), surveys)
    for slot, survey in surveys.items():
        if not survey.usable:
            raise SchemaError(_explain(slot, fields, survey))
    return not any(survey.problems for survey in surveys.values())


def _survey(node: Node, want: Want, surveys: dict[Slot, _Survey]) -> None:
    if isinstance(node, Union):
        for branch in node.branches:
            _survey(branch, want, surveys)
        return
    for slot in want.slots:
        leaf = leaf_of(node, slot)
        if leaf is None:
            surveys[slot].problems.append(f"it is {node.label}")
        elif leaf.kind is not Kind.NULL:
            surveys[slot].usable = True
    for name, child in want.children.items():
        if isinstance(node, Record) and name in node.fields:
            _survey(node.fields[name], child, surveys)
        elif not (isinstance(node, Primitive) and node.type == "null"):
            for slot in child.all_slots():
                surveys[slot].problems.append(_absent(node, name))


def _absent(node: Node, name: str) -> str:
    if not isinstance(node, Record):
        return f"{node.label} has no fields, so no {name!r}"
    return f"{node.label} has no field {name!r}, only {', '.join(node.fields) or 'none at all'}"


def _explain(slot: Slot, fields: Fields, survey: _Survey) -> str:
    what = "; ".join(survey.problems) or "it is always null"
    other = f", or to {RECORD_TIME} for the record timestamp" if slot is Slot.TIME else ""
    return (
        f"no {slot.name.lower()} in the field {fields.name(slot)!r}: {what}. "
        f"Set {SETTINGS[slot]} to a field that is {_USABLE[slot]}{other}."
    )
