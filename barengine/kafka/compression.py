"""The codecs of record batches, framed as Kafka frames them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

import cramjam

from barengine.kernel import lz4_frame

CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
"""Names by the number that stands in a batch's attributes."""

_XERIAL_MAGIC: Final = b"\x82SNAPPY\0"
_XERIAL_VERSIONS: Final = struct.pack(">ii", 1, 1)
_XERIAL_HEADER: Final = len(_XERIAL_MAGIC) + len(_XERIAL_VERSIONS)
_XERIAL_BLOCK: Final = 32 * 1024
"""Bytes before compression in one block: the Java library's own size."""

_GZIP_LEVEL: Final = 6
_LZ4_LEVEL: Final = 1
_ZSTD_LEVEL: Final = 1
"""Bars are few beside ticks, and compressing stands between a bar's close and its commit: 3 MB of
bars take zstd 3 ms at level 1 and 7 ms at Kafka's default of 3, for about the same size."""

LZ4_BLOCK: Final = cramjam.lz4.decompress_block_into
"""Unpacks one block of a frame."""

_BLOCK_LENGTH: Final = struct.Struct(">i")


def compress(codec: str, payload: bytes) -> bytes:
    """A batch's records under one of :data:`CODECS`."""
    return _COMPRESS[codec](payload)


def decompress(codec: str, data: memoryview) -> bytes:
    """Undo :func:`compress`, for whatever client wrote it.

    Raises:
        ValueError: the data is not of that codec, or breaks off.
    """
    try:
        return _DECOMPRESS[codec](data)
    except (cramjam.DecompressionError, struct.error) as error:
        raise ValueError(str(error)) from error


def _compress_lz4(payload: bytes) -> bytes:
    """One frame with independent blocks: brokers refuse linked ones."""
    compressor = cramjam.lz4.Compressor(
        level=_LZ4_LEVEL, content_checksum=False, block_linked=False
    )
    compressor.compress(payload)
    return bytes(compressor.finish())


def _decompress_lz4(data: memoryview) -> bytes:
    """Block by block into its place: the library's own reader of frames copies every block once
    more, a third of its time. It gets what is no frame as Kafka's clients write it."""
    payload = lz4_frame(data, LZ4_BLOCK)
    return bytes(cramjam.lz4.decompress(data)) if payload is None else payload


def _compress_snappy(payload: bytes) -> bytes:
    """Blocks with their lengths in front, behind the header of Java's snappy library."""
    parts = [_XERIAL_MAGIC, _XERIAL_VERSIONS]
    for start in range(0, len(payload), _XERIAL_BLOCK):
        block = bytes(cramjam.snappy.compress_raw(payload[start : start + _XERIAL_BLOCK]))
        parts += (_BLOCK_LENGTH.pack(len(block)), block)
    return b"".join(parts)


def _decompress_snappy(data: memoryview) -> bytes:
    """Java's framing, or one raw block as other clients send it."""
    if bytes(data[: len(_XERIAL_MAGIC)]) != _XERIAL_MAGIC:
        return bytes(cramjam.snappy.decompress_raw(data))
    parts, pos = [], _XERIAL_HEADER
    while pos < len(data):
        (size,) = _BLOCK_LENGTH.unpack_from(data, pos)
        pos += _BLOCK_LENGTH.size
        if not 0 <= size <= len(data) - pos:
            raise ValueError(f"a snappy block of {size} bytes, {len(data) - pos} are left")
        parts.append(bytes(cramjam.snappy.decompress_raw(data[pos : pos + size])))
        pos += size
    return b"".join(parts)


_COMPRESS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "none": bytes,
    "gzip": lambda payload: bytes(cramjam.gzip.compress(payload, level=_GZIP_LEVEL)),
    "snappy": _compress_snappy,
    "lz4": _compress_lz4,
    "zstd": lambda payload: bytes(cramjam.zstd.compress(payload, level=_ZSTD_LEVEL)),
}

_DECOMPRESS: Final[dict[str, Callable[[Any], bytes]]] = {
    "none": bytes,
    "gzip": lambda data: bytes(cramjam.gzip.decompress(data)),
    "snappy": _decompress_snappy,
    "lz4": _decompress_lz4,
    "zstd": lambda data: bytes(cramjam.zstd.decompress(data)),
}
