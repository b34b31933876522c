"""A bar record decoded by fastavro, and held against what it must be."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

import fastavro

from barengine.codec.bar import bar_schema
from barengine.demo.records import OutputRecord

PRICES: Final = ("open", "high", "low", "close")


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
        self, record: OutputRecord, bar: Mapping[str, Any], key: str, expected: Mapping[str, object]
    ) -> Iterator[Mismatch]:
        """Every field that differs from what it must be, and what is wrong with the record."""
        for name, value in expected.items():
            if bar[name] != value:
                yield Mismatch(name, self._text(name, value), self._text(name, bar[name]))
        if record.key != key.encode():
            yield Mismatch("record key", repr(key.encode()), repr(record.key))
        if record.time_ms != bar["bucket_start"]:
            yield Mismatch("record timestamp", str(bar["bucket_start"]), str(record.time_ms))
        for name in ("open", "close"):
            if not bar["low"] <= bar[name] <= bar["high"]:
                yield Mismatch(name, "between low and high", self._text(name, bar[name]))

    def _text(self, name: str, value: object) -> str:
        if name in PRICES and isinstance(value, int):
            return str(Decimal(value).scaleb(-self._scale))
        return str(value)


def _plain(schema: Any) -> Any:
    """The schema without logical types: raw integers and bytes, nothing converted."""
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items() if key != "logicalType"}
    return [_plain(item) for item in schema] if isinstance(schema, list) else schema
