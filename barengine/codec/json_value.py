"""Ticks from JSON objects: a slower convenience, exact all the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from barengine.codec import convert
from barengine.codec.fields import Fields
from barengine.codec.plan import Slot
from barengine.codec.read import SIZE_REASONS
from barengine.codec.tick import (
    BadTick,
    DecodedTick,
    Found,
    SlowDecoder,
    assemble,
    attempt,
    undecodable,
)
from barengine.model import NS_PER_MS, SIZE_SCALE, Reason

MAX_JSON_DEPTH: Final = 128
"""Deepest nesting that is read. A fixed number, since the parser's own limit depends on how deep
the caller stands: the same record must be a dead letter on every run."""

_STRING_OR_BRACKET: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
"""The closing quote is optional: otherwise a string without one costs quadratic time."""

_INTEGER: Final = re.compile(r"-?[0-9]{1,25}")
"""More than 25 digits are out of range anyhow, and int() refuses thousands of them."""


_Converter = Callable[[str, int], Found]
"""From the text of a field and the price scale."""


class _Number(str):
    """A JSON number as it was written, so that 0.1 stays 0.1."""

    __slots__ = ()


def json_decoder(fields: Fields, price_scale: int) -> SlowDecoder:
    """A decoder for JSON objects in UTF-8, with every field at its dotted path.

    Broker and symbol are strings. Price and size are numbers or strings of decimal text; NaN and
    Infinity are PRICE_NOT_FINITE and SIZE_NOT_FINITE. What a tick may touch is a word or a number.
    The timestamp is an integer in ms or an ISO 8601 string with a zone. An absent or null field
    is MISSING_FIELD (a size and what a tick may touch can be absent), one of another type
    UNDECODABLE; reasons come in the order of :func:`read.run_plan`.
    """
    paths = {slot: fields.name(slot).split(".") for slot in fields.slots()}
    converters = _CONVERTERS
    if Slot.ASK in paths:
        converters = _CONVERTERS | {Slot.PRICE: _side, Slot.ASK: _side}

    def decode(value: bytes) -> DecodedTick:
        document = _parse(value)
        found = {
            slot: _convert(converters[slot], _look_up(document, path), price_scale)
            for slot, path in paths.items()
        }
        return assemble(found, paths, price_scale)

    return decode


def _parse(value: bytes) -> dict[str, object]:
    try:
        text = value.decode()
        _check_depth(text)
        document = json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    except ValueError:
        raise undecodable() from None
    if not isinstance(document, dict):
        raise undecodable()
    return document


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_JSON_DEPTH:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        depth += (match[0] in "[{") - (match[0] in "]}")
        if depth > MAX_JSON_DEPTH:
            raise undecodable()


def _look_up(document: dict[str, object], path: list[str]) -> object:
    place: object = document
    for part in path:
        if not isinstance(place, dict):
            return None
        place = place.get(part)
    return place


def _convert(convert_text: _Converter, item: object, price_scale: int) -> Found:
    if item is None:
        return None
    if not isinstance(item, str):
        raise undecodable()
    return attempt(lambda: convert_text(item, price_scale))


def _name(item: str, _price_scale: int) -> bytes:
    if isinstance(item, _Number):
        raise undecodable()
    try:
        return item.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, written as an escape
        raise undecodable() from None


def _time(item: str, _price_scale: int) -> int:
    if not isinstance(item, _Number):
        return convert.time_from_iso(item)
    if _INTEGER.fullmatch(item):
        return convert.time_from_units(int(item), NS_PER_MS)
    if item.removeprefix("-").isdigit():
        raise BadTick(Reason.TIME_RANGE)
    raise undecodable()


def _price(item: str, price_scale: int) -> int:
    return convert.price_from_text(item.encode("utf-8", "replace"), price_scale)


def _side(item: str, price_scale: int) -> Fraction:
    _price(item, price_scale)
    return convert.exact_from_text(item.encode())


def _size(item: str, _price_scale: int) -> int:
    try:
        return convert.size_in_range(_price(item, SIZE_SCALE))
    except BadTick as bad:
        raise BadTick(SIZE_REASONS.get(bad.reason, bad.reason)) from None


def _touch(item: str, _price_scale: int) -> int:
    if not isinstance(item, _Number):
        return convert.touch_from_word(item.encode("utf-8", "replace"))
    if _INTEGER.fullmatch(item):
        return convert.touch_from_bits(int(item))
    raise BadTick(Reason.FLAGS)


_CONVERTERS: Final[dict[Slot, _Converter]] = {
    Slot.BROKER: _name,
    Slot.SYMBOL: _name,
    Slot.TIME: _time,
    Slot.PRICE: _price,
    Slot.SIZE: _size,
    Slot.TOUCH: _touch,
}
