"""Codecs as Kafka frames them."""

from __future__ import annotations

import aiokafka.codec
import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barengine.kafka.compression import CODECS, compress, decompress


@given(st.sampled_from(CODECS), st.binary(max_size=100_000))
def test_what_is_compressed_comes_back(codec: str, payload: bytes) -> None:
    """Compressing loses nothing, whatever the bytes."""
    assert decompress(codec, memoryview(compress(codec, payload))) == payload


@given(st.sampled_from(CODECS[1:]), st.binary(min_size=1, max_size=100_000))
def test_aiokafka_and_we_understand_each_other(codec: str, payload: bytes) -> None:
    """Another implementation of the same framings reads ours, and we read its."""
    theirs = getattr(aiokafka.codec, f"{codec}_decode")
    assert bytes(theirs(compress(codec, payload))) == payload
    encoded = getattr(aiokafka.codec, f"{codec}_encode")(payload)
    assert decompress(codec, memoryview(encoded)) == payload


def test_snappy_without_java_s_framing() -> None:
    """Clients that are not Java's send one raw snappy block."""
    raw = bytes(cramjam.snappy.compress_raw(b"abc" * 1000))
    assert decompress("snappy", memoryview(raw)) == b"abc" * 1000


@pytest.mark.parametrize("codec", CODECS[1:])
def test_cut_data_is_an_error(codec: str) -> None:
    """Half of a block is never taken for the whole."""
    packed = compress(codec, bytes(range(256)) * 300)
    with pytest.raises(ValueError, match=r"."):
        decompress(codec, memoryview(packed)[: len(packed) // 2])


def lz4_frame(payload: bytes, **options: bool) -> bytes:
    """As another client may write it."""
    compressor = cramjam.lz4.Compressor(level=1, **options)
    compressor.compress(payload)
    return bytes(compressor.finish())


@given(st.binary(max_size=70_000), st.integers(1, 5), st.booleans(), st.booleans())
def test_lz4_frames_of_every_shape(
    part: bytes, repeated: int, linked: bool, checksum: bool
) -> None:
    """Blocks that are linked, cannot be made smaller or have checksums are read like any other."""
    payload = part * repeated
    frame = lz4_frame(payload, block_linked=linked, content_checksum=checksum)
    assert decompress("lz4", memoryview(frame)) == payload


def test_an_lz4_block_larger_than_its_frame_allows_is_an_error() -> None:
    """The size in the frame's header bounds what is written."""
    block = bytes(cramjam.lz4.compress_block(bytes(70_000), store_size=False))
    frame = bytes.fromhex("04224d18604082") + len(block).to_bytes(4, "little") + block + bytes(4)
    with pytest.raises(ValueError, match=r"."):
        decompress("lz4", memoryview(frame))


@given(st.data())
def test_damaged_lz4_is_never_more_than_an_error(data: st.DataObject) -> None:
    """Wherever a frame is damaged or cut: bytes or a ValueError, nothing else."""
    frame = bytearray(compress("lz4", bytes(range(256)) * 600))
    for _ in range(data.draw(st.integers(1, 3))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(frame)))
    try:
        size = len(decompress("lz4", memoryview(frame)[:cut]))
    except ValueError:
        return
    assert size <= 255 * len(frame)
