"""One row for each series: the bar in the making, and the last final one beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from rich.text import Text

from barengine.demo.board import Candle, Line

_WIDE, _NARROW = 104, 78
"""From so many columns on: both bars in full; the final bar in full."""
_PRICE: Final = 8
_TICKS: Final = 5
_TIME: Final = len("00:00:00")
_NOW, _FINAL = "cyan", ""


class _Column(NamedTuple):
    heading: str
    width: int
    style: str = ""


def table(lines: Sequence[Line], width: int) -> list[Text]:
    """Headings and rows for a terminal of so many columns; names give way to numbers."""
    full_now, full_final = width >= _WIDE, width >= _NARROW
    now = _columns(full_now, _NOW)
    final = [_Column("at", _TIME, "dim"), *_columns(full_final, _FINAL)]
    taken = sum(column.width + 1 for column in (*now, *final))
    names = _Names(lines, max(6, width - taken - 1))
    rows = [_groups(names.width, now, final), _headings(names.width, now, final)]
    for line in lines:
        row = Text(f" {names.of(line)}")
        _append(row, now, _cells(line.current, full_now))
        _append(row, final, [_time(line.final), *_cells(line.final, full_final)])
        _color_close(row, line.final, len(row) - _TICKS - 1)
        rows.append(row)
    return rows


def _columns(full: bool, style: str) -> list[_Column]:
    prices = ("open", "high", "low", "close") if full else ("close",)
    return [*(_Column(name, _PRICE, style) for name in prices), _Column("ticks", _TICKS, style)]


def _cells(candle: Candle | None, full: bool) -> list[str]:
    if candle is None:
        return []
    prices = (candle.open, candle.high, candle.low) if full else ()
    return [*map(_price, (*prices, candle.close)), f"{candle.ticks:,}"]


def _time(candle: Candle | None) -> str:
    if candle is None:
        return ""
    return datetime.fromtimestamp(candle.start_ms / 1_000, UTC).strftime("%H:%M:%S")


def _append(row: Text, columns: Sequence[_Column], cells: Sequence[str]) -> None:
    for place, column in enumerate(columns):
        cell = cells[place] if place < len(cells) else ""
        row.append(f" {cell:>{column.width}}", style=column.style)


def _color_close(row: Text, candle: Candle | None, end: int) -> None:
    if candle is not None:
        rose = candle.close >= candle.open
        row.stylize("bold green" if rose else "bold red", end - _PRICE, end)


def _groups(names: int, now: Sequence[_Column], final: Sequence[_Column]) -> Text:
    row = Text(" " * (names + 1))
    for title, columns, style in (("now", now, _NOW), ("last final bar", final, _FINAL)):
        width = sum(column.width + 1 for column in columns) - 1
        row.append(" " + f" {title} ".center(width, "─"), style=f"dim {style}")
    return row


def _headings(names: int, now: Sequence[_Column], final: Sequence[_Column]) -> Text:
    row = Text(f" {'series':<{names}}", style="dim")
    for column in (*now, *final):
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
    name = "".join(char if char.isprintable() else "?" for char in name)
    return name.ljust(width) if len(name) <= width else name[: max(0, width - 1)] + "…"


def _price(price: float) -> str:
    """With as many digits as such a price usually has, in 8 characters unless it is huge."""
    size = abs(price)
    return f"{price:.5f}" if size < 10 else f"{price:.3f}" if size < 1_000 else f"{price:.2f}"
