"""A schedule's YAML: what may be written, read into calendars. docs/schedule.md explains it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

from barengine.schedule.calendar_yaml import CalendarReader
from barengine.schedule.market import Market
from barengine.schedule.page import Page, Place, given
from barengine.schedule.schedule import Schedule

_T = TypeVar("_T")

_NAME_RE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
_NAME_WAY_OUT: Final = (
    "a market's name is 1 to 64 letters, digits, '.', '-', '/' and '_', and begins with a letter "
    "or digit"
)


def parse_schedule(text: str, source: str) -> Schedule:
    """Read a file: ``markets``, and which ``brokers`` trade on them, with a ``default``.

    Args:
        text: the YAML.
        source: its name in messages.

    Raises:
        ConfigurationError: with every problem; each names line, key, value and what to write.
    """
    return _read(text, source, _schedule)


def parse_market(name: str, text: str, source: str) -> Market:
    """Read the document of one market: what stands under its name in a file.

    Raises:
        ConfigurationError: as :func:`parse_schedule`.
    """

    def read(page: Page, root: Place) -> Market | None:
        if not _NAME_RE.fullmatch(name):
            page.problems.append(f"{page.source}: the name is {name!r}: {_NAME_WAY_OUT}")
        calendar = CalendarReader(page, root).read()
        return None if calendar is None else Market(name, calendar)

    return _read(text, source, read)


def parse_brokers(text: str, source: str) -> tuple[dict[str, str], str | None]:
    """Read a document that says only who trades where: ``brokers`` and ``default``.

    Raises:
        ConfigurationError: as :func:`parse_schedule`.
    """

    def read(page: Page, root: Place) -> tuple[dict[str, str], str | None]:
        found = page.keys(root, ("brokers", "default"))
        return _brokers(page, given(found, "brokers"), None), _default(page, found, None)

    return _read(text, source, read)


def _read(text: str, source: str, reader: Callable[[Page, Place], _T | None]) -> _T:
    page = Page(source)
    root = page.root(text)
    result = None if root is None else reader(page, root)
    page.check()
    assert result is not None
    return result


def _schedule(page: Page, root: Place) -> Schedule | None:
    found = page.keys(root, ("markets", "brokers", "default"), needed=("markets",))
    if "markets" not in found:
        return None
    markets: dict[str, Market] = {}
    names: set[str] = set()
    for key, value in page.entries(found["markets"], "write the markets' names under it"):
        names.add(key.text)
        if not _NAME_RE.fullmatch(key.text):
            page.wrong(key, _NAME_WAY_OUT)
        calendar = CalendarReader(page, value).read()
        if calendar is not None:
            markets[key.text] = Market(key.text, calendar)
    brokers = _brokers(page, given(found, "brokers"), names)
    default = _default(page, found, names)
    return None if page.problems else Schedule(markets, brokers, default)


def _brokers(page: Page, place: Place | None, markets: set[str] | None) -> dict[str, str]:
    """Broker -> market; ``markets`` None: they are elsewhere."""
    brokers: dict[str, str] = {}
    if place is not None:
        for key, value in page.entries(place, "write lines such as NYSE: XNYS under it"):
            market = _market_name(page, value, markets)
            if market is not None:
                brokers[key.text] = market
    return brokers


def _default(page: Page, found: dict[str, Place], markets: set[str] | None) -> str | None:
    place = given(found, "default")
    return None if place is None else _market_name(page, place, markets)


def _market_name(page: Page, place: Place, markets: set[str] | None) -> str | None:
    name = page.name(place, "write the name of a market")
    if name is not None and markets is not None and name not in markets:
        page.wrong(place, f"no such market; there are {', '.join(sorted(markets)) or 'none'}")
        return None
    return name
