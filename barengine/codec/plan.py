"""Field plans: how to walk the Avro bytes of one writer schema and pick out a tick's fields.

A plan is a flat program of int32 words, run by the kernel over one value. It visits every byte
(so that a truncated or overlong value is noticed: the value must end exactly where the program
ends) but keeps a tick's fields only. Avro 1.12 binary encoding:
https://avro.apache.org/docs/1.12.0/specification/#binary-encoding

    END                       the value must be used up here
    SKIP_VARINT               one zigzag varint of at most 10 bytes (int, long, enum)
    SKIP_BYTES                length varint, then that many bytes (bytes, string)
    SKIP_FIXED n              n bytes (fixed, float, double, boolean)
    UNION n t0 .. tn-1        branch varint, continue at word t[branch]
    JUMP t                    continue at word t
    BLOCKS end                array or map: while the block count is not 0, run the body that
                              follows once per item; then continue at word end. A negative
                              count -c means c items, preceded by a byte size that is ignored
    NEXT                      end of the body of the innermost BLOCKS
    STORE slot kind a b       read one field into a slot; a and b as the kind needs them

A negative length, a branch or enum index out of range, a varint over 10 bytes or running past
the end makes the record UNDECODABLE. Kinds:

    NULL                      nothing to read: the slot stays empty (MISSING_FIELD)
    NAME                      string -> broker, symbol (valid UTF-8, else UNDECODABLE)
    NAME_ENUM t               index varint -> name from enums[t]
    TIME f                    varint times f is ns (f = 10^6 ms, 10^3 us, 1 ns)
    LONG                      int or long: a whole price
    FLOAT, DOUBLE             IEEE little-endian
    DECIMAL_BYTES s           length varint, big-endian two's complement of scale s
    DECIMAL_FIXED s n         the same in n bytes
    DECIMAL_TEXT              string holding a decimal number
    TOUCH_WORD                string -> what the tick may touch: price, volume, both or none
    TOUCH_ENUM t              index varint -> the same from enums[t]
    TOUCH_BITS                int or long: bit 0 the price, bit 1 the volume

A plan that stores an ASK reads the price as the mean of both sides (:func:`tick.mid`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Op(IntEnum):
    """Words that begin an instruction. The numbers are shared with the compiled kernel."""

    END = 0
    SKIP_VARINT = 1
    SKIP_BYTES = 2
    SKIP_FIXED = 3
    UNION = 4
    JUMP = 5
    BLOCKS = 6
    NEXT = 7
    STORE = 8


class Slot(IntEnum):
    """The fields of a tick, in the order in which they are judged. The numbers are shared with
    the compiled kernel."""

    BROKER = 0
    SYMBOL = 1
    TIME = 2
    PRICE = 3
    ASK = 4
    """The other side, where the price is the middle of two."""
    SIZE = 5
    TOUCH = 6


class Kind(IntEnum):
    """How a stored field is written. The numbers are shared with the compiled kernel."""

    NULL = 0
    NAME = 1
    NAME_ENUM = 2
    TIME = 3
    LONG = 4
    FLOAT = 5
    DOUBLE = 6
    DECIMAL_BYTES = 7
    DECIMAL_FIXED = 8
    DECIMAL_TEXT = 9
    TOUCH_WORD = 10
    TOUCH_ENUM = 11
    TOUCH_BITS = 12


MAX_DEPTH = 8
"""Deepest nesting of arrays and maps that a plan may have; deeper schemas are read slowly."""


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """A compiled program. ``enums`` are the symbol tables of NAME_ENUM and TOUCH_ENUM."""

    words: tuple[int, ...]
    enums: tuple[tuple[bytes, ...], ...] = ()
