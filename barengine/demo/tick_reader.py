"""A reader of the built-in Tick schema by hand, which shares no code with the engine's.

Confluent frame (byte 0, four bytes of schema id), then Avro: broker and symbol (string),
timestamp (long, ms), bid (double). What cannot become a tick raises the reason that the engine
must have given it.
"""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from typing import Final, NamedTuple

_DOUBLE: Final = struct.Struct("<d")
_FRAME_BYTES: Final = 5
_LONGEST_NAME: Final = 256
_MAX_TIME_MS: Final = 2**62 // 10**6
_MAX_VARINT_BYTES: Final = 10
_PRICE_LIMIT: Final = 10**18  # a price of the bar is decimal(18): 18 digits
_BITS_64: Final = 2**64 - 1


class NoTick(Exception):  # noqa: N818 - not an error of the program: an outcome of bad input
    """The value is a dead letter; the text is its reason."""


class RawTick(NamedTuple):
    """A value that is a tick, if its names are usable too (see :func:`read_names`)."""

    names: bytes
    """Broker and symbol as they are encoded: one text per series, cheap to look up."""
    time_ms: int
    price: float


def read_tick(value: bytes | None) -> RawTick:
    """Read one value.

    Raises:
        NoTick: null_value, framing or undecodable.
    """
    if value is None:
        raise NoTick("null_value")
    if len(value) < _FRAME_BYTES or value[0]:
        raise NoTick("framing")
    names_end = _skip_text(value, _skip_text(value, _FRAME_BYTES))
    time_ms, pos = _varint(value, names_end)
    if pos + _DOUBLE.size != len(value):
        raise NoTick("undecodable")
    return RawTick(value[_FRAME_BYTES:names_end], time_ms, _DOUBLE.unpack_from(value, pos)[0])


def read_names(names: bytes) -> tuple[str, str]:
    """Broker and symbol of ``RawTick.names``.

    Raises:
        NoTick: undecodable: not UTF-8.
    """
    middle = _skip_text(names, 0)
    parts = names[_varint(names, 0)[1] : middle], names[_varint(names, middle)[1] :]
    try:
        return parts[0].decode(), parts[1].decode()
    except UnicodeDecodeError:
        raise NoTick("undecodable") from None


def check_time(time_ms: int) -> None:
    """Insist on an event time that fits.

    Raises:
        NoTick: time_range.
    """
    if abs(time_ms) > _MAX_TIME_MS:
        raise NoTick("time_range")


def check_names(broker: str, symbol: str) -> None:
    """Insist on names of 1 to 256 bytes.

    Raises:
        NoTick: empty_name or name_too_long.
    """
    for name in (broker, symbol):
        if not name:
            raise NoTick("empty_name")
        if len(name.encode()) > _LONGEST_NAME:
            raise NoTick("name_too_long")


def exact_price(price: float, scale: int) -> int:
    """The binary value of a double, rounded half to even to ``scale`` decimals, unscaled.

    Raises:
        NoTick: price_not_finite or price_range.
    """
    if not math.isfinite(price):
        raise NoTick("price_not_finite")
    unscaled: int = round(Fraction(price) * 10**scale)
    if abs(unscaled) >= _PRICE_LIMIT:
        raise NoTick("price_range")
    return unscaled


def _varint(data: bytes, pos: int) -> tuple[int, int]:
    raw = shift = 0
    for at in range(pos, min(len(data), pos + _MAX_VARINT_BYTES)):
        byte = data[at]
        raw |= (byte & 0x7F) << shift
        if byte < 0x80:
            raw &= _BITS_64
            return (raw >> 1) ^ -(raw & 1), at + 1
        shift += 7
    raise NoTick("undecodable")


def _skip_text(data: bytes, pos: int) -> int:
    if pos < len(data) and data[pos] < 0x80:  # names under 64 bytes, so nearly all
        head = data[pos]
        length, start = (head >> 1) ^ -(head & 1), pos + 1
    else:
        length, start = _varint(data, pos)
    if length < 0 or start + length > len(data):
        raise NoTick("undecodable")
    return start + length
