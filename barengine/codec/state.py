"""The state record of one series, in pure Python: thousands of them leave at once.

The key is text, ``series|BROKER|SYMBOL``. The value is one version byte, then the Avro binary of
two longs: closed_through and clock, in ns.
"""

from __future__ import annotations

from typing import Final

from barengine.codec.varint import encode_varint, read_varint
from barengine.naming import join

VERSION: Final = 1
"""First byte of every state record's value."""


def encode_series_key(broker: str, symbol: str) -> bytes:
    """Key of a series' state record."""
    return join("series", broker, symbol).encode()


def encode_series_value(closed_through_ns: int, clock_ns: int) -> bytes:
    """Value of a series' state record."""
    return bytes([VERSION]) + encode_varint(closed_through_ns) + encode_varint(clock_ns)


def decode_series_value(value: bytes) -> tuple[int, int]:
    """closed_through and clock of a value whose version is known to be ours.

    Raises:
        ValueError: it breaks off, or has bytes left over.
    """
    closed_through_ns, pos = read_varint(value, 1)
    clock_ns, pos = read_varint(value, pos)
    if pos != len(value):
        raise ValueError("bytes behind its last field")
    return closed_through_ns, clock_ns
