"""Zigzag varints, the integers of both Avro and Kafka's record layout.

https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
"""

from __future__ import annotations

from typing import Final

MAX_VARINT_BYTES: Final = 10
"""64 bits in groups of seven."""

_MASK: Final = 2**64 - 1


def encode_varint(value: int) -> bytes:
    """An int64 as 1 to 10 bytes, smallest group first."""
    rest = ((value << 1) ^ (value >> 63)) & _MASK
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def read_varint(data: bytes, pos: int, end: int | None = None) -> tuple[int, int]:
    """The int64 at ``pos`` and the position behind it. Bits above the 64th are dropped.

    Raises:
        ValueError: it runs past ``end`` (by default the end of ``data``) or over 10 bytes.
    """
    stop = len(data) if end is None else end
    raw = 0
    for index, byte in enumerate(data[pos : min(stop, pos + MAX_VARINT_BYTES)]):
        raw |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            raw &= _MASK
            return (raw >> 1) ^ -(raw & 1), pos + index + 1
    raise ValueError(f"no varint at byte {pos}")
