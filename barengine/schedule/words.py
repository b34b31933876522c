"""How one word of a schedule is read: times, dates, weekdays. Every refusal says what to write."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Final

from barengine.model import NS_PER_S
from barengine.schedule.local_time import DAY_S, EPOCH, local_ns, zone_of

WHOLE_DAY: Final = "24h"
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_TIME_RE: Final = re.compile(r"(?:([+-][1-6])d +)?([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
_DATE_RE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HOUR_S: Final = 3600


def parse_time(text: str) -> int:
    """Local seconds from the midnight of the trading date; ``-1d 18:00`` is the evening before.

    Raises:
        ValueError: no such time.
    """
    match = _TIME_RE.fullmatch(text)
    if match is not None:
        days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
        of_day = hours * _HOUR_S + minutes * 60 + seconds
        if minutes < 60 and seconds < 60 and of_day <= DAY_S:
            return days * DAY_S + of_day
    raise ValueError(
        "write a local time from 00:00 to 24:00, such as 09:30 or 09:30:15; "
        "of another day as -1d 18:00 (the evening before) or +1d 02:00"
    )


def parse_date(text: str) -> date:
    """A calendar day.

    Raises:
        ValueError: no such day.
    """
    if _DATE_RE.fullmatch(text) is not None:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise ValueError("there is no such day; write one such as 2024-12-25") from None
        if 1800 <= day.year <= 2200:
            return day
    raise ValueError("write a date from 1800 to 2200 as year-month-day, such as 2024-12-25")


def parse_moment(text: str, zone: str) -> int:
    """A moment in ns since the epoch: local time of the zone, or with Z or an offset behind it.

    Raises:
        ValueError: no such moment.
    """
    try:
        moment = datetime.fromisoformat(text)
        parse_date(text[:10])
    except ValueError:
        moment = None
    if moment is None or moment.microsecond or len(text) <= len("2024-12-25"):
        raise ValueError(
            "write a local time with its date, such as 2020-03-09 09:34:13, "
            "or one of UTC, such as 2020-03-09T13:34:13Z"
        )
    if moment.tzinfo is not None:
        return (moment - EPOCH) // timedelta(seconds=1) * NS_PER_S
    second = moment.hour * _HOUR_S + moment.minute * 60 + moment.second
    return local_ns(zone_of(zone), moment.date(), second)


def parse_weekdays(text: str) -> list[int]:
    """The weekdays of ``mon``, ``mon-fri``, ``sun-thu``, ``mon,wed,fri`` or ``daily``, Monday 0.

    Raises:
        ValueError: not of that form.
    """
    if text == "daily":
        return list(range(7))
    found: list[int] = []
    for part in text.lower().split(","):
        first, _, last = (word.strip() for word in part.partition("-"))
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS or part.endswith("-"):
            raise ValueError(
                f"weekdays are {' '.join(WEEKDAYS)}: write one, several as mon-fri or mon,wed, "
                "or daily"
            )
        begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        found += [(begin + n) % 7 for n in range((end - begin) % 7 + 1)]
    return found
