"""Closed bars as they leave: records of a batch, readable by anyone."""

from __future__ import annotations

import io
from decimal import Decimal

import fastavro
import pytest

from barengine.codec.bar import bar_key_schema, bar_schema
from barengine.codec.plan import Kind
from barengine.codec.records import iter_records
from barengine.kernel import BarBlock, Kernel
from barengine.model import KeyFormat
from barengine.naming import split
from tests.encoded import EVERYTHING, encoded
from tests.unit.kernel.build import NOON_MS, feed, tick, tick_plan, varint
from tests.unit.kernel.conftest import Make

SCHEMA = fastavro.parse_schema(bar_schema(9))
PRICES = ("open", "high", "low", "close")
RAW_SCHEMA = fastavro.parse_schema(
    {
        **bar_schema(0),
        "fields": [
            {**field, "type": "bytes"} if field["name"] in PRICES else field
            for field in bar_schema(0)["fields"]
        ],
    }
)
"""Prices as their bytes: fastavro rounds decimals to the precision of the schema."""

KEY_SCHEMA = fastavro.parse_schema(bar_key_schema())


def closed(kernel: Kernel, *values: bytes) -> BarBlock:
    """The block of the bars of these ticks."""
    feed(kernel, *values)
    kernel.drain()
    return kernel.take_bars()


def records(block: BarBlock, max_bytes: int = EVERYTHING) -> list[tuple[bytes, bytes, int]]:
    """Key, value and timestamp of every record of a block."""
    found = []
    for part in encoded(block, max_bytes):
        for place, record in enumerate(iter_records(part.payload, part.count)):
            assert record.key is not None
            assert record.value is not None
            assert record.offset_delta == place
            found.append((record.key, record.value, part.base_time_ms + record.timestamp_delta))
    return found


def test_a_bar_can_be_read_with_its_schema(make: Make) -> None:
    """The value is Avro of bar.avsc; the key names the bar; the timestamp is the bucket's start."""
    block = closed(make(began_whole=False), tick(0, -1.25), tick(59.9, 2.5), tick(60))
    ((key, value, time_ms),) = records(block)
    bar = fastavro.schemaless_reader(io.BytesIO(value), SCHEMA, None)
    assert isinstance(bar, dict)
    assert (key, time_ms) == (f"A|X|{NOON_MS}".encode(), NOON_MS)
    assert [bar[name] for name in PRICES] == [
        Decimal(text) for text in ("-1.25", "2.5", "-1.25", "2.5")
    ]
    assert (bar["period"], bar["tick_count"], bar["revision"]) == ("1m", 2, 0)
    assert (bar["final"], bar["origin"], bar["partial"]) == (True, "ticks", True)
    assert (bar["first_offset"], bar["last_offset"]) == (0, 1)
    assert (bar["bucket_end"] - bar["bucket_start"]).total_seconds() == 60
    assert bar["volume"] is bar["turnover"] is bar["vwap"] is bar["cause"] is None


@pytest.mark.parametrize("symbol", ["a|b", "\\", "|\\|", "\\|", "日|本"])
def test_keys_can_be_split_again(make: Make, symbol: str) -> None:
    """`\\` and `|` inside names are escaped."""
    ((key, _, _),) = records(closed(make(), tick(0, symbol=symbol), tick(60, symbol="Y")))
    assert split(key.decode()) == ["A", symbol, str(NOON_MS)]


def test_keys_can_be_avro(make: Make) -> None:
    """key_format=avro: a record, behind its own frame."""
    kernel = make(key_format=KeyFormat.AVRO, key_header=b"\0\0\0\0\5", value_header=b"\0\0\0\0\6")
    ((key, value, _),) = records(closed(kernel, tick(0, symbol="a|b"), tick(60)))
    read = fastavro.schemaless_reader(io.BytesIO(key[5:]), KEY_SCHEMA, None)
    assert isinstance(read, dict)
    assert (key[:5], value[:5]) == (b"\0\0\0\0\5", b"\0\0\0\0\6")
    assert (read["broker"], read["symbol"]) == ("A", "a|b")
    assert round(read["bucket_start"].timestamp() * 1000) == NOON_MS


@pytest.mark.parametrize(
    "price", [0, 1, -1, 127, 128, -128, -129, 2**31, -(2**31), 10**18 - 1, 1 - 10**18]
)
def test_prices_are_written_exactly(make: Make, price: int) -> None:
    """Every price is written as the shortest bytes that hold it and its sign, and comes back."""
    kernel = make(price_scale=0)
    kernel.add_schema(0, tick_plan(price=(Kind.LONG, 0, 0)))
    first, second = (tick(at, 0.0)[:-8] + varint(price) for at in (0, 60))
    ((_, value, _),) = records(closed(kernel, first, second))
    bar = fastavro.schemaless_reader(io.BytesIO(value), RAW_SCHEMA, None)
    assert isinstance(bar, dict)
    for name in PRICES:
        assert int.from_bytes(bar[name], "big", signed=True) == price


def test_payloads_keep_to_their_size(make: Make) -> None:
    """No payload is over max_bytes unless it holds a single bar; order and bars are the same."""
    kernel = make(grace_ns=60 * 10**9)
    ticks = [tick(place * 7, place, "S" * (place % 40 + 1)) for place in range(60)]
    block = closed(kernel, *ticks, tick(10_000, symbol="Y"))
    whole = [key for key, _, _ in records(block)]
    for max_bytes in (-1, 0, 1, 200, 201, 500, 5000):
        parts = encoded(block, max_bytes)
        assert all(part.count == 1 or len(part.payload) <= max_bytes for part in parts)
        assert [key for key, _, _ in records(block, max_bytes)] == whole
        assert all(part.base_time_ms <= part.max_time_ms for part in parts)


def test_the_largest_timestamp_is_told(make: Make) -> None:
    """base_time is the first bar's, max_time the largest: a batch header needs both."""
    kernel = make(grace_ns=3600 * 10**9)
    block = closed(kernel, tick(120), tick(0), tick(60), tick(20_000))
    (part,) = encoded(block)
    assert (part.base_time_ms, part.max_time_ms) == (NOON_MS, NOON_MS + 120_000)


def test_a_block_outlives_what_happens_to_its_kernel(make: Make) -> None:
    """Later bars, eviction and the end of the kernel leave a block as it was taken."""
    kernel = make()
    block = closed(kernel, tick(0, 1.5), tick(60, symbol="Y"))
    expected = records(block), repr(block.bars())
    closed(kernel, tick(120), tick(500, symbol="X" * 100), *(tick(600, symbol=s) for s in "abc"))
    kernel.evict(2**62)
    del kernel
    assert (records(block), repr(block.bars())) == expected


def test_nothing_closed_is_an_empty_block(make: Make) -> None:
    """No bars, no payloads; and bars are handed out once."""
    kernel = make()
    block = closed(kernel, tick(0), tick(60))
    assert (len(block), len(kernel.take_bars())) == (1, 0)
    assert encoded(kernel.take_bars(), 100) == []
    assert kernel.take_bars().bars() == []
