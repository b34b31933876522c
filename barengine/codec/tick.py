"""What decoding a value ends in: a tick, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from fractions import Fraction
from typing import NamedTuple, TypeVar

from barengine.codec.plan import Slot
from barengine.model import Reason, Touch


class DecodedTick(NamedTuple):
    """What a decoder returns. ``time_ns`` is 0 where event time is the record timestamp."""

    broker: bytes
    symbol: bytes
    time_ns: int
    price: int
    size: int | None = None
    """In units of 10**-9; None where there is none, or the tick may not touch the volume."""
    touch: Touch = Touch.BOTH


class BadTick(Exception):  # noqa: N818 - not an error of the program: an outcome of bad input
    """Raised by a decoder: the record is a dead letter for this reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.label)
        self.reason = reason


SlowDecoder = Callable[[bytes], DecodedTick]
"""Takes a value without its frame; raises BadTick. Names are not yet checked (empty, length)."""

Found = bytes | int | Fraction | BadTick | None
"""What one slot holds after the walk; a BadTick is a conversion that failed, kept for later."""

_T = TypeVar("_T", bytes, int, Fraction)


def undecodable() -> BadTick:
    """The value's bytes contradict its schema; this reason beats every other."""
    return BadTick(Reason.UNDECODABLE)


def attempt(convert: Callable[[], Found]) -> Found:
    """Run a conversion; keep its BadTick for :func:`assemble`, so that the walk goes on.

    Raises:
        BadTick: UNDECODABLE only, at once.
    """
    try:
        return convert()
    except BadTick as bad:
        if bad.reason is Reason.UNDECODABLE:
            raise
        return bad


def assemble(found: Mapping[Slot, Found], slots: Collection[Slot], price_scale: int) -> DecodedTick:
    """Make the tick of a value that was walked to its end; ``slots`` are those that are read.

    Raises:
        BadTick: the first of broker, symbol, time, price, ask, size, touch (in this order) that
            could not be converted, or is absent (MISSING_FIELD); size and touch may be absent.
    """
    broker, symbol = _required(found, Slot.BROKER, bytes), _required(found, Slot.SYMBOL, bytes)
    time_ns = _required(found, Slot.TIME, int) if Slot.TIME in slots else 0
    if Slot.ASK in slots:
        bid, ask = _required(found, Slot.PRICE, Fraction), _required(found, Slot.ASK, Fraction)
        price = mid(bid, ask, price_scale)
    else:
        price = _required(found, Slot.PRICE, int)
    size, bits = _optional(found, Slot.SIZE), _optional(found, Slot.TOUCH)
    touch = Touch.BOTH if bits is None else Touch(bits)
    return DecodedTick(
        broker, symbol, time_ns, price, size if Touch.VOLUME in touch else None, touch
    )


def _required(found: Mapping[Slot, Found], slot: Slot, kind: type[_T]) -> _T:
    value = found.get(slot)
    if isinstance(value, BadTick):
        raise value
    if not isinstance(value, kind):
        raise BadTick(Reason.MISSING_FIELD)
    return value


def _optional(found: Mapping[Slot, Found], slot: Slot) -> int | None:
    return None if found.get(slot) is None else _required(found, slot, int)


def mid(bid: Fraction, ask: Fraction, price_scale: int) -> int:
    """The mean of two prices, rounded once, half to even. It is a price, for both are."""
    return round((bid + ask) / 2 * Fraction(10) ** price_scale)
