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

A kernel that sums up sizes writes before each of them a 0 byte, where the older layout has the
length of a name, which is never 0; and behind each of them

    flags                                         long    1: not priced, 2: it has sums, 4: it has
                                                          ticks that may touch the price and others
    volume, turnover                              bytes   as decimals, where it has sums
    open_key, close_key                           long    where it has both kinds of ticks: the rest
                                                          of the (time, offset) of open and close,
                                                          which the four above do not have then

It reads both layouts, one that sums up nothing only the older one.

Whether a window is partial follows from its broker's begin, which may have been moved since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from typing import Final, NamedTuple

from barengine.codec.bar import unscaled
from barengine.codec.cursor import Cursor
from barengine.codec.tick import BadTick
from barengine.codec.varint import encode_varint
from barengine.kernel._protocol import WindowBlock
from barengine.kernel._table import Series, Window
from barengine.model import MAX_EVENT_NS, MAX_NAME_BYTES, MAX_SUM, Order, Period

_NUMBERS: Final = 12
_UNPRICED: Final = 1
_SIZED: Final = 2
_MIXED: Final = 4
_WIDEST: Final = 16
"""Bytes of a sum."""


class Stored(NamedTuple):
    """One window as a block tells it. Names in UTF-8."""

    broker: bytes
    symbol: bytes
    window: Window


class PureOpenWindows:
    """Windows as they are now, in the order of their first ticks."""

    def __init__(
        self, windows: Iterable[tuple[Series, Window]], order: Order, *, sizes: bool
    ) -> None:
        self._windows = [(series, copy(window)) for series, window in windows]
        self._windows.sort(key=lambda one: one[1].first_offset)
        self._order = order
        self._sizes = sizes

    def __len__(self) -> int:
        return len(self._windows)

    def pack(self, max_bytes: int) -> list[WindowBlock]:
        blocks: list[WindowBlock] = []
        for series, window in self._windows:
            one = _pack_one(series, window, self._order)
            if self._sizes:
                one = b"\0" + one + _pack_sums(window, self._order)
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


def _pack_sums(window: Window, order: Order) -> bytes:
    flags = (not window.priced) * _UNPRICED
    parts = []
    if window.volume is not None and window.turnover is not None:
        flags |= _SIZED
        parts += [unscaled(window.volume), unscaled(window.turnover)]
    if window.mixed:
        key = 1 if order is Order.OFFSET else 0
        flags |= _MIXED
        parts += [encode_varint(window.open_at[key]), encode_varint(window.close_at[key])]
    return b"".join([encode_varint(flags), *parts])


def unpack(
    blocks: Iterable[WindowBlock], as_of: int, period: Period, order: Order, *, sizes: bool
) -> Iterator[Stored]:
    """The windows of all blocks, one after the other; ``partial`` is not known yet.

    Raises:
        ValueError: a block is damaged.
    """
    previous = 0
    for block in blocks:
        cursor = Cursor(block.content)
        for _ in range(block.count):
            try:
                stored = _unpack_one(cursor, order, sizes=sizes)
            except (BadTick, UnicodeDecodeError) as error:
                raise damaged() from error
            if not _is_plausible(stored.window, as_of, period, previous):
                raise damaged()
            previous = stored.window.first_offset
            yield stored
        if block.count < 0 or cursor.pos != len(cursor.data):
            raise damaged()


def _unpack_one(cursor: Cursor, order: Order, *, sizes: bool) -> Stored:
    broker = cursor.sized()
    summed = sizes and not broker
    if summed:
        broker = cursor.sized()
    symbol = cursor.sized()
    for name in (broker, symbol):
        if not name or len(name) > MAX_NAME_BYTES:
            raise damaged()
        name.decode()
    numbers = [cursor.varint() for _ in range(_NUMBERS)]
    start, first, high, low, last, count, *times, offset, last_offset, a, b = numbers
    by_time = order is Order.EVENT_TIME
    window = Window(
        *(start, first, high, low, last, count),
        open_at=(times[0], a) if by_time else (a, offset),
        close_at=(times[1], b) if by_time else (b, last_offset),
        first_event=times[0],
        last_event=times[1],
        first_offset=offset,
        last_offset=last_offset,
        partial=False,
    )
    if summed:
        _unpack_sums(cursor, window, (a, b), order)
    return Stored(broker, symbol, window)


def _unpack_sums(cursor: Cursor, window: Window, rest: tuple[int, int], order: Order) -> None:
    flags = cursor.index(_UNPRICED + _SIZED + _MIXED + 1)
    window.priced, window.mixed = not flags & _UNPRICED, bool(flags & _MIXED)
    if flags & _SIZED:
        window.volume, window.turnover = _sum(cursor), _sum(cursor)
    if window.mixed:
        keys = cursor.varint(), cursor.varint()
        by_time = order is Order.EVENT_TIME
        window.open_at = (keys[0], rest[0]) if by_time else (rest[0], keys[0])
        window.close_at = (keys[1], rest[1]) if by_time else (rest[1], keys[1])
    if (window.mixed and not window.priced) or (window.volume or 0) < 0:
        raise damaged()


def _sum(cursor: Cursor) -> int:
    content = cursor.sized()
    number = int.from_bytes(content, "big", signed=True)
    if len(content) > _WIDEST or abs(number) >= MAX_SUM:
        raise damaged()
    return number


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
    """The bytes are not what :class:`PureOpenWindows` packed."""
    return ValueError("stored windows are damaged")
