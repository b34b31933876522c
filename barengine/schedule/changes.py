"""Where two versions of a market differ, from their rules: no version need be expanded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Final

from barengine.model import INT64_MAX, INT64_MIN
from barengine.schedule.market import Market
from barengine.schedule.rules import ALWAYS, ONE_DAY, Interval, RuleCalendar, days

ALL_TIME: Final = (INT64_MIN, INT64_MAX)

_SCAN: Final = 400
"""Days in which rules that differ show it. Where a year of special days hides it, the range has no
bound on that side: too much is said, never too little."""

_NEAR: Final = 9
"""Days: a session opens six before its date at most, and closes two after it."""


def changed_ranges(old: Market | None, new: Market | None) -> list[Interval]:
    """The [from_ns, to_ns) in which sessions or halts differ: disjoint, ascending."""
    if old is None or new is None:
        return [] if old is new else [ALL_TIME]
    a, b = old.calendar, new.calendar
    if a.fingerprint == b.fingerprint:
        return []
    if not (isinstance(a, RuleCalendar) and isinstance(b, RuleCalendar)) or a.zone != b.zone:
        return [ALL_TIME]
    return merged([*_by_rules(a, b), *_by_dates(a, b), *set(a.halts).symmetric_difference(b.halts)])


def merged(ranges: Iterable[Interval]) -> list[Interval]:
    """The same times as disjoint ranges in order; those that touch become one."""
    result: list[Interval] = []
    for start, end in sorted(ranges):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def _by_dates(a: RuleCalendar, b: RuleCalendar) -> Iterator[Interval]:
    for day in sorted(a.specials.keys() | b.specials.keys()):
        yield from _on(a, b, day)


def _by_rules(a: RuleCalendar, b: RuleCalendar) -> Iterator[Interval]:
    """One range for each stretch of dates in which the weekly hours differ."""
    begins = sorted({ALWAYS, *(rule.first for rule in (*a.rules, *b.rules))})
    for first, after in zip(begins, [*begins[1:], None], strict=True):
        if a.week_of(first) != b.week_of(first):
            yield from _stretch(a, b, first, None if after is None else after - ONE_DAY)


def _stretch(a: RuleCalendar, b: RuleCalendar, first: date, last: date | None) -> list[Interval]:
    """From the first to the last session that differs; none where all of them are special days."""
    if last is not None and (last - first).days < _SCAN:
        found = [each for day in days(first, last) for each in _on(a, b, day)]
        return [_span(found)] if found else []
    start, end = INT64_MIN, INT64_MAX
    if first != ALWAYS:
        start, _ = _edge(a, b, days(first, first + _SCAN * ONE_DAY))
    if last is not None:
        _, end = _edge(a, b, (last - n * ONE_DAY for n in range(_SCAN)))
    return [(start, end)]


def _edge(a: RuleCalendar, b: RuleCalendar, scan: Iterable[date]) -> Interval:
    """What the first days of a scan that differ span; all time where none differs.

    Nine of them, because a later date's session in one version can lie before an earlier date's
    in the other.
    """
    each = (one for day in scan for one in _on(a, b, day))
    return _span(list(islice(each, _NEAR)) or [ALL_TIME])


def _span(ranges: Sequence[Interval]) -> Interval:
    return min(start for start, _ in ranges), max(end for _, end in ranges)


def _on(a: RuleCalendar, b: RuleCalendar, day: date) -> Iterator[Interval]:
    """From the first open to the last close of a date that differs."""
    if a.hours(day) != b.hours(day):
        both = [one for one in (a.session("", day), b.session("", day)) if one is not None]
        if both:
            yield min(one.open_ns for one in both), max(one.close_ns for one in both)
