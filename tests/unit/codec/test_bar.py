"""The Bar in Avro, against fastavro; and the schema files against the code."""

from __future__ import annotations

import datetime
import io
import json
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barengine.codec.bar import (
    bar_key_schema,
    bar_schema,
    encode_bar_key,
    encode_bar_value,
    encode_live_key,
)
from barengine.codec.compile import compile_plan
from barengine.codec.fields import TICK_SCHEMA, Fields
from barengine.codec.framing import confluent_header
from barengine.model import (
    INT64_MAX,
    INT64_MIN,
    MAX_EVENT_NS,
    NS_PER_MS,
    Bar,
    Cause,
    KeyFormat,
    Origin,
)
from barengine.naming import split
from tests.unit.codec.shapes import TEXT

SCHEMAS = Path(__file__).parents[3] / "config" / "schemas"
TIMES = st.integers(-MAX_EVENT_NS, MAX_EVENT_NS)
OFFSETS = st.integers(0, 2**62)
BUCKETS = TIMES.map(lambda time_ns: time_ns - time_ns % 10**9)
WIDE = Context(prec=38)
FIT_18 = st.integers(-(10**18) + 1, 10**18 - 1)
"""Unscaled prices of the declared precision; fastavro writes no others from Decimal."""


def bars(prices: st.SearchStrategy[int]) -> st.SearchStrategy[Bar]:
    """Bars of any content, made of these unscaled prices."""
    return st.builds(
        Bar,
        broker=TEXT,
        symbol=TEXT,
        bucket_start_ns=BUCKETS,
        bucket_end_ns=BUCKETS,
        open=prices,
        high=prices,
        low=prices,
        close=prices,
        tick_count=OFFSETS,
        open_at=st.just((0, 0)),
        close_at=st.just((0, 0)),
        first_event_ns=TIMES,
        last_event_ns=TIMES,
        first_offset=OFFSETS,
        last_offset=OFFSETS,
        partial=st.booleans(),
        volume=st.none() | st.integers(0, 10**38 - 1),
        turnover=st.none() | st.integers(-(10**38) + 1, 10**38 - 1),
        revision=st.integers(0, 2**31 - 1),
        final=st.booleans(),
        origin=st.sampled_from(Origin),
        cause=st.none() | st.sampled_from(Cause),
        trading_date=st.none() | st.integers(-(10**5), 10**5),
    )


def datum(bar: Bar, period: str, price: Any, volume: Any = lambda _: None) -> dict[str, Any]:
    """The bar as fastavro takes it; times as ms, since datetime is cut to microseconds."""
    return {
        "broker": bar.broker,
        "symbol": bar.symbol,
        "period": period,
        "bucket_start": bar.bucket_start_ns // NS_PER_MS,
        "bucket_end": bar.bucket_end_ns // NS_PER_MS,
        **{name: price(getattr(bar, name)) for name in ("open", "high", "low", "close")},
        "volume": volume("volume"),
        "turnover": volume("turnover"),
        "vwap": volume("vwap"),
        "tick_count": bar.tick_count,
        "first_event_time": bar.first_event_ns // NS_PER_MS,
        "last_event_time": bar.last_event_ns // NS_PER_MS,
        "first_offset": bar.first_offset,
        "last_offset": bar.last_offset,
        "revision": bar.revision,
        "final": bar.final,
        "origin": bar.origin.value,
        "cause": bar.cause.value if bar.cause else None,
        "partial": bar.partial,
        "trading_date": bar.trading_date,
    }


def written(schema: dict[str, Any], record: dict[str, Any]) -> bytes:
    """The record as fastavro writes it, every field of the schema given."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), record, strict=True)
    return out.getvalue()


@given(bars(FIT_18), st.sampled_from(["1s", "1m", "1h"]), st.integers(0, 18))
def test_a_bar_is_written_as_fastavro_does(bar: Bar, period: str, scale: int) -> None:
    """Byte by byte, every field, for every price scale."""
    scales = {"volume": 9, "turnover": scale + 9, "vwap": scale}

    def volume(name: str) -> Decimal | None:
        unscaled = getattr(bar, name)
        return None if unscaled is None else Decimal(unscaled).scaleb(-scales[name], WIDE)

    record = datum(bar, period, lambda unscaled: Decimal(unscaled).scaleb(-scale), volume)
    assert encode_bar_value(bar, period) == written(bar_schema(scale), record)


@given(bars(st.integers(INT64_MIN, INT64_MAX) | st.sampled_from([-128, -(2**15), -(2**63)])))
def test_every_int64_price_comes_back(bar: Bar) -> None:
    """Prices of 19 digits are written too, and read back as they were."""
    value = io.BytesIO(encode_bar_value(bar, "1m"))
    raw = json.loads(json.dumps(bar_schema(9)).replace('"logicalType": "decimal", ', ""))
    read = fastavro.schemaless_reader(value, raw, None)
    assert isinstance(read, dict)
    for name in ("open", "high", "low", "close"):
        assert int.from_bytes(read[name], "big", signed=True) == getattr(bar, name)
    assert value.read() == b""


def test_a_bar_reads_as_its_schema_says() -> None:
    """Times are cut downwards to ms, also before 1970; prices have the scale's decimals."""
    bar = Bar("B", "S", -60 * 10**9, 0, 15, 20, -5, 10, 3, (0, 0), (0, 0), -1, 999_999, 7, 9, True)
    read = fastavro.schemaless_reader(io.BytesIO(encode_bar_value(bar, "1m")), bar_schema(1), None)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    ms = datetime.timedelta(milliseconds=1)
    assert read == {
        **datum(bar, "1m", lambda unscaled: Decimal(unscaled) / 10),
        "bucket_start": epoch - 60_000 * ms,
        "bucket_end": epoch,
        "first_event_time": epoch - ms,
        "last_event_time": epoch,
    }


@given(bars(FIT_18))
def test_an_avro_key_is_written_as_fastavro_does(bar: Bar) -> None:
    """Broker, symbol and the bucket's start in ms, as a record."""
    key = {
        "broker": bar.broker,
        "symbol": bar.symbol,
        "bucket_start": bar.bucket_start_ns // NS_PER_MS,
    }
    assert encode_bar_key(bar, KeyFormat.AVRO) == written(bar_key_schema(), key)


@given(bars(FIT_18))
def test_a_text_key_can_be_split_again(bar: Bar) -> None:
    """The same three parts, joined by ``|``."""
    parts = split(encode_bar_key(bar, KeyFormat.STRING).decode())
    assert parts == [bar.broker, bar.symbol, str(bar.bucket_start_ns // NS_PER_MS)]


@given(bars(FIT_18))
def test_a_live_key_is_the_series(bar: Bar) -> None:
    """Broker and symbol, without a bucket."""
    assert split(encode_live_key(bar).decode()) == [bar.broker, bar.symbol]


@pytest.mark.parametrize("scale", [-1, 19])
def test_a_price_scale_has_0_to_18_decimals(scale: int) -> None:
    """Another scale has no schema."""
    with pytest.raises(ValueError, match="price scale"):
        bar_schema(scale)


def test_every_field_of_a_bar_is_documented() -> None:
    """Who meets a bar in a registry finds each field explained there."""
    for schema in (bar_schema(9), bar_key_schema(), TICK_SCHEMA):
        assert schema["doc"]
        assert all(field["doc"] for field in schema["fields"])


def test_the_bar_schema_file_is_the_generated_schema() -> None:
    """bar.avsc is what the engine writes at the default price scale."""
    assert json.loads((SCHEMAS / "bar.avsc").read_text()) == bar_schema(9)


def test_the_tick_schema_file_is_the_built_in_one() -> None:
    """tick.avsc is the schema assumed without another, and the default fields fit it."""
    assert json.loads((SCHEMAS / "tick.avsc").read_text()) == TICK_SCHEMA
    assert compile_plan(TICK_SCHEMA, Fields()) is not None


def test_the_frame_is_a_zero_and_the_schema_id() -> None:
    """Five bytes, the id big-endian; numbers that are no id are refused."""
    assert confluent_header(1) == b"\x00\x00\x00\x00\x01"
    assert confluent_header(0xFFFFFFFF) == b"\x00\xff\xff\xff\xff"
    for schema_id in (-1, 2**32):
        with pytest.raises(ValueError, match="schema id"):
            confluent_header(schema_id)
