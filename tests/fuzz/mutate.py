"""Small damage to bytes."""

from __future__ import annotations

from random import Random
from typing import Final

_EDGES: Final = (0, 1, 2, 0x3F, 0x40, 0x7F, 0x80, 0xFE, 0xFF)
_PIECES: Final = (
    b"",
    b"\x01",  # -1: the length of a null
    b"\xff" * 11,  # a varint without end
    b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # the largest int64
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # the smallest
    b"\xfe\xff\xff\xff\x0f",  # the largest int32
    b"\0\0\0\0\0\0\xf8\x7f",  # NaN
    b"\0\0\0\0\0\0\xf0\xff",  # minus infinity
)


def mutated(rng: Random, content: bytes, changes: int = 3) -> bytes:
    """The content with up to so many bytes changed, cut away, doubled or put in."""
    raw = bytearray(content)
    for _ in range(rng.randint(1, changes)):
        place = rng.randrange(len(raw) + 1)
        match rng.randrange(6):
            case 0 | 1:
                raw[place : place + 1] = bytes((rng.choice(_EDGES),))
            case 2:
                raw[place : place + 1] = rng.randbytes(1)
            case 3:
                raw[place:place] = rng.choice(_PIECES)
            case 4:
                begin = rng.randrange(len(raw) + 1)
                raw[place:place] = raw[begin : begin + rng.randrange(16)]
            case _:
                del raw[place : place + rng.choice((1, 1, 2, 8, 1000))]
    return bytes(raw)
