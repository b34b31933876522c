"""What came out, held against what had to."""

from __future__ import annotations

import io
import struct
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from barengine.codec.bar import bar_schema
from benchmarks.contender import decode_struct
from benchmarks.contenders import ours
from benchmarks.expected import Bar
from benchmarks.verdict import Verdict, judge

GOOD = Bar(1_000_000, 1_100_001, 900_000, 1_050_000, 12)
WANTED = {b"BRK|SYM00000|0": GOOD, b"BRK|SYM00001|0": GOOD, b"BRK|SYM00002|0": GOOD}


def packed(bar: Bar) -> bytes:
    return struct.pack("<ddddq", *(price / 100_000 for price in bar[:4]), bar.ticks)


RIGHT = [(key, packed(bar)) for key, bar in WANTED.items()]


def verdict(records: list[tuple[bytes, bytes]]) -> Verdict:
    return judge(records, WANTED, decode_struct)


def test_all_bars_exact() -> None:
    """Every bar once, in whatever order, is good."""
    assert verdict(RIGHT[::-1]) == Verdict(exact=3)
    assert verdict(RIGHT).good


def test_a_missing_bar_is_found() -> None:
    """What did not come is missing, and that is not good."""
    found = verdict(RIGHT[1:])
    assert found == Verdict(exact=2, missing=1)
    assert not found.good


def test_a_bar_that_came_twice_is_found() -> None:
    """The same bar once more is a duplicate, though it is exact."""
    found = verdict([*RIGHT, RIGHT[0]])
    assert found == Verdict(exact=3, duplicate=1)
    assert not found.good


@pytest.mark.parametrize("field", Bar._fields)
def test_a_changed_bar_is_found(field: str) -> None:
    """One unit of one price, or one tick, makes a bar wrong."""
    changed = GOOD._replace(**{field: getattr(GOOD, field) + 1})
    found = verdict([*RIGHT[:2], (RIGHT[2][0], packed(changed))])
    assert found == Verdict(exact=2, wrong=1)
    assert not found.good


def test_a_bar_is_wrong_if_any_of_its_records_is() -> None:
    """A right record does not make up for a wrong one of the same key, before or after it."""
    wrong = (RIGHT[0][0], packed(GOOD._replace(ticks=11)))
    for records in ([wrong, *RIGHT], [*RIGHT, wrong]):
        assert verdict(records) == Verdict(exact=2, wrong=1, duplicate=1)


def test_a_bar_that_nobody_expected_is_wrong() -> None:
    """Another key is found, but for those of the ticks that close the load."""
    assert verdict([*RIGHT, (b"BRK|SYM00003|0", packed(GOOD))]) == Verdict(exact=3, wrong=1)
    assert verdict([*RIGHT, (b"BRK|END00000|0", packed(GOOD))]).good


def test_a_price_beside_the_units_is_wrong() -> None:
    """A double next to the right one is another price."""
    off = struct.pack("<ddddq", 10.000000000000002, 11.00001, 9.0, 10.5, 12)
    assert decode_struct(off) == GOOD._replace(open=-1)


def test_bars_of_barengine_are_read_by_fastavro() -> None:
    """Its decimals of nine digits become units; what lies between two units becomes none."""
    bar: dict[str, Any] = {
        "broker": "BRK",
        "symbol": "SYM00000",
        "period": "1m",
        **dict.fromkeys(("bucket_start", "first_event_time", "last_event_time"), 0),
        "bucket_end": 60_000,
        "open": Decimal("10.000000000"),
        "high": Decimal("11.000010000"),
        "low": Decimal("9"),
        "close": Decimal("10.500000001"),
        "tick_count": 12,
        **dict.fromkeys(("first_offset", "last_offset", "revision"), 0),
        "final": True,
        "origin": "ticks",
        "partial": False,
    }
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(bar_schema(9)), bar)
    assert ours.decode(out.getvalue()) == GOOD._replace(close=-1)
