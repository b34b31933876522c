"""The words of the engine as plain values: periods, bars, reasons. No I/O, no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Final

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
NEVER: Final = INT64_MIN
"""A clock that has not been set: earlier than every event time."""

MAX_NAME_BYTES: Final = 256
"""Longest broker or symbol name in UTF-8 bytes; a longer one is a dead letter."""

MAX_PRICE: Final = 10**18 - 1
"""Largest price in units of 10**-price_scale: what the bar's decimal(18) holds. A larger one,
though int64 would take it, is a dead letter."""

MAX_EVENT_NS: Final = 2**62
"""Event times outside ±2^62 ns (±146 years around 1970) are dead letters.

Half of int64, so that sums of a time, a window and a grace never overflow."""


class Watermark(StrEnum):
    """Whose clock closes a window."""

    BROKER = "broker"
    SERIES = "series"


class Order(StrEnum):
    """What decides which tick is first and last in a bucket."""

    EVENT_TIME = "event_time"
    OFFSET = "offset"


class Framing(StrEnum):
    """What stands before the Avro bytes of an input value."""

    CONFLUENT = "confluent"
    NONE = "none"


class LatePolicy(StrEnum):
    """What becomes of a tick whose bucket is closed."""

    TOPIC = "topic"
    DROP = "drop"


class KeyFormat(StrEnum):
    """How the key of a bar is written."""

    STRING = "string"
    AVRO = "avro"


class Reason(IntEnum):
    """Why a record did not become a tick of a bar. The closed label set of metrics and headers.

    ``WATERMARK`` and ``SILENCE`` are late ticks: the bucket was closed by event time, or by
    observed silence. All others are dead letters; ``FUTURE`` is the quarantine, and no value of a
    ``SCHEMA`` can become a tick.
    The numbers are shared with the compiled kernel.
    """

    FRAMING = 1
    UNKNOWN_SCHEMA = 2
    UNDECODABLE = 3
    MISSING_FIELD = 4
    EMPTY_NAME = 5
    NAME_TOO_LONG = 6
    PRICE_NOT_FINITE = 7
    PRICE_RANGE = 8
    TIME_RANGE = 9
    NULL_VALUE = 10
    FUTURE = 11
    SCHEMA = 12
    WATERMARK = 20
    SILENCE = 21

    @property
    def label(self) -> str:
        """The word in headers and metric labels, such as ``price_range``."""
        return self.name.lower()

    @property
    def late(self) -> bool:
        """Whether the record is a late tick, not a dead letter."""
        return self >= Reason.WATERMARK

    @property
    def revocable(self) -> bool:
        """Whether asking again later may give another answer, so that recovery must remember it."""
        return self in (Reason.FUTURE, Reason.UNKNOWN_SCHEMA, Reason.SCHEMA)


_PERIOD_NS: Final = {"s": NS_PER_S, "m": 60 * NS_PER_S, "h": 3600 * NS_PER_S}
_DAY_NS: Final = 24 * 3600 * NS_PER_S
_PERIOD_RE: Final = re.compile(r"([1-9][0-9]*)([smh])")


@dataclass(frozen=True, slots=True)
class Period:
    """A bar period such as ``1m``; its buckets are [k·length, (k+1)·length) from the epoch."""

    name: str
    length_ns: int

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read ``5s``, ``1m``, ``1h``.

        Raises:
            ValueError: not of that form, or not an even part of a day (then buckets would
                drift from one day to the next).
        """
        match = _PERIOD_RE.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is no period: write a number and s, m or h, such as 1m")
        length_ns = int(match[1]) * _PERIOD_NS[match[2]]
        if length_ns > _DAY_NS or _DAY_NS % length_ns:
            raise ValueError(f"{text!r} does not divide a day evenly: take 1s 5s 1m 5m 15m 1h …")
        return cls(text.strip(), length_ns)

    def floor(self, time_ns: int) -> int:
        """Start of the bucket that holds ``time_ns`` (floor, also before 1970)."""
        return time_ns - time_ns % self.length_ns

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of one series. Prices are integers scaled by 10**price_scale, times are ns.

    ``open_at`` and ``close_at`` are the (event time, offset) of the ticks that gave open and
    close; with them the merge of two bars needs nothing else.
    """

    broker: str
    symbol: str
    bucket_start_ns: int
    bucket_end_ns: int
    open: int
    high: int
    low: int
    close: int
    tick_count: int
    open_at: tuple[int, int]
    close_at: tuple[int, int]
    first_event_ns: int
    last_event_ns: int
    first_offset: int
    last_offset: int
    partial: bool = False


def merge(a: Bar, b: Bar, order: Order = Order.EVENT_TIME) -> Bar:
    """The bar of the ticks of ``a`` and ``b`` together: associative and commutative.

    Both must be of one series and bucket, and of different ticks.
    """
    by_offset = order is Order.OFFSET
    first, last = (
        (min(a, b, key=lambda x: x.open_at[1]), max(a, b, key=lambda x: x.close_at[1]))
        if by_offset
        else (min(a, b, key=lambda x: x.open_at), max(a, b, key=lambda x: x.close_at))
    )
    return replace(
        a,
        open=first.open,
        open_at=first.open_at,
        close=last.close,
        close_at=last.close_at,
        high=max(a.high, b.high),
        low=min(a.low, b.low),
        tick_count=a.tick_count + b.tick_count,
        first_event_ns=min(a.first_event_ns, b.first_event_ns),
        last_event_ns=max(a.last_event_ns, b.last_event_ns),
        first_offset=min(a.first_offset, b.first_offset),
        last_offset=max(a.last_offset, b.last_offset),
        partial=a.partial or b.partial,
    )
