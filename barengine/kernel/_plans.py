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
_KINDS: Final = {
    Slot.BROKER: _NAMES,
    Slot.SYMBOL: _NAMES,
    Slot.TIME: frozenset({Kind.NULL, Kind.TIME}),
    Slot.PRICE: frozenset(Kind) - _NAMES - {Kind.TIME} | {Kind.NULL},
}
"""How a value that fills a slot can be written."""


_STORE_AS: Final = 16
"""A STORE is loaded as this plus its kind. The number is shared with _program.pxd."""


class Program(NamedTuple):
    """A plan that is proven whole, as the interpreter wants it."""

    words: tuple[int, ...]
    reads_time: bool


def prepare(plan: FieldPlan) -> Program:
    """Insist that a plan is whole: known instructions, jumps forward and onto instructions.

    A program that only jumps forward ends: what goes back (NEXT) has used up bytes.

    Raises:
        ValueError: it is not; tells at which word.
    """
    words, starts, targets, reads_time = plan.words, set[int](), list[int](), False
    loaded = list(words)
    pc, op = 0, None
    while pc < len(words):
        op = _instruction(words, pc)
        starts.add(pc)
        operands = words[pc + 1 : pc + _length(words, pc)]
        targets += _checked_targets(op, operands, pc)
        if op is Op.SKIP_FIXED and operands[0] < 0:
            raise ValueError(f"word {pc} of the plan skips {operands[0]} bytes")
        if op is Op.STORE:
            reads_time |= _check_store(plan, operands, pc) is Slot.TIME
            loaded[pc] = _STORE_AS + operands[1]
        pc += _length(words, pc)
    if op is not Op.END:
        raise ValueError("the plan does not end with END")
    if not starts.issuperset(targets):
        raise ValueError("the plan jumps into the middle of an instruction, or out of itself")
    return Program(tuple(loaded), reads_time)


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
    if kind is Kind.NAME_ENUM and not 0 <= a < len(plan.enums):
        raise ValueError(f"word {pc} of the plan names the enum {a} of {len(plan.enums)}")
    if min(a, b) < 0 or (kind is Kind.TIME and a == 0):
        raise ValueError(f"word {pc} of the plan has the operands {a} and {b}")
    return slot
