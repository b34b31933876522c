"""Open windows to bytes and back, for recovery: the readable form of ``_stored.pxd``.

A block is windows back to back, each the Avro binary of a record of

    broker, symbol                                string
    start, open, high, low, close, count          long    prices scaled, times in ns
    first_event, last_event                       long
    first_offset, last_offset                     long
    open_rest, close_rest                         long    what the four above leave open of the
                                                          (time, offset) of open and close: the
                                                          offsets under ORDER=event_time, else the
                                                          times

Whether a window is partial follows from its broker's begin, which may have been moved since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from barengine.codec.cursor import Cursor
from barengine.codec.tick import BadTick
from barengine.codec.varint import encode_varint
from barengine.kernel._protocol import WindowBlock
from barengine.kernel._table import Series, Window
from barengine.model import MAX_EVENT_NS, MAX_NAME_BYTES, Order, Period

_NUMBERS: Final = 12


class Stored(NamedTuple):
    """One window as a block tells it. Names in UTF-8."""

    broker: bytes
    symbol: bytes
    window: Window


def pack(
    windows: Iterable[tuple[Series, Window]], order: Order, max_bytes: int
) -> list[WindowBlock]:
    """Blocks of at most ``max_bytes`` each (one window at least)."""
    blocks: list[WindowBlock] = []
    for series, window in windows:
        one = _pack_one(series, window, order)
        if blocks and len(blocks[-1].content) + len(one) <= max_bytes:
            last = blocks.pop()
            blocks.append(WindowBlock(last.count + 1, last.content + one))
        else:
            blocks.append(WindowBlock(1, one))
    return blocks


def _pack_one(series: Series, window: Window, order: Order) -> bytes:
    rest = 1 if order is Order.EVENT_TIME else 0
    numbers = (
        *(window.start, window.open, window.high, window.low, window.close, window.count),
        *(window.first_event, window.last_event, window.first_offset, window.last_offset),
        *(window.open_at[rest], window.close_at[rest]),
    )
    names = (series.broker.name, series.symbol)
    return b"".join(
        [
            *(encode_varint(len(name)) + name for name in names),
            *(encode_varint(number) for number in numbers),
        ]
    )


def unpack(
    blocks: Iterable[WindowBlock], as_of: int, period: Period, order: Order
) -> Iterator[Stored]:
    """The windows of all blocks, one after the other; ``partial`` is not known yet.

    Raises:
        ValueError: a block is damaged.
    """
    previous = 0
    for block in blocks:
        cursor = Cursor(block.content)
        for _ in range(block.count):
            stored = _unpack_one(cursor, order)
            if not _is_plausible(stored.window, as_of, period, previous):
                raise damaged()
            previous = stored.window.first_offset
            yield stored
        if block.count < 0 or cursor.pos != len(cursor.data):
            raise damaged()


def _unpack_one(cursor: Cursor, order: Order) -> Stored:
    try:
        broker, symbol = cursor.sized(), cursor.sized()
        for name in (broker, symbol):
            if not name or len(name) > MAX_NAME_BYTES:
                raise damaged()
            name.decode()
        numbers = [cursor.varint() for _ in range(_NUMBERS)]
    except (BadTick, UnicodeDecodeError) as error:
        raise damaged() from error
    start, first, high, low, last, count, *times, offset, last_offset, a, b = numbers
    by_time = order is Order.EVENT_TIME
    open_at = (times[0], a) if by_time else (a, offset)
    close_at = (times[1], b) if by_time else (b, last_offset)
    return Stored(
        broker,
        symbol,
        Window(
            *(start, first, high, low, last, count, open_at, close_at),
            *(times[0], times[1], offset, last_offset),
            partial=False,
        ),
    )


def _is_plausible(one: Window, as_of: int, period: Period, previous: int) -> bool:
    """What holds for every window that was stored, and what the table relies on."""
    return (
        one.start % period.length_ns == 0
        and one.start <= one.first_event <= one.last_event <= MAX_EVENT_NS
        and one.last_event - one.start < period.length_ns
        and one.count > 0
        and one.low <= one.open <= one.high
        and one.low <= one.close <= one.high
        and previous <= one.first_offset < as_of
        and 0 <= one.last_offset < as_of
    )


def damaged() -> ValueError:
    """The bytes are not what ``pack`` wrote."""
    return ValueError("stored windows are damaged")
