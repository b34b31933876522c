"""Records of a Kafka v2 record batch, in pure Python. All varints are zigzag.

    length            varint     bytes of the record behind this number
    attributes        int8       unused
    timestamp delta   varlong    ms after the batch's base timestamp
    offset delta      varint     after the batch's base offset
    key length        varint     -1: null
    key
    value length      varint     -1: null
    value
    header count      varint
    headers           each: key length varint, key (UTF-8), value length varint (-1: null), value

https://kafka.apache.org/documentation/#record
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from barengine.codec.varint import encode_varint, read_varint

__all__ = [
    "Header",
    "RawRecord",
    "encode_headers",
    "encode_record",
    "encode_varint",
    "iter_records",
    "parse_headers",
    "read_varint",
]

Header = tuple[str, bytes | None]


class RawRecord(NamedTuple):
    """One record as it lies in its batch."""

    offset_delta: int
    timestamp_delta: int
    key: bytes | None
    value: bytes | None
    headers: bytes
    """Raw: header count varint and headers."""


def iter_records(payload: bytes, count: int) -> Iterator[RawRecord]:
    """The ``count`` records of a decompressed batch payload, in order.

    Raises:
        ValueError: the payload breaks off, has bytes left over, or a length contradicts
            another. Records before the fault have been yielded by then.
    """
    pos = 0
    for _ in range(count):
        length, pos = read_varint(payload, pos)
        if not 0 <= length <= len(payload) - pos:
            raise ValueError(f"a record of {length} bytes at byte {pos} of {len(payload)}")
        yield _parse_record(payload, pos, pos + length)
        pos += length
    if pos != len(payload):
        raise ValueError(f"{len(payload) - pos} bytes behind {count} records")


def encode_record(
    offset_delta: int,
    timestamp_delta: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[Header] = (),
) -> bytes:
    """One record, its length in front. ``timestamp_delta`` is in ms."""
    body = b"".join(
        (
            b"\0",
            encode_varint(timestamp_delta),
            encode_varint(offset_delta),
            _nullable(key),
            _nullable(value),
            encode_headers(headers),
        )
    )
    return encode_varint(len(body)) + body


def encode_headers(headers: Sequence[Header]) -> bytes:
    """Header count and headers."""
    parts = (_nullable(name.encode()) + _nullable(content) for name, content in headers)
    return encode_varint(len(headers)) + b"".join(parts)


def parse_headers(raw: bytes) -> list[Header]:
    """The headers of :attr:`RawRecord.headers`.

    A key's bytes that are not UTF-8 become U+FFFD, as Kafka's own clients read them: no broker
    refuses such a record, so it must not hold up those behind it.

    Raises:
        ValueError: they break off, leave bytes over, or a key is null.
    """
    headers: list[Header] = []
    for name, content in _raw_headers(raw, 0, len(raw)):
        headers.append((name.decode(errors="replace"), content))
    return headers


def _parse_record(data: bytes, pos: int, end: int) -> RawRecord:
    if pos == end:
        raise ValueError("a record of no bytes")
    timestamp_delta, pos = read_varint(data, pos + 1, end)
    offset_delta, pos = read_varint(data, pos, end)
    key, pos = _read_nullable(data, pos, end)
    value, pos = _read_nullable(data, pos, end)
    for _ in _raw_headers(data, pos, end):
        pass  # walked for its checks alone
    return RawRecord(offset_delta, timestamp_delta, key, value, data[pos:end])


def _raw_headers(data: bytes, pos: int, end: int) -> Iterator[tuple[bytes, bytes | None]]:
    count, pos = read_varint(data, pos, end)
    if count < 0:
        raise ValueError(f"{count} headers")
    for _ in range(count):
        name, pos = _read_nullable(data, pos, end)
        if name is None:
            raise ValueError("a header without a key")
        content, pos = _read_nullable(data, pos, end)
        yield name, content
    if pos != end:
        raise ValueError(f"{end - pos} bytes behind the headers")


def _read_nullable(data: bytes, pos: int, end: int) -> tuple[bytes | None, int]:
    length, pos = read_varint(data, pos, end)
    if length == -1:
        return None, pos
    if not 0 <= length <= end - pos:
        raise ValueError(f"{length} bytes where {end - pos} are left")
    return data[pos : pos + length], pos + length


def _nullable(content: bytes | None) -> bytes:
    return encode_varint(-1) if content is None else encode_varint(len(content)) + content
