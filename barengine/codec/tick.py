"""What decoding a value ends in: a tick, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from barengine.codec.plan import Slot
from barengine.model import Reason


class DecodedTick(NamedTuple):
    """What a decoder returns. ``time_ns`` is 0 where event time is the record timestamp."""

    broker: bytes
    symbol: bytes
    time_ns: int
    price: int


class BadTick(Exception):  # noqa: N818 - not an error of the program: an outcome of bad input
    """Raised by a decoder: the record is a dead letter for this reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.label)
        self.reason = reason


SlowDecoder = Callable[[bytes], DecodedTick]
"""Takes a value without its frame; raises BadTick. Names are not yet checked (empty, length)."""

Found = bytes | int | BadTick | None
"""What one slot holds after the walk; a BadTick is a conversion that failed, kept for later."""

_T = TypeVar("_T", bytes, int)


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


def assemble(found: Mapping[Slot, Found], *, record_time: bool) -> DecodedTick:
    """Make the tick of a value that was walked to its end.

    Raises:
        BadTick: the first of broker, symbol, time, price (in this order) that is absent
            (MISSING_FIELD) or could not be converted.
    """
    return DecodedTick(
        broker=_required(found.get(Slot.BROKER), bytes),
        symbol=_required(found.get(Slot.SYMBOL), bytes),
        time_ns=0 if record_time else _required(found.get(Slot.TIME), int),
        price=_required(found.get(Slot.PRICE), int),
    )


def _required(value: Found, kind: type[_T]) -> _T:
    if isinstance(value, BadTick):
        raise value
    if not isinstance(value, kind):
        raise BadTick(Reason.MISSING_FIELD)
    return value
