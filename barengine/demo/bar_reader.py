"""A bar record decoded by fastavro, and held against what it must be."""

from __future__ import annotations

import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

import fastavro

from barengine.codec.bar import bar_schema
from barengine.demo.expected import Series, Window
from barengine.demo.records import OutputRecord
from barengine.demo.tick_reader import exact_price

PRICES: Final = ("open", "high", "low", "close")
_ALWAYS: Final = {
    "volume": None,
    "turnover": None,
    "vwap": None,
    "revision": 0,
    "final": True,
    "origin": "ticks",
    "cause": None,
    "trading_date": None,
}
"""What every bar has that comes from ticks without size, for the first time."""


class Mismatch(NamedTuple):
    """One field that is not what it must be."""

    field: str
    expected: str
    got: str


class BarReader:
    """Decodes bars of one price scale. Prices come as unscaled integers, times as ms."""

    def __init__(self, price_scale: int) -> None:
        self._scale = price_scale
        self._schema = fastavro.parse_schema(_plain(bar_schema(price_scale)))

    def decode(self, value: bytes | None) -> dict[str, Any]:
        """One bar by field name.

        Raises:
            ValueError: it is no bar, or more than a bar.
        """
        stream = io.BytesIO(value or b"")
        try:
            bar = fastavro.schemaless_reader(stream, self._schema, None)
        except Exception as error:  # fastavro raises many kinds on damaged bytes
            raise ValueError(f"no bar: {error!r}") from error
        if stream.read(1):
            raise ValueError("bytes behind the bar")
        if not isinstance(bar, dict):
            raise ValueError("no record")
        for name in PRICES:
            bar[name] = int.from_bytes(bar[name], "big", signed=True)
        return bar

    def mismatches(
        self,
        record: OutputRecord,
        bar: dict[str, Any],
        series: Series,
        window: Window,
        period: tuple[str, int],
        whole: bool,
    ) -> Iterator[Mismatch]:
        """Every field that differs from what the ticks make of it.

        Args:
            period: its name, and its length in ms.
            whole: the engine began at the first record of the log, so no bar is partial.
        """
        start_ms = bar["bucket_start"]
        expected = self._expected(series, window, start_ms, period)
        if whole:
            expected["partial"] = False
        for name, value in expected.items():
            if bar[name] != value:
                yield Mismatch(name, self._text(name, value), self._text(name, bar[name]))
        key = series.key(start_ms).encode()
        if record.key != key:
            yield Mismatch("record key", repr(key), repr(record.key))
        if record.time_ms != start_ms:
            yield Mismatch("record timestamp", str(start_ms), str(record.time_ms))
        for name in ("open", "close"):
            if not bar["low"] <= bar[name] <= bar["high"]:
                yield Mismatch(name, "between low and high", self._text(name, bar[name]))
        if series.last_start_ms is not None and start_ms < series.last_start_ms:
            yield Mismatch("place in the topic", f"before {series.last_start_ms}", "behind it")

    def _expected(
        self, series: Series, window: Window, start_ms: int, period: tuple[str, int]
    ) -> dict[str, object]:
        name, length_ms = period
        prices = (window.open, window.high, window.low, window.close)
        return {
            "broker": series.broker,
            "symbol": series.symbol,
            "period": name,
            "bucket_end": start_ms + length_ms,
            **{
                field: exact_price(price, self._scale)
                for field, price in zip(PRICES, prices, strict=True)
            },
            "tick_count": window.count,
            "first_event_time": window.first_ms,
            "last_event_time": window.last_ms,
            "first_offset": window.first_offset,
            "last_offset": window.last_offset,
            **_ALWAYS,
        }

    def _text(self, name: str, value: object) -> str:
        if name in PRICES and isinstance(value, int):
            return str(Decimal(value).scaleb(-self._scale))
        return str(value)


def _plain(schema: Any) -> Any:
    """The schema without logical types: raw integers and bytes, nothing converted."""
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items() if key != "logicalType"}
    return [_plain(item) for item in schema] if isinstance(schema, list) else schema
