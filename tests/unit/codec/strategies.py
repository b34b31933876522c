"""Random schemas that hold a tick among other fields, and values with the tick they mean.

The meaning is computed here from the drawn datum in decimal arithmetic, by none of the code
under test; the bytes are written by fastavro.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any

import fastavro
from hypothesis import strategies as st

from barengine.codec.fields import RECORD_TIME, Fields
from barengine.codec.plan import Slot
from barengine.codec.tick import DecodedTick
from barengine.model import Reason
from tests.unit.codec.shapes import INT32, INT64, TEXT, Draw, Shape, Types, by_reference, union

Meaning = bytes | int | Reason
FIELD_NAMES = {Slot.BROKER: "broker", Slot.SYMBOL: "symbol", Slot.TIME: "ts", Slot.PRICE: "px"}
UNITS = {"millis": 10**6, "micros": 10**3, "nanos": 1}
MISSING = Reason.MISSING_FIELD
_EXACT = Context(prec=4000, Emax=MAX_EMAX, Emin=MIN_EMIN, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True)
class EncodedTick:
    """A value without a frame, and what decoding it must give: a tick or a reason."""

    value: bytes
    expected: DecodedTick | Reason


@dataclass(frozen=True)
class Case:
    """A writer schema, how it is to be read, and values of it."""

    schema: dict[str, Any]
    fields: Fields
    price_scale: int
    ticks: list[EncodedTick]


@dataclass(frozen=True)
class Marked:
    """Stands in a datum for a tick's field, together with its meaning."""

    slot: Slot
    datum: Any
    meaning: Meaning


def exact_price(number: Decimal, price_scale: int) -> Meaning:
    """The scaled int64 of a decimal number, or why there is none."""
    if not number.is_finite():
        return Reason.PRICE_NOT_FINITE
    with localcontext(_EXACT):
        scaled = int(number.scaleb(price_scale).to_integral_value())
    return scaled if abs(scaled) < 10**18 else Reason.PRICE_RANGE


def exact_time(value: int, unit_ns: int) -> Meaning:
    """The event time in ns, or why there is none."""
    return value * unit_ns if abs(value * unit_ns) <= 2**62 else Reason.TIME_RANGE


@st.composite
def schemas_and_ticks(draw: Draw, min_ticks: int = 1, max_ticks: int = 3) -> Case:
    """Schemas that a plan can express, with the four fields anywhere in them."""
    types, price_scale = Types(draw), draw(st.integers(0, 18))
    record_time = draw(st.sampled_from([False, False, False, True]))
    slots = [slot for slot in Slot if slot is not Slot.TIME or not record_time]
    homes = {slot: draw(st.sampled_from(["", "", "", "q.", "q.in."])) for slot in slots}
    shape = _record(draw, types, homes, "", price_scale)
    paths = {slot: homes[slot] + FIELD_NAMES[slot] for slot in slots}
    fields = Fields(
        paths[Slot.BROKER], paths[Slot.SYMBOL], paths.get(Slot.TIME, RECORD_TIME), paths[Slot.PRICE]
    )
    data = draw(st.lists(shape.data, min_size=min_ticks, max_size=max_ticks))
    schema = by_reference(shape.schema)
    parsed = fastavro.parse_schema(schema)
    ticks = [EncodedTick(_write(parsed, datum), _expected(datum, slots)) for datum in data]
    return Case(schema, fields, price_scale, ticks)


def decimal_texts() -> st.SearchStrategy[str]:
    """Texts that are mostly decimal numbers."""
    mantissa = st.from_regex(r"[+-]?([0-9]{1,25}\.?[0-9]{0,25}|\.[0-9]{1,25})", fullmatch=True)
    exponent = st.from_regex(r"([eE][+-]?[0-9]{1,2})?", fullmatch=True)
    odd = st.sampled_from(
        ["", "nan", "-INF", "Infinity", "1_0", " 1", "1 ", "0x1", "1e", ".", "\u0661"]
    )
    return st.one_of(st.builds(str.__add__, mantissa, exponent), odd)


def text_meaning(text: str, price_scale: int) -> Meaning:
    """What a price text means. Decimal's own grammar is wider than ours."""
    if not text.isascii() or "_" in text or text != text.strip() or "nan1" in text.lower():
        return Reason.UNDECODABLE
    try:
        return exact_price(Decimal(text), price_scale)
    except ArithmeticError:
        return Reason.UNDECODABLE


def _record(draw: Draw, types: Types, homes: dict[Slot, str], home: str, scale: int) -> Shape:
    here = [FIELD_NAMES[slot] for slot in homes if homes[slot] == home]
    inner = {"": "q", "q.": "in"}.get(home)
    holds_inner = inner and any(there.startswith(f"{home}{inner}.") for there in homes.values())
    extras = [f"x{index}" for index in range(draw(st.integers(0, 3)))]
    names = draw(st.permutations([*here, *([inner] if holds_inner else []), *extras]))
    members: dict[str, Shape] = {}
    record_name = types.name("Home")
    for name in names:
        if name == inner:
            inside = _record(draw, types, homes, f"{home}{inner}.", scale)
            members[name] = _maybe_nullable(draw, inside)
        elif name in here:
            slot = next(slot for slot in homes if FIELD_NAMES[slot] == name)
            members[name] = _field(draw, types, slot, scale)
        else:
            members[name] = types.extra()
    fields = [{"name": name, "type": shape.schema} for name, shape in members.items()]
    schema = {"type": "record", "name": record_name, "fields": fields}
    data = st.fixed_dictionaries({name: shape.data for name, shape in members.items()})
    return Shape(schema, data)


def _field(draw: Draw, types: Types, slot: Slot, scale: int) -> Shape:
    alternatives = {Slot.TIME: _times, Slot.PRICE: _prices}.get(slot, _names)(types, scale)
    chosen = draw(st.lists(st.sampled_from(alternatives), min_size=1, max_size=3))
    shapes: dict[str, Shape] = {}
    for make, meaning in chosen:
        shape = make()
        shapes.setdefault(shape.name, Shape(shape.schema, shape.data.map(_mark(slot, meaning))))
    if len(shapes) == 1 and draw(st.booleans()):
        return next(iter(shapes.values()))
    null = Shape("null", st.just(Marked(slot, None, MISSING)))
    branches = [*shapes.values(), *([null] if draw(st.booleans()) else [])]
    return union(draw(st.permutations(branches)))


_Alternative = tuple[Callable[[], Shape], Callable[[Any], Meaning]]


def _names(types: Types, _scale: int) -> list[_Alternative]:
    uuid = {"type": "string", "logicalType": "uuid"}
    return [
        (lambda: Shape("string", TEXT), str.encode),
        (lambda: Shape(uuid, TEXT), str.encode),
        (types.enum, str.encode),
    ]


def _times(_types: Types, _scale: int) -> list[_Alternative]:
    near = st.integers(-(2**43), 2**43) | INT64
    plain: list[_Alternative] = [
        (lambda: Shape("long", near), lambda v: exact_time(v, 10**6)),
        (lambda: Shape("int", INT32), lambda v: exact_time(v, 10**6)),
    ]
    return plain + [
        (_stamp(f"{zone}timestamp-{unit}", near), _in_units(unit_ns))
        for zone in ("", "local-")
        for unit, unit_ns in UNITS.items()
    ]


def _prices(types: Types, scale: int) -> list[_Alternative]:
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 60, "scale": 12}
    fixed = {"logicalType": "decimal", "precision": 9, "scale": 2}

    def number(value: float) -> Meaning:
        return exact_price(Decimal(value), scale)

    def unscaled(digits: int) -> Callable[[bytes], Meaning]:
        return lambda raw: exact_price(
            Decimal(int.from_bytes(raw, "big", signed=True)).scaleb(-digits, _EXACT), scale
        )

    return [
        (lambda: Shape("double", st.floats(-1e6, 1e6) | st.floats()), number),
        (lambda: Shape("float", st.floats(width=32)), number),
        (lambda: Shape("int", INT32), number),
        (lambda: Shape("long", INT64), number),
        (lambda: Shape("string", decimal_texts()), lambda text: text_meaning(text, scale)),
        (lambda: Shape(decimal, st.binary(max_size=20)), unscaled(12)),
        (lambda: types.fixed(5, **fixed), unscaled(2)),
    ]


def _stamp(logical: str, data: st.SearchStrategy[int]) -> Callable[[], Shape]:
    return lambda: Shape({"type": "long", "logicalType": logical}, data)


def _in_units(unit_ns: int) -> Callable[[int], Meaning]:
    return lambda value: exact_time(value, unit_ns)


def _mark(slot: Slot, meaning: Callable[[Any], Meaning]) -> Callable[[Any], Marked]:
    return lambda datum: Marked(slot, datum, meaning(datum))


def _maybe_nullable(draw: Draw, shape: Shape) -> Shape:
    if not draw(st.booleans()):
        return shape
    return union(draw(st.permutations([shape, Shape("null", st.none())])))


def _write(schema: Any, datum: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, _unmarked(datum))
    return out.getvalue()


def _unmarked(datum: Any) -> Any:
    match datum:
        case Marked():
            return datum.datum
        case dict():
            return {key: _unmarked(item) for key, item in datum.items()}
        case (name, item) if isinstance(datum, tuple):
            return name, _unmarked(item)
        case _:
            return datum


def _meanings(datum: Any) -> dict[Slot, Meaning]:
    match datum:
        case Marked():
            return {datum.slot: datum.meaning}
        case dict():
            return {slot: m for item in datum.values() for slot, m in _meanings(item).items()}
        case (_, item) if isinstance(datum, tuple):
            return _meanings(item)
        case _:
            return {}


def _expected(datum: Any, slots: list[Slot]) -> DecodedTick | Reason:
    meanings = _meanings(datum)
    parts = [meanings.get(slot, MISSING) for slot in slots]
    reasons = [part for part in parts if isinstance(part, Reason)]
    if Reason.UNDECODABLE in reasons:
        return Reason.UNDECODABLE
    if reasons:
        return reasons[0]
    values: dict[Slot, Any] = dict(zip(slots, parts, strict=True))
    return DecodedTick(
        values[Slot.BROKER], values[Slot.SYMBOL], values.get(Slot.TIME, 0), values[Slot.PRICE]
    )
