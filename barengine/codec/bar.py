"""The Bar in Avro: schema, value and key. The schema is generated with the price scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from barengine.codec.varint import encode_varint
from barengine.model import NS_PER_MS, SIZE_SCALE, Bar, Cause, KeyFormat, Origin
from barengine.naming import bar_key, join

NAMESPACE: Final = "barengine"
MAX_PRICE_SCALE: Final = 18
"""The digits of a decimal(18): a larger scale would leave none before the point."""

ORIGINS: Final = tuple(Origin)
CAUSES: Final = tuple(Cause)

_Schema = dict[str, Any]

_TRUE: Final = b"\x01"
_FALSE: Final = b"\x00"
_NULL: Final = encode_varint(0)
"""Index of the null branch: it comes first in every union of a Bar."""

_SOME: Final = encode_varint(1)
"""Index of the other one."""


def bar_schema(price_scale: int) -> _Schema:
    """The Avro schema of bars whose prices have ``price_scale`` decimals.

    Raises:
        ValueError: the scale is outside 0..18.
    """
    if not 0 <= price_scale <= MAX_PRICE_SCALE:
        raise ValueError(f"price scale {price_scale} is outside 0..{MAX_PRICE_SCALE}")
    price = _decimal(18, price_scale)
    return {
        "type": "record",
        "name": "Bar",
        "namespace": NAMESPACE,
        "doc": "One bar of one series (broker, symbol) over the bucket [bucket_start, bucket_end).",
        "fields": [
            *_identity_fields(),
            _field("open", price, "Price of the first tick."),
            _field("high", price, "Highest price."),
            _field("low", price, "Lowest price."),
            _field("close", price, "Price of the last tick."),
            *_volume_fields(price, price_scale),
            *_audit_fields(),
            *_status_fields(),
        ],
    }


def bar_key_schema() -> _Schema:
    """The Avro schema of bar keys under ``KEY_FORMAT=avro``."""
    return {
        "type": "record",
        "name": "BarKey",
        "namespace": NAMESPACE,
        "doc": "Names one bar of a bar topic.",
        "fields": [
            _field("broker", "string", "Broker of the series."),
            _field("symbol", "string", "Symbol of the series."),
            _field("bucket_start", _timestamp(), "Start of the bucket, inclusive."),
        ],
    }


def encode_bar_value(bar: Bar, period: str) -> bytes:
    """A bar as Avro binary of :func:`bar_schema`, without a frame. Times are cut to ms."""
    return b"".join(
        (
            _text(bar.broker),
            _text(bar.symbol),
            _text(period),
            _millis(bar.bucket_start_ns),
            _millis(bar.bucket_end_ns),
            *(unscaled(price) for price in (bar.open, bar.high, bar.low, bar.close)),
            *(_or_null(number, unscaled) for number in (bar.volume, bar.turnover, bar.vwap)),
            encode_varint(bar.tick_count),
            _millis(bar.first_event_ns),
            _millis(bar.last_event_ns),
            encode_varint(bar.first_offset),
            encode_varint(bar.last_offset),
            encode_varint(bar.revision),
            _TRUE if bar.final else _FALSE,
            encode_varint(ORIGINS.index(bar.origin)),
            _or_null(None if bar.cause is None else CAUSES.index(bar.cause), encode_varint),
            _TRUE if bar.partial else _FALSE,
            _or_null(bar.trading_date, encode_varint),
        )
    )


def encode_bar_key(bar: Bar, key_format: KeyFormat) -> bytes:
    """The key of a bar record, without a frame: text, or Avro of :func:`bar_key_schema`."""
    if key_format is KeyFormat.STRING:
        return bar_key(bar.broker, bar.symbol, bar.bucket_start_ns // NS_PER_MS)
    return _text(bar.broker) + _text(bar.symbol) + _millis(bar.bucket_start_ns)


def encode_live_key(bar: Bar) -> bytes:
    """The key of a live bar: ``broker|symbol``, text in either format."""
    return join(bar.broker, bar.symbol).encode()


def _text(text: str) -> bytes:
    content = text.encode()
    return encode_varint(len(content)) + content


def _millis(time_ns: int) -> bytes:
    return encode_varint(time_ns // NS_PER_MS)


def _or_null(number: int | None, encode: Callable[[int], bytes]) -> bytes:
    return _NULL if number is None else _SOME + encode(number)


def unscaled(number: int) -> bytes:
    """A decimal's digits as bytes, their length in front."""
    # One byte more than needed for -2^(8k-1): other writers of Avro decimals do the same.
    size = (abs(number).bit_length() + 8) >> 3
    return encode_varint(size) + number.to_bytes(size, "big", signed=True)


def _field(name: str, kind: object, doc: str) -> _Schema:
    return {"name": name, "type": kind, "doc": doc}


def _nullable(name: str, kind: object, doc: str) -> _Schema:
    return {"name": name, "type": ["null", kind], "default": None, "doc": doc}


def _decimal(precision: int, scale: int) -> _Schema:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def _timestamp() -> _Schema:
    return {"type": "long", "logicalType": "timestamp-millis"}


def _identity_fields() -> list[_Schema]:
    return [
        _field("broker", "string", "Broker of the series."),
        _field("symbol", "string", "Symbol of the series."),
        _field("period", "string", "Length of the bucket, such as 1m."),
        _field("bucket_start", _timestamp(), "Start of the bucket, inclusive."),
        _field("bucket_end", _timestamp(), "End of the bucket, exclusive."),
    ]


def _volume_fields(price: _Schema, price_scale: int) -> list[_Schema]:
    turnover = _decimal(38, price_scale + SIZE_SCALE)
    return [
        _nullable(
            "volume", _decimal(38, SIZE_SCALE), "Sum of sizes; null where ticks have no size."
        ),
        _nullable("turnover", turnover, "Sum of price times size."),
        _nullable("vwap", price, "Turnover divided by volume."),
    ]


def _audit_fields() -> list[_Schema]:
    return [
        _field("tick_count", "long", "Ticks in the bar."),
        _field("first_event_time", _timestamp(), "Smallest event time of a tick, cut to ms."),
        _field("last_event_time", _timestamp(), "Largest event time of a tick, cut to ms."),
        _field("first_offset", "long", "Smallest offset of a tick in the input partition."),
        _field("last_offset", "long", "Largest offset of a tick in the input partition."),
    ]


def _status_fields() -> list[_Schema]:
    origin = {"type": "enum", "name": "Origin", "symbols": [one.value for one in Origin]}
    cause = {"type": "enum", "name": "Cause", "symbols": [one.value for one in Cause]}
    date = {"type": "int", "logicalType": "date"}
    return [
        _field("revision", "int", "0 for the first final bar, higher for each correction."),
        _field("final", "boolean", "False while the bucket is still open."),
        _field("origin", origin, "Where the bar comes from."),
        _nullable("cause", cause, "Why a filled bar is empty; null otherwise."),
        _field("partial", "boolean", "The engine began inside this bucket."),
        _nullable("trading_date", date, "Trading date of day and session bars."),
    ]
