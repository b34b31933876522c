"""The document of one market: zone, weekly sessions, the days that differ, halts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from difflib import get_close_matches
from functools import partial
from typing import Final
from zoneinfo import available_timezones

from barengine.schedule.hours_yaml import hours_of, in_order, read_hours, read_week
from barengine.schedule.local_time import DAY_S, zone_of
from barengine.schedule.page import Page, Place, given
from barengine.schedule.rules import (
    ALWAYS,
    ONE_DAY,
    Hours,
    Interval,
    Kind,
    Rule,
    RuleCalendar,
    Special,
    days,
)
from barengine.schedule.words import parse_date, parse_moment, parse_time

_KEYS: Final = ("zone", "sessions", "rules", "holidays", "short_days", "extra_sessions", "halts")
_ANY_DAY: Final = date(2001, 1, 1)


class CalendarReader:
    """Reads one market; problems go to the page.

    Args:
        page: that the market is on.
        place: of its document.
    """

    def __init__(self, page: Page, place: Place) -> None:
        self._page = page
        self._place = place
        self._rules: dict[date, tuple[Rule, Place]] = {}
        self._specials: dict[date, tuple[Special, Place]] = {}

    def read(self) -> RuleCalendar | None:
        """The calendar, or None after a problem."""
        page, before = self._page, len(self._page.problems)
        found = page.keys(self._place, _KEYS, needed=("zone",))
        zone = self._zone(found["zone"]) if "zone" in found else ""
        self._read_rules(found)
        rules = tuple(self._rules[first][0] for first in sorted(self._rules))
        if len(page.problems) == before:  # else days would be held against hours that are wrong
            self._read_specials(found, RuleCalendar(zone, rules))
        listed = given(found, "halts")
        halts = self._halts(listed, zone) if listed is not None and zone else ()
        if len(page.problems) > before:
            return None
        specials = {day: one for day, (one, _) in sorted(self._specials.items())}
        calendar = RuleCalendar(zone, rules, specials, halts)
        self._check_order(calendar)
        return calendar if len(page.problems) == before else None

    def _zone(self, place: Place) -> str:
        way_out = "write a time zone of the IANA list, such as America/New_York"
        name = self._page.name(place, way_out) or ""
        try:
            return zone_of(name).key if name else ""
        except ValueError:
            close = get_close_matches(name, available_timezones(), n=1)
            self._page.wrong(place, way_out + (f"; did you mean {close[0]}?" if close else ""))
            return ""

    # -- weekly hours ----------------------------------------------------------------------

    def _read_rules(self, found: dict[str, Place]) -> None:
        page = self._page
        if ("sessions" in found) == ("rules" in found):
            page.wrong(
                self._place,
                "write either sessions (hours that always hold) or rules (hours from a date on)",
            )
        elif "sessions" in found:
            place = found["sessions"]
            self._rules[ALWAYS] = Rule(ALWAYS, read_week(page, place)), place
        else:
            items = page.items(found["rules"], "write a list of {from:, sessions:}")
            for place in items:
                self._read_rule(place)
            if not items and found["rules"].is_list:
                page.wrong(found["rules"], "write a rule at least: - {from:, sessions:}")

    def _read_rule(self, place: Place) -> None:
        page = self._page
        found = page.keys(place, ("from", "sessions"), needed=("sessions",))
        first = page.parsed(found["from"], parse_date) if "from" in found else ALWAYS
        if first is None or "sessions" not in found:
            return
        if first in self._rules:
            since = "without from" if first == ALWAYS else f"from {first}"
            page.wrong(place, f"there is a rule {since} already; remove one")
        self._rules[first] = Rule(first, read_week(page, found["sessions"])), place

    # -- days that differ ------------------------------------------------------------------

    def _read_specials(self, found: dict[str, Place], usual: RuleCalendar) -> None:
        readers: dict[str, Callable[[date, Place, Place], Special | None]] = {
            "holidays": self._read_holiday,
            "short_days": partial(self._read_short_day, usual),
            "extra_sessions": partial(self._read_extra_session, usual),
        }
        for name, read in readers.items():
            for day, key, value in self._dates(given(found, name)):
                special = read(day, key, value)
                if special is not None:
                    self._add(day, special, key)

    def _dates(self, place: Place | None) -> Iterator[tuple[date, Place, Place]]:
        if place is None:
            return
        for key, value in self._page.entries(place, "write dates under it, such as 2024-12-25:"):
            day = self._page.parsed(key, parse_date)
            if day is not None:
                yield day, key, value

    def _add(self, day: date, special: Special, key: Place) -> None:
        if day in self._specials:
            other, where = self._specials[day]
            self._page.wrong(key, f"it is a {other.kind} too (line {where.line}); remove one")
        self._specials[day] = special, key

    def _read_holiday(self, _day: date, _key: Place, value: Place) -> Special | None:
        if value.scalar:
            return Special(Kind.HOLIDAY, None, value.text)
        self._page.wrong(value, "write the holiday's name, or nothing")
        return None

    def _read_short_day(
        self, calendar: RuleCalendar, day: date, key: Place, value: Place
    ) -> Special | None:
        usual = calendar.weekly(day)
        if usual is None:
            way_out = "that day has no session to shorten; write it under extra_sessions"
            self._page.wrong(key, way_out)
            return None
        if not value.scalar:
            return self._special(Kind.SHORT_DAY, value, usual)
        close_s = self._page.parsed(value, parse_time)
        if close_s is None or not in_order(self._page, value, usual.open_s, close_s):
            return None
        return Special(Kind.SHORT_DAY, usual.within(usual.open_s, close_s))

    def _read_extra_session(
        self, calendar: RuleCalendar, day: date, key: Place, value: Place
    ) -> Special | None:
        if calendar.weekly(day) is not None:
            self._page.wrong(key, "that day has a session; write it under short_days")
            return None
        return self._special(Kind.EXTRA_SESSION, value, None)

    def _special(self, kind: Kind, value: Place, usual: Hours | None) -> Special | None:
        page = self._page
        if value.scalar:
            hours = read_hours(page, value)
            return None if hours is None else Special(kind, hours)
        needed = () if usual else ("open", "close")
        found = page.keys(value, ("open", "close", "breaks", "name"), needed)
        hours = hours_of(page, value, found, usual)
        name = page.name(found["name"], "write a name") if "name" in found else ""
        return None if hours is None or name is None else Special(kind, hours, name)

    # -- halts -----------------------------------------------------------------------------

    def _halts(self, place: Place, zone: str) -> tuple[Interval, ...]:
        items = self._page.items(place, "write a list of {from:, to:}")
        found = (self._halt(item, partial(parse_moment, zone=zone)) for item in items)
        return tuple(_merged(halt for halt in found if halt is not None))

    def _halt(self, place: Place, parse: partial[int]) -> Interval | None:
        page = self._page
        found = page.keys(place, ("from", "to", "name"), needed=("from", "to"))
        ends = [page.parsed(found[key], parse) if key in found else None for key in ("from", "to")]
        start, end = ends
        if start is None or end is None:
            return None
        if start >= end:
            page.wrong(place, "it must begin before it ends")
        return start, end

    # -- the whole -------------------------------------------------------------------------

    def _check_order(self, calendar: RuleCalendar) -> None:
        """No session may begin before the one of an earlier date has ended."""
        for first, (rule, place) in self._rules.items():
            alone = RuleCalendar(calendar.zone, (Rule(ALWAYS, rule.week),))
            if self._in_order_around(alone, _ANY_DAY, place) and first != ALWAYS:
                self._in_order_around(calendar, first, place)
        for day, (_, place) in self._specials.items():
            self._in_order_around(calendar, day, place)

    def _in_order_around(self, calendar: RuleCalendar, day: date, place: Place) -> bool:
        # A session lasts eight days at most, so it cannot meet one that is further away.
        before, end_s = day, 0
        for each in days(day - 8 * ONE_DAY, day + 8 * ONE_DAY):
            hours = calendar.hours(each)
            if hours is None:
                continue
            midnight_s = each.toordinal() * DAY_S
            if midnight_s + hours.open_s < end_s:
                why = f"the session of {each:%a %F} opens before that of {before:%a %F} has closed"
                self._page.wrong(place, f"{why}; let one end where the next begins, or earlier")
                return False
            before, end_s = each, midnight_s + hours.close_s
        return True


def _merged(ranges: Iterable[Interval]) -> list[Interval]:
    """The same times as disjoint ranges in order; those that touch become one."""
    result: list[Interval] = []
    for start, end in sorted(ranges):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result
