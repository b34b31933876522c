"""Ticks from a CSV file: a header, then one tick a line.

broker,symbol,timestamp,price          (or bid in place of price; other columns are ignored)
alpha,EURUSD,2026-03-02T08:00:00.125Z,1.08450
alpha,EURUSD,1772438400300,1.08452     (epoch milliseconds)
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from barengine.demo.ticks import Planned, encode_tick
from barengine.errors import ConfigurationError
from barengine.model import MAX_NAME_BYTES

_NAMES: Final = ("broker", "symbol", "timestamp")
_PRICES: Final = ("price", "bid")
_TOLD: Final = 5
"""Problems that are told; a file that is wrong throughout needs no more."""

_PRICE_RE: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_INTEGER_RE: Final = re.compile(r"-?[0-9]{1,19}")
_MAX_PRICE: Final = 9.2e9
_YEAR_2100_MS: Final = 4_102_444_800_000
"""A number beyond it is meant as micro- or nanoseconds."""

_K = TypeVar("_K", str, tuple[str, str])

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


class Row(NamedTuple):
    """One tick of the file."""

    broker: str
    symbol: str
    event_ms: int
    price: float


@dataclass(slots=True)
class Facts:
    """What a first pass over the file has found."""

    rows: int = 0
    first_ms: int = 0
    last_ms: int = 0
    series: int = 0
    behind_broker_ms: int = 0
    """How far a tick is behind an earlier one of the same broker, at the most."""
    behind_series_ms: int = 0
    """The same within one series."""


def scan(path: Path) -> Facts:
    """Read all of the file once.

    Raises:
        ConfigurationError: it cannot be read, or lines are wrong; names lines and columns.
    """
    facts, problems = Facts(), list[str]()
    by_broker: dict[str, int] = {}
    by_series: dict[tuple[str, str], int] = {}
    for row in read(path, problems):
        facts.first_ms = row.event_ms if not facts.rows else min(facts.first_ms, row.event_ms)
        facts.last_ms = row.event_ms if not facts.rows else max(facts.last_ms, row.event_ms)
        facts.rows += 1
        behind_ms = _behind(by_broker, row.broker, row.event_ms)
        facts.behind_broker_ms = max(facts.behind_broker_ms, behind_ms)
        behind_ms = _behind(by_series, (row.broker, row.symbol), row.event_ms)
        facts.behind_series_ms = max(facts.behind_series_ms, behind_ms)
    if not problems and not facts.rows:
        problems.append(f"{path} holds no tick behind its header")
    if problems:
        raise ConfigurationError(*problems)
    facts.series = len(by_series)
    return facts


def play(path: Path, speed: float | None) -> Iterator[Planned]:
    """The ticks in the order of the file.

    Args:
        speed: times real time; None: all are due at once.

    Raises:
        ConfigurationError: the file has changed since :func:`scan` and is wrong now.
    """
    problems: list[str] = []
    first_ms: int | None = None
    due_ms = 0.0
    for row in read(path, problems):
        first_ms = row.event_ms if first_ms is None else first_ms
        if speed is not None:
            due_ms = max(due_ms, (row.event_ms - first_ms) / speed)
        yield Planned(due_ms, *row, encode_tick(*row))
    if problems:
        raise ConfigurationError(*problems)


def read(path: Path, problems: list[str]) -> Iterator[Row]:
    """The good lines of the file; what is wrong with others is added to ``problems``."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            header = next(lines, [])
            columns = _columns(header)
            for line in lines:
                place = f"{path} line {lines.line_num}"
                row = _row(line, columns, place, problems) if line else None
                if row is not None:
                    yield row
                if len(problems) >= _TOLD:
                    return
    except OSError as error:
        problems.append(f"{path} cannot be read ({error.strerror}); write the path of a CSV file")
    except UnicodeDecodeError:
        problems.append(f"{path} is not UTF-8")
    except (csv.Error, ValueError) as error:
        problems.append(f"{path}: {error}")


def _columns(header: list[str]) -> Mapping[str, int]:
    """Where each of the four columns is.

    Raises:
        ValueError: one is missing.
    """
    places = {name.strip().lower(): place for place, name in reversed([*enumerate(header)])}
    price = next((name for name in _PRICES if name in places), None)
    missing = [name for name in _NAMES if name not in places]
    if price is None:
        missing.append(" or ".join(_PRICES))
    if price is None or missing:
        shown = ",".join(header) or "empty"
        raise ValueError(
            f"line 1 must name the columns {','.join(_NAMES)},price; "
            f"missing: {', '.join(missing)}; it is: {shown[:120]}"
        )
    return {name: places[name] for name in _NAMES} | {"price": places[price]}


def _row(
    line: list[str], columns: Mapping[str, int], where: str, problems: list[str]
) -> Row | None:
    values: list[Any] = []
    for name, place in columns.items():
        try:
            values.append(_READERS[name](line[place].strip()))
        except IndexError:
            problems.append(f"{where}, column {name}: missing, the line has {len(line)} columns")
            return None
        except ValueError as error:
            problems.append(f"{where}, column {name}: {error}")
            return None
    return Row(*values)


def _read_name(text: str) -> str:
    if not text:
        raise ValueError("it is empty")
    if len(text.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"it is longer than {MAX_NAME_BYTES} bytes")
    return text


def read_time(text: str) -> int:
    """Epoch milliseconds, or ISO 8601 with a zone, in ms; what is finer is cut off.

    Raises:
        ValueError: neither, and why.
    """
    if _INTEGER_RE.fullmatch(text):
        event_ms = int(text)
        if abs(event_ms) > _YEAR_2100_MS:
            raise ValueError(f"{text} lies beyond the year 2100; write milliseconds")
        return event_ms
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no time; write epoch milliseconds or 2026-03-02T08:00:00.125Z"
        ) from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no zone; end it with Z or an offset such as +01:00")
    return (moment - _EPOCH) // _MS


def _read_price(text: str) -> float:
    if not _PRICE_RE.fullmatch(text):
        raise ValueError(f"{text!r} is no price; write a decimal number such as 1.0845")
    price = float(text)
    if abs(price) > _MAX_PRICE:
        raise ValueError(f"{text} is too large; prices end at {_MAX_PRICE:.1e}")
    return price


_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "broker": _read_name,
    "symbol": _read_name,
    "timestamp": read_time,
    "price": _read_price,
}


def _behind(clocks: dict[_K, int], key: _K, event_ms: int) -> int:
    """Move a clock on; returns how far the tick is behind it, in ms."""
    latest_ms = clocks.get(key, event_ms)
    clocks[key] = max(latest_ms, event_ms)
    return max(0, latest_ms - event_ms)
