"""What a book remembers of series as state records, in pure Python.

Keys are text. ``page|BROKER|SYMBOL`` has, behind one version byte, in Avro binary:

    real_end, close, event                  long
    open bars, by rung                      array of (period: string, bar)
    cuts, by rung; left out if there is none
                                            array of (period: string, end: long)

``kept|BROKER|SYMBOL|PERIOD|START`` has, behind one version byte, one bar that late ticks can still
correct; START is its bucket start in ns. A bar is a record of

    flags                                   long    the bits of :class:`Flag`, cause above them
    start, end                              long    ns
    open, high, low, close, count           long    prices scaled
    open_at, close_at                       long, long each: event time in ns, offset
    first_event, last_event                 long    ns
    first_offset, last_offset, revision     long
    volume, turnover                        bytes   big-endian two's complement; with VOLUME only
    date                                    long    days since 1970-01-01; with DATE only

Arrays are one block, or none where they are empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntFlag
from typing import Final

from barengine.codec.cursor import Cursor
from barengine.codec.state import VERSION
from barengine.codec.tick import BadTick
from barengine.codec.varint import encode_varint
from barengine.model import Bar, Cause, Origin
from barengine.naming import join, split

_CAUSES: Final = (None, *Cause)


class Flag(IntFlag):
    """The lowest bits of a bar's flags; the number of its cause, or 0, stands above them."""

    PARTIAL = 1
    PRICED = 2
    FILLED = 4
    VOLUME = 8
    DATE = 16


CAUSE_SHIFT: Final = 5
_INT32_MAX: Final = 2**31 - 1
_WIDEST: Final = 16
"""Bytes of a sum: it is below 10**38."""

PeriodBar = tuple[str, Bar]
PeriodCut = tuple[str, int]


def encode_page_key(broker: str, symbol: str) -> bytes:
    """Key of a page's state record."""
    return join("page", broker, symbol).encode()


def encode_page_value(
    real_end_ns: int,
    close: int,
    event_ns: int,
    opened: Iterable[PeriodBar],
    cuts: Iterable[PeriodCut] = (),
) -> bytes:
    """Value of a page's state record."""
    head = b"".join(map(encode_varint, (real_end_ns, close, event_ns)))
    bars = _array([_sized(period.encode()) + _bar(bar) for period, bar in opened])
    ends = [_sized(period.encode()) + encode_varint(end) for period, end in cuts]
    return bytes([VERSION]) + head + bars + (_array(ends) if ends else b"")


def encode_kept_key(broker: str, symbol: str, period: str, start_ns: int) -> bytes:
    """Key of a kept bar's state record."""
    return join("kept", broker, symbol, period, str(start_ns)).encode()


def encode_kept_value(bar: Bar) -> bytes:
    """Value of a kept bar's state record."""
    return bytes([VERSION]) + _bar(bar)


def decode_key(key: bytes) -> tuple[str, str, str | None]:
    """Broker and symbol of a page; broker, symbol and period of a kept bar.

    Raises:
        ValueError: it is no key of either.
    """
    match split(key.decode()):
        case ["page", broker, symbol]:
            return broker, symbol, None
        case ["kept", broker, symbol, period, _]:
            return broker, symbol, period
    raise ValueError(f"{key!r} is no key of a page or a kept bar")


def decode_page_value(
    broker: str, symbol: str, value: bytes
) -> tuple[int, int, int, list[PeriodCut], list[PeriodBar]]:
    """What :func:`encode_page_value` took, of a value whose version is known to be ours; the open
    bars come last.

    Raises:
        ValueError: it is damaged.
    """
    cursor = Cursor(value, 1)
    try:
        real_end_ns, close, event_ns = (cursor.varint() for _ in range(3))
        opened = list(_bars(cursor, broker, symbol))
        cuts = list(_cuts(cursor)) if cursor.pos < len(cursor.data) else []
        cursor.finish()
    except (BadTick, IndexError) as error:
        raise ValueError("it breaks off, or holds what no page holds") from error
    return real_end_ns, close, event_ns, cuts, opened


def decode_kept_value(broker: str, symbol: str, value: bytes) -> Bar:
    """The bar, of a value whose version is known to be ours.

    Raises:
        ValueError: it is damaged.
    """
    cursor = Cursor(value, 1)
    try:
        bar = _read_bar(cursor, broker, symbol)
        cursor.finish()
    except (BadTick, IndexError) as error:
        raise ValueError("it breaks off, or holds what no bar holds") from error
    return bar


def _array(items: list[bytes]) -> bytes:
    if not items:
        return encode_varint(0)
    return encode_varint(len(items)) + b"".join(items) + encode_varint(0)


def _sized(content: bytes) -> bytes:
    return encode_varint(len(content)) + content


def _bar(bar: Bar) -> bytes:
    flags = (
        Flag.PARTIAL * bar.partial
        | Flag.PRICED * bar.priced
        | Flag.FILLED * (bar.origin is Origin.FILLED)
        | Flag.VOLUME * (bar.volume is not None)
        | Flag.DATE * (bar.trading_date is not None)
    )
    numbers = (
        *(int(flags) | _CAUSES.index(bar.cause) << CAUSE_SHIFT,),
        *(bar.bucket_start_ns, bar.bucket_end_ns),
        *(bar.open, bar.high, bar.low, bar.close, bar.tick_count),
        *(*bar.open_at, *bar.close_at),
        *(bar.first_event_ns, bar.last_event_ns),
        *(bar.first_offset, bar.last_offset, bar.revision),
    )
    out = b"".join(map(encode_varint, numbers))
    if bar.volume is not None and bar.turnover is not None:
        out += _sized(_two_complement(bar.volume)) + _sized(_two_complement(bar.turnover))
    if bar.trading_date is not None:
        out += encode_varint(bar.trading_date)
    return out


def _two_complement(number: int) -> bytes:
    size = (abs(number).bit_length() + 8) >> 3
    return number.to_bytes(size, "big", signed=True)


def _bars(cursor: Cursor, broker: str, symbol: str) -> Iterator[PeriodBar]:
    while count := cursor.block():
        for _ in range(count):
            yield cursor.sized().decode(errors="replace"), _read_bar(cursor, broker, symbol)


def _cuts(cursor: Cursor) -> Iterator[PeriodCut]:
    while count := cursor.block():
        for _ in range(count):
            yield cursor.sized().decode(errors="replace"), cursor.varint()


def _read_bar(cursor: Cursor, broker: str, symbol: str) -> Bar:
    flags = cursor.index(len(_CAUSES) << CAUSE_SHIFT)
    start, end, first, high, low, last, count = (cursor.varint() for _ in range(7))
    open_at = cursor.varint(), cursor.varint()
    close_at = cursor.varint(), cursor.varint()
    first_event, last_event, first_offset, last_offset, revision = (
        cursor.varint() for _ in range(5)
    )
    volume = turnover = date = None
    if flags & Flag.VOLUME:
        volume, turnover = _read_sum(cursor), _read_sum(cursor)
    if flags & Flag.DATE:
        date = cursor.varint()
    if not 0 <= revision <= _INT32_MAX or (date is not None and abs(date) > _INT32_MAX):
        raise IndexError("a revision or a date is out of range")
    return Bar(
        broker=broker,
        symbol=symbol,
        bucket_start_ns=start,
        bucket_end_ns=end,
        open=first,
        high=high,
        low=low,
        close=last,
        tick_count=count,
        open_at=open_at,
        close_at=close_at,
        first_event_ns=first_event,
        last_event_ns=last_event,
        first_offset=first_offset,
        last_offset=last_offset,
        partial=bool(flags & Flag.PARTIAL),
        volume=volume,
        turnover=turnover,
        priced=bool(flags & Flag.PRICED),
        revision=revision,
        origin=Origin.FILLED if flags & Flag.FILLED else Origin.TICKS,
        cause=_CAUSES[flags >> CAUSE_SHIFT],
        trading_date=date,
    )


def _read_sum(cursor: Cursor) -> int:
    content = cursor.sized()
    if len(content) > _WIDEST:
        raise IndexError("a sum is out of range")
    return int.from_bytes(content, "big", signed=True)
