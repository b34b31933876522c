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
from barengine.model import Reason, Touch
from tests.unit.codec.shapes import INT32, INT64, TEXT, Draw, Shape, Types, by_reference, union

Meaning = bytes | int | Decimal | Reason | None
FIELD_NAMES = {
    Slot.BROKER: "broker",
    Slot.SYMBOL: "symbol",
    Slot.TIME: "ts",
    Slot.PRICE: "px",
    Slot.ASK: "ask",
    Slot.SIZE: "qty",
    Slot.TOUCH: "flags",
}
OPTIONAL = (Slot.SIZE, Slot.TOUCH)
TOUCHES = {"price": Touch.PRICE, "volume": Touch.VOLUME, "both": Touch.BOTH}
UNITS = {"millis": 10**6, "micros": 10**3, "nanos": 1}
MISSING = Reason.MISSING_FIELD
_EXACT = Context(prec=4000, Emax=MAX_EMAX, Emin=MIN_EMIN, rounding=ROUND_HALF_EVEN)


_LAST = Decimal(10) ** -100


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


def exact_size(number: Decimal) -> Meaning:
    """The scaled size of a decimal number, or why there is none."""
    match exact_price(number, 9):
        case Reason.PRICE_NOT_FINITE:
            return Reason.SIZE_NOT_FINITE
        case Reason():
            return Reason.SIZE_RANGE
        case size:
            return size if isinstance(size, int) and size >= 0 else Reason.SIZE_RANGE


def exact_side(number: Decimal, price_scale: int) -> Meaning:
    """The very number where it is a price; no text has more than 100 decimals that count."""
    price = exact_price(number, price_scale)
    return price if isinstance(price, Reason) else number


def exact_mid(bid: Decimal, ask: Decimal, price_scale: int) -> int:
    """The mean of two prices as a scaled int64."""
    with localcontext(_EXACT):
        return int(((bid + ask) / 2).scaleb(price_scale).to_integral_value())


def exact_time(value: int, unit_ns: int) -> Meaning:
    """The event time in ns, or why there is none."""
    return value * unit_ns if abs(value * unit_ns) <= 2**62 else Reason.TIME_RANGE


@st.composite
def schemas_and_ticks(draw: Draw, min_ticks: int = 1, max_ticks: int = 3) -> Case:
    """Schemas that a plan can express, with the four fields anywhere in them."""
    types, price_scale = Types(draw), draw(st.integers(0, 18))
    record_time = draw(st.sampled_from([False, False, False, True]))
    left_out = {Slot.TIME} if record_time else set[Slot]()
    left_out |= {slot for slot in (Slot.ASK, *OPTIONAL) if draw(st.booleans())}
    slots = [slot for slot in Slot if slot not in left_out]
    homes = {slot: draw(st.sampled_from(["", "", "", "q.", "q.in."])) for slot in slots}
    shape = _record(draw, types, homes, "", price_scale)
    paths = {slot: homes[slot] + FIELD_NAMES[slot] for slot in slots}
    price = paths[Slot.PRICE]
    fields = Fields(
        paths[Slot.BROKER],
        paths[Slot.SYMBOL],
        paths.get(Slot.TIME, RECORD_TIME),
        f"mid({price},{paths[Slot.ASK]})" if Slot.ASK in slots else price,
        paths.get(Slot.SIZE),
        paths.get(Slot.TOUCH),
    )
    data = draw(st.lists(shape.data, min_size=min_ticks, max_size=max_ticks))
    schema = by_reference(shape.schema)
    parsed = fastavro.parse_schema(schema)
    ticks = [
        EncodedTick(_write(parsed, datum), _expected(datum, slots, price_scale)) for datum in data
    ]
    return Case(schema, fields, price_scale, ticks)


def decimal_texts() -> st.SearchStrategy[str]:
    """Texts that are mostly decimal numbers."""
    mantissa = st.from_regex(r"[+-]?([0-9]{1,25}\.?[0-9]{0,25}|\.[0-9]{1,25})", fullmatch=True)
    exponent = st.from_regex(r"([eE][+-]?[0-9]{1,2})?", fullmatch=True)
    odd = st.sampled_from(
        ["", "nan", "-INF", "Infinity", "1_0", " 1", "1 ", "0x1", "1e", ".", "\u0661"]
    )
    return st.one_of(st.builds(str.__add__, mantissa, exponent), odd)


def text_meaning(text: str, meaning: Callable[[Decimal], Meaning]) -> Meaning:
    """What a number's text means. Decimal's own grammar is wider than ours."""
    if not text.isascii() or "_" in text or text != text.strip() or "nan1" in text.lower():
        return Reason.UNDECODABLE
    try:
        found = meaning(Decimal(text))
    except ArithmeticError:
        return Reason.UNDECODABLE
    return found.quantize(_LAST, context=_EXACT) if isinstance(found, Decimal) else found


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
            alternatives = _alternatives(types, homes, slot, scale)
            members[name] = _field(draw, slot, alternatives)
        else:
            members[name] = types.extra()
    fields = [{"name": name, "type": shape.schema} for name, shape in members.items()]
    schema = {"type": "record", "name": record_name, "fields": fields}
    data = st.fixed_dictionaries({name: shape.data for name, shape in members.items()})
    return Shape(schema, data)


def _alternatives(
    types: Types, homes: dict[Slot, str], slot: Slot, scale: int
) -> list[_Alternative]:
    if slot is Slot.TIME:
        return _times()
    if slot is Slot.SIZE:
        return _numbers(types, exact_size)
    if slot is Slot.TOUCH:
        return _touches(types)
    if slot not in (Slot.PRICE, Slot.ASK):
        return _names(types)
    exact = exact_side if Slot.ASK in homes else exact_price
    return _numbers(types, lambda number: exact(number, scale))


def _field(draw: Draw, slot: Slot, alternatives: list[_Alternative]) -> Shape:
    chosen = draw(st.lists(st.sampled_from(alternatives), min_size=1, max_size=3))
    shapes: dict[str, Shape] = {}
    for make, meaning in chosen:
        shape = make()
        shapes.setdefault(shape.name, Shape(shape.schema, shape.data.map(_mark(slot, meaning))))
    if len(shapes) == 1 and draw(st.booleans()):
        return next(iter(shapes.values()))
    absent = None if slot in OPTIONAL else MISSING
    null = Shape("null", st.just(Marked(slot, None, absent)))
    branches = [*shapes.values(), *([null] if draw(st.booleans()) else [])]
    return union(draw(st.permutations(branches)))


_Alternative = tuple[Callable[[], Shape], Callable[[Any], Meaning]]


def _names(types: Types) -> list[_Alternative]:
    uuid = {"type": "string", "logicalType": "uuid"}
    return [
        (lambda: Shape("string", TEXT), str.encode),
        (lambda: Shape(uuid, TEXT), str.encode),
        (types.enum, str.encode),
    ]


def _times() -> list[_Alternative]:
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


def _numbers(types: Types, meaning: Callable[[Decimal], Meaning]) -> list[_Alternative]:
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 60, "scale": 12}
    fixed = {"logicalType": "decimal", "precision": 9, "scale": 2}

    def number(value: float) -> Meaning:
        return meaning(Decimal(value))

    def unscaled(digits: int) -> Callable[[bytes], Meaning]:
        return lambda raw: meaning(
            Decimal(int.from_bytes(raw, "big", signed=True)).scaleb(-digits, _EXACT)
        )

    return [
        (lambda: Shape("double", st.floats(-1e6, 1e6) | st.floats()), number),
        (lambda: Shape("float", st.floats(width=32)), number),
        (lambda: Shape("int", INT32), number),
        (lambda: Shape("long", INT64), number),
        (lambda: Shape("string", decimal_texts()), lambda text: text_meaning(text, meaning)),
        (lambda: Shape(decimal, st.binary(max_size=20)), unscaled(12)),
        (lambda: types.fixed(5, **fixed), unscaled(2)),
    ]


def _touches(types: Types) -> list[_Alternative]:
    words = st.sampled_from([*TOUCHES, "none", "PRICE", "Both", "bot", "bothh"]) | TEXT

    def word(text: str) -> Meaning:
        if text.isascii() and text.lower() == "none":
            return Reason.TOUCHES_NOTHING
        return TOUCHES.get(text.lower() if text.isascii() else "", Reason.FLAGS)

    def bits(number: int) -> Meaning:
        if not 0 <= number <= 3:
            return Reason.FLAGS
        return Touch(number) if number else Reason.TOUCHES_NOTHING

    few = st.integers(-1, 4)
    return [
        (lambda: Shape("string", words), word),
        (lambda: types.enum(("PRICE", "VOLUME", "Both", "none", "other")), word),
        (lambda: Shape("int", few | INT32), bits),
        (lambda: Shape("long", few | INT64), bits),
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


def _expected(datum: Any, slots: list[Slot], price_scale: int) -> DecodedTick | Reason:
    meanings = _meanings(datum)
    parts = [meanings.get(slot, None if slot in OPTIONAL else MISSING) for slot in slots]
    reasons = [part for part in parts if isinstance(part, Reason)]
    if Reason.UNDECODABLE in reasons:
        return Reason.UNDECODABLE
    if reasons:
        return reasons[0]
    values: dict[Slot, Any] = dict(zip(slots, parts, strict=True))
    price = values[Slot.PRICE]
    if Slot.ASK in values:
        price = exact_mid(price, values[Slot.ASK], price_scale)
    touch = values.get(Slot.TOUCH) or Touch.BOTH
    size = values.get(Slot.SIZE) if Touch.VOLUME in touch else None
    broker, symbol = values[Slot.BROKER], values[Slot.SYMBOL]
    return DecodedTick(broker, symbol, values.get(Slot.TIME, 0), price, size, touch)
