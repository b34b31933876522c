"""Hours in a schedule's YAML: those of a week, and those of one day."""

from __future__ import annotations

from typing import Final

from barengine.schedule.local_time import DAY_S
from barengine.schedule.page import Page, Place
from barengine.schedule.rules import CLOSED, Hours, Interval
from barengine.schedule.words import WHOLE_DAY, parse_time, parse_weekdays

_WAY_OUT: Final = f'write {{open: "09:30", close: "16:00"}}, or {WHOLE_DAY}'
_ROUND_THE_CLOCK: Final = Hours(0, DAY_S)


def read_week(page: Page, place: Place) -> tuple[Hours | None, ...]:
    """Weekly hours, Monday first; what is wrong goes to the page."""
    if place.scalar and place.text == WHOLE_DAY:
        return (_ROUND_THE_CLOCK,) * 7
    week: list[Hours | None] = list(CLOSED)
    way_out = f"write weekdays under it, such as mon-fri: {{open:, close:}}, or {WHOLE_DAY}"
    for key, value in page.entries(place, way_out):
        hours = read_hours(page, value)
        weekdays = page.parsed(key, parse_weekdays) or []
        if len(set(weekdays)) < len(weekdays) or any(week[day] for day in weekdays):
            page.wrong(key, "a day of it has hours already; name each day once")
        for weekday in weekdays:
            week[weekday] = hours
    return tuple(week)


def read_hours(page: Page, place: Place, usual: Hours | None = None) -> Hours | None:
    """The hours of one day, None after a problem.

    Args:
        page: that takes the problem.
        place: of the hours.
        usual: gives what is not written, and allows a ``name``.
    """
    if place.scalar:
        if place.text == WHOLE_DAY:
            return _ROUND_THE_CLOCK
        page.wrong(place, _WAY_OUT)
        return None
    found = page.keys(place, ("open", "close", "breaks"), () if usual else ("open", "close"))
    return hours_of(page, place, found, usual)


def hours_of(
    page: Page, place: Place, found: dict[str, Place], usual: Hours | None
) -> Hours | None:
    """The hours that the keys ``open``, ``close`` and ``breaks`` give, None after a problem."""
    open_s = _time(page, found, "open", usual.open_s if usual else None)
    close_s = _time(page, found, "close", usual.close_s if usual else None)
    if open_s is None or close_s is None or not in_order(page, place, open_s, close_s):
        return None
    if "breaks" in found:
        return Hours(open_s, close_s, _breaks(page, found["breaks"], open_s, close_s))
    return (usual or Hours(open_s, close_s)).within(open_s, close_s)


def in_order(page: Page, place: Place, open_s: int, close_s: int) -> bool:
    """Whether a session can be from one to the other; if not, the page has a problem more."""
    if open_s >= close_s:
        way_out = 'it must open before it closes; write open: "-1d 18:00" for the evening before'
        page.wrong(place, way_out)
    elif close_s <= 0 or close_s > 2 * DAY_S:
        page.wrong(place, "it must close on its trading date or the day after")
    else:
        return True
    return False


def _breaks(page: Page, place: Place, open_s: int, close_s: int) -> tuple[Interval, ...]:
    breaks: list[Interval] = []
    after = open_s
    for item in page.items(place, 'write a list such as [{from: "11:30", to: "12:30"}]'):
        found = page.keys(item, ("from", "to"), ("from", "to"))
        start, end = _time(page, found, "from", None), _time(page, found, "to", None)
        if start is None or end is None:
            continue
        if not after < start < end < close_s:
            page.wrong(item, "breaks lie in order, apart, and inside the session")
        breaks.append((start, end))
        after = end
    return tuple(breaks)


def _time(page: Page, found: dict[str, Place], key: str, usual: int | None) -> int | None:
    return page.parsed(found[key], parse_time) if key in found else usual
