"""The state record of a series: the fast way writes and reads what Avro says."""

from __future__ import annotations

import io

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barengine.codec.state import VERSION, decode_series_value, encode_series_value
from barengine.model import INT64_MAX, INT64_MIN

INT64 = st.integers(INT64_MIN, INT64_MAX)
SCHEMA = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Series",
        "fields": [
            {"name": "closed_through_ns", "type": "long"},
            {"name": "clock_ns", "type": "long"},
        ],
    }
)


@given(INT64, INT64)
def test_a_value_is_a_version_and_avro(closed_ns: int, clock_ns: int) -> None:
    """Whoever knows Avro can read it."""
    value = encode_series_value(closed_ns, clock_ns)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, SCHEMA, {"closed_through_ns": closed_ns, "clock_ns": clock_ns})
    assert value == bytes([VERSION]) + out.getvalue()
    assert decode_series_value(value) == (closed_ns, clock_ns)


@pytest.mark.parametrize("value", [b"\x01", b"\x01\x02", b"\x01\x02\x80", b"\x01\x02\x02\x02"])
def test_a_damaged_value_is_refused(value: bytes) -> None:
    """One that breaks off, and one with bytes left over."""
    with pytest.raises(ValueError, match=r"varint|behind"):
        decode_series_value(value)
