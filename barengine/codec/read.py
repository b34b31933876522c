"""The interpreter of field plans in pure Python: the specification of the compiled one."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Final

from barengine.codec import convert
from barengine.codec.cursor import Cursor
from barengine.codec.leaf import Leaf
from barengine.codec.plan import FieldPlan, Kind, Op, Slot
from barengine.codec.tick import BadTick, DecodedTick, Found, assemble, attempt, undecodable
from barengine.model import SIZE_SCALE, Reason

_STORE_WORDS: Final = 5
"""STORE slot kind a b: unused operands are 0, so that the instruction has one length."""


def run_plan(plan: FieldPlan, value: bytes, start: int, price_scale: int) -> DecodedTick:
    """Decode the Avro bytes ``value[start:]``; ``start`` is where the frame ends.

    ``time_ns`` is 0 where the plan reads no time (``@record``).

    Raises:
        BadTick: UNDECODABLE if anything in the value contradicts the plan, a name is not UTF-8
            or a price or size text no number. Else, by slots in their order, the first of:
            MISSING_FIELD, TIME_RANGE, PRICE_NOT_FINITE, PRICE_RANGE, SIZE_NOT_FINITE, SIZE_RANGE,
            FLAGS, TOUCHES_NOTHING.
    """
    run = _Run(plan, Cursor(value, start), price_scale)
    pc = 0
    while plan.words[pc] != Op.END:
        pc = _STEPS[Op(plan.words[pc])](run, pc)
    run.cursor.finish()
    return assemble(run.found, stored_slots(plan), price_scale)


@lru_cache(maxsize=256)
def stored_slots(plan: FieldPlan) -> frozenset[Slot]:
    """The slots that the plan holds a STORE of."""
    words, pc, slots = plan.words, 0, set[Slot]()
    while words[pc] != Op.END:
        if words[pc] == Op.STORE:
            slots.add(Slot(words[pc + 1]))
        pc += 2 + words[pc + 1] if words[pc] == Op.UNION else _LENGTHS[Op(words[pc])]
    return frozenset(slots)


def read_field(cursor: Cursor, leaf: Leaf, slot: Slot, price_scale: int, *, mid: bool) -> Found:
    """Read one field and convert it; None for null, a BadTick for what cannot be converted.

    With ``mid`` the price and the other side are exact fractions, and prices at that.

    Raises:
        BadTick: UNDECODABLE.
    """
    if slot is Slot.SIZE:
        return attempt(lambda: _size(cursor, leaf))
    if mid and slot in (Slot.PRICE, Slot.ASK):
        return attempt(lambda: read_side(cursor, leaf, price_scale))
    return attempt(lambda: _READERS[leaf.kind](cursor, leaf, price_scale))


def read_side(cursor: Cursor, leaf: Leaf, price_scale: int) -> Fraction | None:
    """The exact number of a price field.

    Raises:
        BadTick: as where it is the price itself.
    """
    start = cursor.pos
    if _READERS[leaf.kind](cursor, leaf, price_scale) is None:
        return None
    cursor.pos = start
    return _EXACT[leaf.kind](cursor, leaf)


def exact(content: bytes, kind: int, a: int, b: int) -> Fraction:
    """The same of a field that is known to be a price: its bytes, its kind and operands."""
    return _EXACT[Kind(kind)](Cursor(content), Leaf(Kind(kind), a, b))


class _Run:
    """One value on its way through a plan. Each step takes its place, returns the next one."""

    __slots__ = ("cursor", "found", "loops", "mid", "plan", "price_scale", "words")

    def __init__(self, plan: FieldPlan, cursor: Cursor, price_scale: int) -> None:
        self.plan = plan
        self.words = plan.words
        self.cursor = cursor
        self.price_scale = price_scale
        self.mid = Slot.ASK in stored_slots(plan)
        self.found: dict[Slot, Found] = {}
        self.loops: list[tuple[int, int]] = []
        """Of each BLOCKS around the place: where it stands, and items left in its block."""

    def skip_varint(self, pc: int) -> int:
        self.cursor.varint()
        return pc + 1

    def skip_bytes(self, pc: int) -> int:
        self.cursor.sized()
        return pc + 1

    def skip_fixed(self, pc: int) -> int:
        self.cursor.take(self.words[pc + 1])
        return pc + 2

    def union(self, pc: int) -> int:
        return self.words[pc + 2 + self.cursor.index(self.words[pc + 1])]

    def jump(self, pc: int) -> int:
        return self.words[pc + 1]

    def blocks(self, pc: int) -> int:
        count = self.cursor.block()
        if count == 0:
            return self.words[pc + 1]
        self.loops.append((pc, count))
        return pc + 2

    def next(self, pc: int) -> int:
        begin, left = self.loops.pop()
        if left == 1:
            return self.blocks(begin)
        self.loops.append((begin, left - 1))
        return begin + 2

    def store(self, pc: int) -> int:
        slot, kind, a, b = self.words[pc + 1 : pc + _STORE_WORDS]
        symbols = self.plan.enums[a] if kind in (Kind.NAME_ENUM, Kind.TOUCH_ENUM) else ()
        leaf = Leaf(Kind(kind), a, b, symbols)
        found = read_field(self.cursor, leaf, Slot(slot), self.price_scale, mid=self.mid)
        self.found[Slot(slot)] = found
        return pc + _STORE_WORDS


_STEPS: Final[dict[Op, Callable[[_Run, int], int]]] = {
    Op.SKIP_VARINT: _Run.skip_varint,
    Op.SKIP_BYTES: _Run.skip_bytes,
    Op.SKIP_FIXED: _Run.skip_fixed,
    Op.UNION: _Run.union,
    Op.JUMP: _Run.jump,
    Op.BLOCKS: _Run.blocks,
    Op.NEXT: _Run.next,
    Op.STORE: _Run.store,
}
_LENGTHS: Final = {
    Op.SKIP_VARINT: 1,
    Op.SKIP_BYTES: 1,
    Op.SKIP_FIXED: 2,
    Op.JUMP: 2,
    Op.BLOCKS: 2,
    Op.NEXT: 1,
    Op.STORE: _STORE_WORDS,
}
"""Words of each instruction; UNION has 2 and its targets."""


def _name(cursor: Cursor, _leaf: Leaf, _scale: int) -> bytes:
    name = cursor.sized()
    try:
        name.decode()
    except UnicodeDecodeError:
        raise undecodable() from None
    return name


def _name_enum(cursor: Cursor, leaf: Leaf, _scale: int) -> bytes:
    return leaf.symbols[cursor.index(len(leaf.symbols))]


def _time(cursor: Cursor, leaf: Leaf, _scale: int) -> int:
    return convert.time_from_units(cursor.varint(), leaf.a)


def _long(cursor: Cursor, _leaf: Leaf, scale: int) -> int:
    return convert.price_from_int(cursor.varint(), scale)


def _float(cursor: Cursor, _leaf: Leaf, scale: int) -> int:
    return convert.price_from_float(struct.unpack("<f", cursor.take(4))[0], scale)


def _double(cursor: Cursor, _leaf: Leaf, scale: int) -> int:
    return convert.price_from_float(struct.unpack("<d", cursor.take(8))[0], scale)


def _decimal_bytes(cursor: Cursor, leaf: Leaf, scale: int) -> int:
    unscaled = int.from_bytes(cursor.sized(), "big", signed=True)
    return convert.price_from_decimal(unscaled, leaf.a, scale)


def _decimal_fixed(cursor: Cursor, leaf: Leaf, scale: int) -> int:
    unscaled = int.from_bytes(cursor.take(leaf.b), "big", signed=True)
    return convert.price_from_decimal(unscaled, leaf.a, scale)


def _decimal_text(cursor: Cursor, _leaf: Leaf, scale: int) -> int:
    return convert.price_from_text(cursor.sized(), scale)


def _size(cursor: Cursor, leaf: Leaf) -> int | None:
    try:
        size = _READERS[leaf.kind](cursor, leaf, SIZE_SCALE)
    except BadTick as bad:
        raise BadTick(SIZE_REASONS.get(bad.reason, bad.reason)) from None
    return convert.size_in_range(size) if isinstance(size, int) else None


SIZE_REASONS: Final = {
    Reason.PRICE_NOT_FINITE: Reason.SIZE_NOT_FINITE,
    Reason.PRICE_RANGE: Reason.SIZE_RANGE,
}
"""A size is read as a price is, and refused in its own name."""


def _touch_word(cursor: Cursor, _leaf: Leaf, _scale: int) -> int:
    return convert.touch_from_word(cursor.sized())


def _touch_enum(cursor: Cursor, leaf: Leaf, _scale: int) -> int:
    return convert.touch_from_word(leaf.symbols[cursor.index(len(leaf.symbols))])


def _touch_bits(cursor: Cursor, _leaf: Leaf, _scale: int) -> int:
    return convert.touch_from_bits(cursor.varint())


_READERS: Final[dict[Kind, Callable[[Cursor, Leaf, int], Found]]] = {
    Kind.NULL: lambda _cursor, _leaf, _scale: None,
    Kind.NAME: _name,
    Kind.NAME_ENUM: _name_enum,
    Kind.TIME: _time,
    Kind.LONG: _long,
    Kind.FLOAT: _float,
    Kind.DOUBLE: _double,
    Kind.DECIMAL_BYTES: _decimal_bytes,
    Kind.DECIMAL_FIXED: _decimal_fixed,
    Kind.DECIMAL_TEXT: _decimal_text,
    Kind.TOUCH_WORD: _touch_word,
    Kind.TOUCH_ENUM: _touch_enum,
    Kind.TOUCH_BITS: _touch_bits,
}

_EXACT: Final[dict[Kind, Callable[[Cursor, Leaf], Fraction]]] = {
    Kind.LONG: lambda cursor, _: Fraction(cursor.varint()),
    Kind.FLOAT: lambda cursor, _: Fraction(struct.unpack("<f", cursor.take(4))[0]),
    Kind.DOUBLE: lambda cursor, _: Fraction(struct.unpack("<d", cursor.take(8))[0]),
    Kind.DECIMAL_BYTES: lambda cursor, leaf: _decimal(cursor.sized(), leaf),
    Kind.DECIMAL_FIXED: lambda cursor, leaf: _decimal(cursor.take(leaf.b), leaf),
    Kind.DECIMAL_TEXT: lambda cursor, _: convert.exact_from_text(cursor.sized()),
}


def _decimal(content: bytes, leaf: Leaf) -> Fraction:
    return Fraction(int.from_bytes(content, "big", signed=True), 10**leaf.a)
