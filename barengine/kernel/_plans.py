"""Prepares a field plan for the compiled interpreter, which trusts it.

The interpreter checks every byte of a value, and no word of a plan: a wrong jump would read
memory that is not its own. So plans are proven once, when they are added.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from barengine.codec.plan import FieldPlan, Kind, Op, Slot

_LENGTHS: Final = {
    Op.END: 1,
    Op.SKIP_VARINT: 1,
    Op.SKIP_BYTES: 1,
    Op.SKIP_FIXED: 2,
    Op.UNION: 2,
    Op.JUMP: 2,
    Op.BLOCKS: 2,
    Op.NEXT: 1,
    Op.STORE: 5,
}
"""Words of an instruction; UNION has its targets behind them."""

_NAMES: Final = frozenset({Kind.NULL, Kind.NAME, Kind.NAME_ENUM})
_TOUCHES: Final = frozenset({Kind.NULL, Kind.TOUCH_WORD, Kind.TOUCH_ENUM, Kind.TOUCH_BITS})
_NUMBERS: Final = frozenset(Kind) - _NAMES - _TOUCHES - {Kind.TIME} | {Kind.NULL}
_KINDS: Final = {
    Slot.BROKER: _NAMES,
    Slot.SYMBOL: _NAMES,
    Slot.TIME: frozenset({Kind.NULL, Kind.TIME}),
    Slot.PRICE: _NUMBERS,
    Slot.ASK: _NUMBERS,
    Slot.SIZE: _NUMBERS,
    Slot.TOUCH: _TOUCHES,
}
"""How a value that fills a slot can be written."""

_ENUMS: Final = (Kind.NAME_ENUM, Kind.TOUCH_ENUM)

_STORE_AS: Final = 16
_STORE_ELSE: Final = 32
"""A STORE is loaded as one of these plus its kind: the first for the broker, the symbol, the time
and a price of one field. The numbers are shared with _program.pxd."""


class Program(NamedTuple):
    """A plan that is proven whole, as the interpreter wants it."""

    words: tuple[int, ...]
    slots: frozenset[Slot]
    """That it stores."""


def prepare(plan: FieldPlan) -> Program:
    """Insist that a plan is whole: known instructions, jumps forward and onto instructions.

    A program that only jumps forward ends: what goes back (NEXT) has used up bytes.

    Raises:
        ValueError: it is not; tells at which word.
    """
    words, starts, targets = plan.words, set[int](), list[int]()
    stores: dict[int, Slot] = {}
    pc, op = 0, None
    while pc < len(words):
        op = _instruction(words, pc)
        starts.add(pc)
        operands = words[pc + 1 : pc + _length(words, pc)]
        targets += _checked_targets(op, operands, pc)
        if op is Op.SKIP_FIXED and operands[0] < 0:
            raise ValueError(f"word {pc} of the plan skips {operands[0]} bytes")
        if op is Op.STORE:
            stores[pc] = _check_store(plan, operands, pc)
        pc += _length(words, pc)
    if op is not Op.END:
        raise ValueError("the plan does not end with END")
    if not starts.issuperset(targets):
        raise ValueError("the plan jumps into the middle of an instruction, or out of itself")
    return Program(_loaded(words, stores), frozenset(stores.values()))


def _loaded(words: tuple[int, ...], stores: dict[int, Slot]) -> tuple[int, ...]:
    loaded, slots = list(words), set(stores.values())
    plain = {Slot.BROKER, Slot.SYMBOL, Slot.TIME} | (set() if Slot.ASK in slots else {Slot.PRICE})
    for pc, slot in stores.items():
        loaded[pc] = (_STORE_AS if slot in plain else _STORE_ELSE) + words[pc + 2]
    return tuple(loaded)


def _instruction(words: tuple[int, ...], pc: int) -> Op:
    try:
        op = Op(words[pc])
    except ValueError:
        raise ValueError(f"word {pc} of the plan is no instruction: {words[pc]}") from None
    if pc + _LENGTHS[op] > len(words) or pc + _length(words, pc) > len(words):
        raise ValueError(f"the plan breaks off in the instruction at word {pc}")
    return op


def _length(words: tuple[int, ...], pc: int) -> int:
    branches = max(0, words[pc + 1]) if words[pc] == Op.UNION else 0
    return _LENGTHS[Op(words[pc])] + branches


def _checked_targets(op: Op, operands: tuple[int, ...], pc: int) -> tuple[int, ...]:
    if op is Op.UNION:
        targets = operands[1:]
    elif op in (Op.JUMP, Op.BLOCKS):
        targets = operands
    else:
        return ()
    if any(target <= pc for target in targets):
        raise ValueError(f"word {pc} of the plan jumps backwards")
    return targets


def _check_store(plan: FieldPlan, operands: tuple[int, ...], pc: int) -> Slot:
    number, code, a, b = operands
    try:
        slot, kind = Slot(number), Kind(code)
    except ValueError:
        raise ValueError(f"word {pc} of the plan stores {code} into {number}") from None
    if kind not in _KINDS[slot]:
        raise ValueError(f"word {pc} of the plan stores {kind.name} into {slot.name}")
    if kind in _ENUMS and not 0 <= a < len(plan.enums):
        raise ValueError(f"word {pc} of the plan names the enum {a} of {len(plan.enums)}")
    if min(a, b) < 0 or (kind is Kind.TIME and a == 0):
        raise ValueError(f"word {pc} of the plan has the operands {a} and {b}")
    return slot
