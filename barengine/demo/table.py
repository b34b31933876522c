"""One row for each series: the bar in the making, and the last final ones beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from rich.text import Text

from barengine.demo.board import Candle, Line

_LEAST_NAMES: Final = 10
"""Columns that names keep before another group of numbers is shown."""
_PRICE: Final = 8
_TICKS: Final = 5
_TIME: Final = len("00:00:00")
_NOW, _FINAL, _FILLED = "cyan", "", "dim"
_PRICES: Final = ("open", "high", "low", "close")
_CAUSES: Final = {"quiet": "quiet", "halted": "halt", "feed_down": "down"}
"""Why a filled bar is empty, where its ticks would be counted."""


class _Column(NamedTuple):
    heading: str
    width: int
    style: str = ""


class _Group(NamedTuple):
    """Columns of one bar."""

    title: str
    columns: list[_Column]
    period: str | None
    """None: the bar in the making."""

    @property
    def width(self) -> int:
        return sum(column.width + 1 for column in self.columns)

    @property
    def full(self) -> bool:
        return "open" in (column.heading for column in self.columns)

    def bar(self, line: Line) -> Candle | None:
        return line.current if self.period is None else line.finals.get(self.period)


def table(
    lines: Sequence[Line], width: int, periods: Sequence[str], *, live: bool = False
) -> list[Text]:
    """Headings and rows for a terminal of so many columns; names give way to numbers.

    Args:
        periods: the base window first.
        live: the bar in the making comes from the engine.
    """
    groups = _groups(width, periods, live)
    names = _Names(lines, max(6, width - sum(group.width for group in groups) - 1))
    rows = [_titles(names.width, groups), _headings(names.width, groups)]
    for line in lines:
        row = Text(f" {names.of(line)}")
        for group in groups:
            _append(row, group, group.bar(line))
        rows.append(row)
    return rows


def _groups(width: int, periods: Sequence[str], live: bool) -> list[_Group]:
    """As much as there is room for: the base bars, every roll-up's close, then whole bars."""
    base, *rollups = periods
    now, last = "live" if live else "now", f"last final {base} bar" if rollups else "last final bar"
    chosen = [_group(now, None), _group(last, base)]
    whole = [_group(now, None, full=True), _group(last, base, full=True)]
    room = width - 1 - _LEAST_NAMES
    for period in rollups:
        if sum(group.width for group in chosen) + _group(period, period).width <= room:
            chosen.append(_group(period, period))
    for place in (1, 0):
        wider = [*chosen[:place], whole[place], *chosen[place + 1 :]]
        if sum(group.width for group in wider) <= room:
            chosen = wider
    return chosen


def _group(title: str, period: str | None, *, full: bool = False) -> _Group:
    style = _NOW if period is None else _FINAL
    at = [_Column("at", _TIME, "dim")] if title.startswith("last") else []
    prices = _PRICES if full else _PRICES[-1:]
    columns = [_Column(name, _PRICE, style) for name in prices]
    return _Group(title, [*at, *columns, _Column("ticks", _TICKS, style)], period)


def _cells(group: _Group, candle: Candle) -> list[str]:
    at = [time_of(candle)] if group.columns[0].heading == "at" else []
    prices = (candle.open, candle.high, candle.low) if group.full else ()
    ticks = _CAUSES.get(candle.cause, f"{candle.ticks:,}")
    return [*at, *map(price_text, (*prices, candle.close)), ticks]


def _append(row: Text, group: _Group, candle: Candle | None) -> None:
    cells = [] if candle is None else _cells(group, candle)
    filled = candle is not None and bool(candle.cause)
    for place, column in enumerate(group.columns):
        cell = cells[place] if place < len(cells) else ""
        row.append(f" {cell:>{column.width}}", style=_FILLED if filled else column.style)
    if candle is not None and group.period is not None and not filled:
        rose = candle.close >= candle.open
        end = len(row) - _TICKS - 1
        row.stylize("bold green" if rose else "bold red", end - _PRICE, end)


def time_of(candle: Candle) -> str:
    """Start of its bucket, in UTC."""
    return datetime.fromtimestamp(candle.start_ms / 1_000, UTC).strftime("%H:%M:%S")


def _titles(names: int, groups: Sequence[_Group]) -> Text:
    row = Text(" " * (names + 1))
    for group in groups:
        style = _NOW if group.period is None else _FINAL
        row.append(" " + f" {group.title} ".center(group.width - 1, "─"), style=f"dim {style}")
    return row


def _headings(names: int, groups: Sequence[_Group]) -> Text:
    row = Text(f" {'series':<{names}}", style="dim")
    for group in groups:
        for column in group.columns:
            row.append(f" {column.heading:>{column.width}}")
    return row


class _Names:
    """Broker and symbol in columns of their own, cut where there is no room for them."""

    def __init__(self, lines: Sequence[Line], room: int) -> None:
        brokers = max((len(line.broker) for line in lines), default=0)
        symbols = max((len(line.symbol) for line in lines), default=0)
        self._broker = min(brokers, max(room // 2, room - 1 - symbols))
        self._symbol = min(symbols, room - 1 - self._broker)
        self.width = max(len("series"), self._broker + 1 + self._symbol)

    def of(self, line: Line) -> str:
        """The name of one series, ``width`` characters long."""
        broker, symbol = _cut(line.broker, self._broker), _cut(line.symbol, self._symbol)
        return f"{broker} {symbol}".ljust(self.width)


def _cut(name: str, width: int) -> str:
    name = clean(name)
    return name.ljust(width) if len(name) <= width else name[: max(0, width - 1)] + "…"


def clean(name: str) -> str:
    """A name that cannot do anything to a terminal."""
    return "".join(char if char.isprintable() else "?" for char in name)


def price_text(price: float) -> str:
    """With as many digits as such a price usually has, in 8 characters unless it is huge."""
    size = abs(price)
    return f"{price:.5f}" if size < 10 else f"{price:.3f}" if size < 1_000 else f"{price:.2f}"
