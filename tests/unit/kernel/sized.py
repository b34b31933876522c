"""Ticks with a size and with what they may touch, and kernels that heed both."""

from __future__ import annotations

from typing import Any

from barengine.codec.plan import FieldPlan, Kind, Op, Slot
from barengine.kernel import Kernel
from barengine.model import Touch
from tests.unit.kernel.build import text, tick, tick_plan, varint
from tests.unit.kernel.conftest import Make


def sized_plan(unit_ns: int = 10**6) -> FieldPlan:
    """The built-in schema with a nullable size of nine decimals and what a tick may touch."""
    return FieldPlan(
        (
            *tick_plan(unit_ns=unit_ns).words[:20],
            *(Op.UNION, 2, 24, 31),
            *(Op.STORE, Slot.SIZE, Kind.NULL, 0, 0, Op.JUMP, 36),
            *(Op.STORE, Slot.SIZE, Kind.DECIMAL_BYTES, 9, 0),
            *(Op.STORE, Slot.TOUCH, Kind.TOUCH_BITS, 0, 0, Op.END),
        )
    )


UNIT = 10**9
"""A size or a price of 1."""


def size_bytes(size: int | None, touch: int = Touch.BOTH) -> bytes:
    """Size in units of 10**-9 and what may be touched, as they end a value."""
    if size is None:
        return b"\0" + varint(touch)
    return b"\2" + text(size.to_bytes(20, "big", signed=True)) + varint(touch)


def trade(
    seconds: float,
    price: float,
    size: float | None = 1.0,
    touch: int = Touch.BOTH,
    symbol: str = "X",
) -> bytes:
    """A tick so many seconds after NOON, of a whole or half size or none."""
    own = None if size is None else int(size * UNIT)
    return tick(seconds, price, symbol) + size_bytes(own, touch)


def sized(make: Make, **settings: Any) -> Kernel:
    """A kernel that sums up sizes."""
    kernel = make(sizes=True, **settings)
    kernel.add_schema(0, sized_plan())
    return kernel
