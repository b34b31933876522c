"""From the wall clocks of a time zone to the one time line. Days are calendar days: some have 23
hours, some 25.

Two local times need a rule where clocks change:

- one that does not exist (02:30 where 02:00 becomes 03:00) is the moment of the change;
- one that occurs twice is its first occurrence.

In one sentence: the first moment at which the clocks show that time, or a later one. So a later
local time is never an earlier moment, and what is in order on paper is in order on every day.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from barengine.model import NS_PER_S
from barengine.schedule.session import EPOCH_DAY

DAY_S = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """The IANA time zone of that name.

    Raises:
        ValueError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: the name of a folder of zones
        raise ValueError(f"there is no time zone {name!r}") from None


def local_ns(zone: ZoneInfo, day: date, second: int) -> int:
    """The moment, in ns since the epoch, of a wall-clock time.

    Args:
        zone: whose clocks.
        day: the calendar day from whose midnight ``second`` counts.
        second: of the clock's hands: 34 200 is 09:30, less than 0 is a day before, and 86 400 or
            more a day after, however long the days are.
    """
    days, rest = divmod(second, DAY_S)
    ordinal = day.toordinal() + days
    naive = datetime.fromordinal(ordinal) + timedelta(seconds=rest)
    clock_s = (ordinal - EPOCH_DAY) * DAY_S + rest
    before = _offset_s(naive.replace(tzinfo=zone))
    after = _offset_s(naive.replace(tzinfo=zone, fold=1))
    if after > before:
        return _change_s(zone, clock_s - after, clock_s - before) * NS_PER_S
    return (clock_s - before) * NS_PER_S


def utc_datetime(time_ns: int) -> datetime:
    """The moment as a datetime in UTC, cut to the second."""
    return EPOCH + timedelta(seconds=time_ns // NS_PER_S)


def _offset_s(moment: datetime) -> int:
    offset = moment.utcoffset()
    assert offset is not None
    return offset.days * DAY_S + offset.seconds


def _change_s(zone: ZoneInfo, low: int, high: int) -> int:
    """The first second in (low, high] that has the later offset."""

    def offset(second: int) -> int:
        return _offset_s((EPOCH + timedelta(seconds=second)).astimezone(zone))

    old = offset(low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(middle) == old else (low, middle)
    return high
