"""The words of the engine as plain values: periods, bars, reasons. No I/O, no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag, StrEnum
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

SIZE_SCALE: Final = 9
"""Decimals of a size and of a volume. A turnover has these and those of a price."""

MAX_SIZE: Final = 10**18 - 1
"""Largest size in units of 10**-9; a larger or a negative one is a dead letter."""

MAX_SUM: Final = 10**33
"""Volume and turnover of one base window stay below it (on both sides of zero). 10^5 of them,
more than a day has seconds, then add up to less than 10^38: no sum of bars overflows decimal(38).
At the default scale that is a turnover of 10^15; a tick that would exceed it is a dead letter."""

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
    CORRECT = "correct"


class OutOfSession(StrEnum):
    """What becomes of a tick outside its market's sessions."""

    INCLUDE = "include"
    LATE = "late"
    DEAD = "dead"


class KeyFormat(StrEnum):
    """How the key of a bar is written."""

    STRING = "string"
    AVRO = "avro"


class Origin(StrEnum):
    """Where a bar comes from. In the order of the bar schema's enum."""

    TICKS = "ticks"
    FILLED = "filled"
    IMPORTED = "imported"


class Cause(StrEnum):
    """Why a filled bar is empty. In the order of the bar schema's enum."""

    QUIET = "quiet"
    HALTED = "halted"
    FEED_DOWN = "feed_down"


class Normalize(StrEnum):
    """What is done to every symbol before anything else."""

    NONE = "none"
    UPPER = "upper"

    def apply(self, symbol: bytes) -> bytes:
        """The symbol in normal form: ``upper`` turns a to z into A to Z, and nothing else, so that
        a name keeps its length."""
        return symbol.upper() if self is Normalize.UPPER else symbol


class Touch(IntFlag):
    """What a tick may touch in its bar. The numbers are shared with the compiled kernel."""

    PRICE = 1
    VOLUME = 2
    BOTH = 3


class Reason(IntEnum):
    """Why a record did not become a tick of a bar. The closed label set of metrics and headers.

    ``WATERMARK`` and ``SILENCE`` are late ticks: the bucket was closed by event time, or by
    observed silence. ``OUT_OF_SESSION`` is one of both kinds, as OUT_OF_SESSION of the settings
    says. All others are dead letters; ``FUTURE`` is the quarantine, and no value of a
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
    SIZE_NOT_FINITE = 13
    SIZE_RANGE = 14
    FLAGS = 15
    TOUCHES_NOTHING = 16
    OUT_OF_SESSION = 17
    WATERMARK = 20
    SILENCE = 21
    OUT_OF_SESSION_LATE = 22

    @property
    def label(self) -> str:
        """The word in headers and metric labels, such as ``price_range``."""
        return self.name.lower().removesuffix("_late")

    @property
    def late(self) -> bool:
        """Whether the record is a late tick, not a dead letter."""
        return self >= Reason.WATERMARK

    @property
    def revocable(self) -> bool:
        """Whether asking again later may give another answer, so that recovery must remember it."""
        return self in _REVOCABLE


_REVOCABLE: Final = frozenset(
    {
        Reason.FUTURE,
        Reason.UNKNOWN_SCHEMA,
        Reason.SCHEMA,
        Reason.OUT_OF_SESSION,
        Reason.OUT_OF_SESSION_LATE,
    }
)

HOUR_NS: Final = 3600 * NS_PER_S
DAY_NS: Final = 24 * HOUR_NS
_PERIOD_NS: Final = {"s": NS_PER_S, "m": 60 * NS_PER_S, "h": HOUR_NS, "d": DAY_NS}
_PERIOD_RE: Final = re.compile(r"([1-9][0-9]*)([smhd])")


@dataclass(frozen=True, slots=True)
class Period:
    """A bar period such as ``1m``; its buckets are [k·length, (k+1)·length) from the epoch."""

    name: str
    length_ns: int

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read ``5s``, ``1m``, ``1h``, ``1d``.

        Raises:
            ValueError: not of that form, or not an even part of a day (then buckets would
                drift from one day to the next).
        """
        match = _PERIOD_RE.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is no period: write a number and s, m, h or d, such as 1m")
        length_ns = int(match[1]) * _PERIOD_NS[match[2]]
        if length_ns > DAY_NS or DAY_NS % length_ns:
            raise ValueError(f"{text!r} does not divide a day evenly: take 1s 5s 1m 5m 15m 1h 1d …")
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
    volume: int | None = None
    """Sum of sizes in units of 10**-9; None where no tick had a size."""
    turnover: int | None = None
    """Sum of price times size in units of 10**-(price_scale + 9); None with ``volume``."""
    priced: bool = True
    """Whether a tick that may touch the price made the prices. Else they are those of ticks that
    may not, and give way to any that may."""
    revision: int = 0
    final: bool = True
    origin: Origin = Origin.TICKS
    cause: Cause | None = None
    """Of a filled bar alone."""
    trading_date: int | None = None
    """Days since 1970-01-01; of day and session bars."""

    @property
    def vwap(self) -> int | None:
        """Turnover by volume, rounded half to even to a price.

        low <= vwap <= high: prices are whole numbers here, and rounding leaves those where they
        are, so it never carries a mean over low or high. None without volume, and where ticks that
        touch the volume alone have drawn the mean out of [low, high].
        """
        if not self.volume or self.turnover is None:
            return None
        quotient, rest = divmod(self.turnover, self.volume)
        mean = quotient + (2 * rest + (quotient & 1) > self.volume)
        return mean if self.low <= mean <= self.high else None


def merge(a: Bar, b: Bar, order: Order = Order.EVENT_TIME) -> Bar:
    """The bar of the ticks of ``a`` and ``b`` together: associative and commutative.

    Both must be of one series and bucket, and of different ticks. Prices come from ticks that may
    touch the price, else from other ticks, else from filled bars; times and offsets from ticks.
    """
    best = max(_rank(a), _rank(b))
    prices = [bar for bar in (a, b) if _rank(bar) == best]
    audit = [bar for bar in (a, b) if bar.tick_count] or [a, b]
    by_offset = order is Order.OFFSET
    first = min(prices, key=lambda bar: bar.open_at[by_offset:])
    last = max(prices, key=lambda bar: bar.close_at[by_offset:])
    origin = min(a.origin, b.origin, key=_MERGED_ORIGINS.index)
    return replace(
        a,
        open=first.open,
        open_at=first.open_at,
        close=last.close,
        close_at=last.close_at,
        high=max(bar.high for bar in prices),
        low=min(bar.low for bar in prices),
        tick_count=a.tick_count + b.tick_count,
        first_event_ns=min(bar.first_event_ns for bar in audit),
        last_event_ns=max(bar.last_event_ns for bar in audit),
        first_offset=min(bar.first_offset for bar in audit),
        last_offset=max(bar.last_offset for bar in audit),
        partial=a.partial or b.partial,
        volume=_sum(a.volume, b.volume),
        turnover=_sum(a.turnover, b.turnover),
        priced=a.priced or b.priced,
        revision=max(a.revision, b.revision),
        final=a.final and b.final,
        origin=origin,
        cause=_worst(a.cause, b.cause) if origin is Origin.FILLED else None,
        trading_date=a.trading_date if a.trading_date == b.trading_date else None,
    )


_MERGED_ORIGINS: Final = (Origin.TICKS, Origin.IMPORTED, Origin.FILLED)
"""The first of them that is in a bar names it."""


def _rank(bar: Bar) -> int:
    """Whose prices count: those of the highest rank alone."""
    if not bar.tick_count and bar.origin is Origin.FILLED:
        return 0
    return 2 if bar.priced else 1


def _sum(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _worst(a: Cause | None, b: Cause | None) -> Cause | None:
    return max((one for one in (a, b) if one), key=[*Cause].index, default=None)
