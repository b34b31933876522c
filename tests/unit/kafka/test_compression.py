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
