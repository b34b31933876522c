"""The exact conversions from what an input holds to scaled int64 prices and int64 nanoseconds.

Every path of decoding ends here, so a value means the same however it was read. A price is
rounded once, half to even, to ``price_scale`` decimals.
"""

from __future__ import annotations

import datetime
import re
from fractions import Fraction
from math import isfinite
from typing import Final

from barengine.codec.tick import BadTick, undecodable
from barengine.model import MAX_EVENT_NS, MAX_PRICE, NS_PER_S, Reason, Touch

_INT64_DIGITS: Final = 19
_DECIMAL_TEXT: Final = re.compile(
    rb"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?)([0-9]+))?"
)
_NOT_FINITE: Final = re.compile(rb"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_HUGE: Final = 10**18
"""Stands for every exponent of more than 18 digits: no text is long enough to make up for it."""

_TEXT_DECIMALS: Final = 100
"""What is behind them in a decimal text is rounded before a mean is taken: a text may name
10^-999999999, which no machine can hold beside another number."""

_TOUCHES: Final = {
    b"price": Touch.PRICE,
    b"volume": Touch.VOLUME,
    b"both": Touch.BOTH,
    b"none": Touch(0),
}

_EPOCH_DAY: Final = datetime.date(1970, 1, 1).toordinal()
_ISO_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([01][0-9]|2[0-3]):([0-5][0-9])"
    r"(?::([0-5][0-9])(?:[.,]([0-9]+))?)?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?)",
    re.ASCII,
)


def price_from_float(value: float, price_scale: int) -> int:
    """The exact binary value of a float or double, rounded once.

    Raises:
        BadTick: PRICE_NOT_FINITE for NaN and infinities, PRICE_RANGE beyond MAX_PRICE.
    """
    if not isfinite(value):
        raise BadTick(Reason.PRICE_NOT_FINITE)
    return _in_range(round(Fraction(value) * 10**price_scale))


def price_from_int(value: int, price_scale: int) -> int:
    """A whole price.

    Raises:
        BadTick: PRICE_RANGE beyond MAX_PRICE.
    """
    return price_from_decimal(value, 0, price_scale)


def price_from_decimal(unscaled: int, scale: int, price_scale: int) -> int:
    """The decimal ``unscaled / 10**scale``, with ``scale >= 0``.

    Raises:
        BadTick: PRICE_RANGE beyond MAX_PRICE.
    """
    if scale <= price_scale:
        return _in_range(unscaled * 10 ** (price_scale - scale))
    divisor = 10 ** (scale - price_scale)
    quotient, rest = divmod(unscaled, divisor)
    # The rest is never negative, so a tie goes up exactly from an odd quotient.
    return _in_range(quotient + (2 * rest + (quotient & 1) > divisor))


def price_from_text(text: bytes, price_scale: int) -> int:
    """Decimal text: optional sign, digits with at most one point, optional exponent.

    Works on the digits, so a long text or a huge exponent costs no huge integer.

    Raises:
        BadTick: PRICE_NOT_FINITE for nan, inf and infinity in any case, PRICE_RANGE beyond
            MAX_PRICE, UNDECODABLE for everything else that is no such text.
    """
    negative, digits, point = _parse_text(text)
    if digits and point + price_scale > _INT64_DIGITS:
        raise BadTick(Reason.PRICE_RANGE)
    magnitude = _round_digits(digits, point + price_scale)
    return _in_range(-magnitude if negative else magnitude)


def exact_from_text(text: bytes) -> Fraction:
    """A decimal text that is a price, to 100 decimals."""
    negative, digits, point = _parse_text(text)
    magnitude = Fraction(_round_digits(digits, point + _TEXT_DECIMALS), 10**_TEXT_DECIMALS)
    return -magnitude if negative else magnitude


def size_in_range(size: int) -> int:
    """A size as it was converted, at SIZE_SCALE.

    Raises:
        BadTick: SIZE_RANGE where it is negative.
    """
    if size < 0:
        raise BadTick(Reason.SIZE_RANGE)
    return size


def touch_from_word(word: bytes) -> Touch:
    """What ``price``, ``volume`` or ``both`` lets a tick touch, in any case of letters.

    Raises:
        BadTick: TOUCHES_NOTHING for ``none``, FLAGS for any other word.
    """
    return _some(_TOUCHES.get(word.lower()))


def touch_from_bits(bits: int) -> Touch:
    """The same from a number: bit 0 stands for the price, bit 1 for the volume.

    Raises:
        BadTick: TOUCHES_NOTHING for 0, FLAGS for what is not 0 to 3.
    """
    return _some(Touch(bits) if 0 <= bits <= Touch.BOTH else None)


def _some(touch: Touch | None) -> Touch:
    if not touch:
        raise BadTick(Reason.FLAGS if touch is None else Reason.TOUCHES_NOTHING)
    return touch


def time_from_units(value: int, unit_ns: int) -> int:
    """``value`` units of ``unit_ns`` each since the epoch, in ns.

    Raises:
        BadTick: TIME_RANGE outside ±MAX_EVENT_NS.
    """
    time_ns = value * unit_ns
    if abs(time_ns) > MAX_EVENT_NS:
        raise BadTick(Reason.TIME_RANGE)
    return time_ns


def time_from_iso(text: str) -> int:
    """ISO 8601 date and time of day with a zone (``Z`` or an offset), in ns since the epoch.

    Digits behind the ninth of a fraction are cut off.

    Raises:
        BadTick: TIME_RANGE outside ±MAX_EVENT_NS; UNDECODABLE for another text, also one
            without a zone: it names no instant.
    """
    match = _ISO_TIME.fullmatch(text)
    if match is None:
        raise undecodable()
    year, month, day, hour, minute = (int(part) for part in match.groups()[:5])
    second, fraction, sign, zone_hour, zone_minute = match.groups(default="0")[5:]
    try:
        days = datetime.date(year, month, day).toordinal() - _EPOCH_DAY
    except ValueError:
        raise undecodable() from None
    zone = (int(zone_hour) * 60 + int(zone_minute)) * (-60 if sign == "-" else 60)
    seconds = days * 86400 + hour * 3600 + minute * 60 + int(second) - zone
    return time_from_units(seconds * NS_PER_S + int(fraction[:9].ljust(9, "0")), 1)


def _parse_text(text: bytes) -> tuple[bool, bytes, int]:
    """Whether it is negative, digits and point: ``0.digits * 10**point``, no leading zero."""
    match = _DECIMAL_TEXT.fullmatch(text)
    if match is None:
        if _NOT_FINITE.fullmatch(text):
            raise BadTick(Reason.PRICE_NOT_FINITE)
        raise undecodable()
    sign, whole, fraction, bare_fraction, exponent_sign, exponent = match.groups(default=b"")
    exponent = exponent.lstrip(b"0") or b"0"
    power = int(exponent) if len(exponent) < _INT64_DIGITS else _HUGE
    digits = (whole + fraction + bare_fraction).lstrip(b"0")
    point = len(digits) - len(fraction + bare_fraction)
    return sign == b"-", digits, point + (-power if exponent_sign == b"-" else power)


def _round_digits(digits: bytes, point: int) -> int:
    """``0.digits * 10**point`` half to even; ``digits`` begins with no zero."""
    if not digits or point < 0:
        return 0
    whole = int(digits[:point].ljust(point, b"0") or b"0")
    tail = digits[point:].rstrip(b"0")
    # Compared as text: "5" is the tie, "49…" sorts below it, "51…" and "6" above.
    return whole + (tail > b"5" or (tail == b"5" and whole & 1 == 1))


def _in_range(scaled: int) -> int:
    if abs(scaled) > MAX_PRICE:
        raise BadTick(Reason.PRICE_RANGE)
    return scaled
