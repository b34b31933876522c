"""Headers and LZ4 frames of a fetch: the compiled reader and its twin say the same of anything."""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

import cramjam
import google_crc32c
import hypothesis.strategies as st
import pytest
from hypothesis import given

from barengine.errors import CorruptBatchError
from barengine.kafka.batches import read_batches
from barengine.kernel import (
    ATTRIBUTES_AT,
    BATCH_HEADER,
    RecordBatch,
    _fetched,
    _pure_fetched,
    end_of,
    header_at,
    lz4_frame,
    part_of,
    plain_batch,
)

LZ4: Final = cramjam.lz4.decompress_block_into
WHOLE: Final = struct.pack(
    ">qiibIhiqqqhii", 7, 59, 1, 2, 9, 0x10, 4, 1000, 2000, 3, 0, 0, 5
) + bytes(10)
OLD: Final = struct.pack(">qiib", 40, 20, 0, 1) + bytes(15)
SHORT: Final = struct.pack(">qiib", 0, 20, 0, 2) + bytes(15)
UNENDING: Final = struct.pack(">qiibIhi", 2**63 - 1, 59, 1, 2, 9, 0, 2**31 - 1) + bytes(44)
PIECES: Final = (
    WHOLE,
    OLD,
    SHORT,
    UNENDING,
    WHOLE[:30],
    struct.pack(">qi", 3, -1) + bytes(60),
    b"\0",
)


def test_the_compiled_ones_are_used() -> None:
    """Where the kernel is built, its reader reads."""
    assert header_at is _fetched.header_at
    assert end_of is _fetched.end_of
    assert lz4_frame is _fetched.lz4_frame
    assert part_of is _fetched.part_of
    assert plain_batch is _fetched.plain_batch


def test_a_header() -> None:
    """Every field, at its place."""
    found = header_at(b"\0" + WHOLE, 1)
    assert found == (72, 2, 9, 0x10, 7, 12, 1000, 2000, 3, 5)
    assert found is not None
    assert (found.stop, found.next_offset, found.records) == (72, 12, 5)


def outcome(function: Callable[..., Any], *args: Any) -> Any:
    """What comes of a call: its result, or the error and its text."""
    try:
        return function(*args)
    except (CorruptBatchError, cramjam.DecompressionError, ValueError) as error:
        return type(error), str(error)


@given(st.data())
def test_twins_find_the_same_headers(data: st.DataObject) -> None:
    """In batches of every format, cut anywhere and damaged, from any byte on."""
    fetch = bytearray(b"".join(data.draw(st.lists(st.sampled_from(PIECES), max_size=4))))
    for _ in range(data.draw(st.integers(0, 4)) if fetch else 0):
        place = data.draw(st.integers(0, min(len(fetch) - 1, 70)))
        fetch[place] = data.draw(st.integers(0, 255))
    whole = bytes(fetch)[: data.draw(st.integers(0, len(fetch)))]
    for start in {0, data.draw(st.integers(0, len(whole) + 1))}:
        found = outcome(header_at, whole, start)
        assert found == outcome(_pure_fetched.header_at, whole, start)
        assert found == outcome(header_at, memoryview(whole), start)
    offset = data.draw(st.integers(0, 2**62))
    assert end_of(whole, offset) == _pure_fetched.end_of(whole, offset)
    assert end_of(memoryview(whole), offset) == end_of(whole, offset)


@pytest.mark.parametrize("part", [_fetched.part_of, _pure_fetched.part_of])
@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_a_part_for_whoever_takes_nothing_but_bytes(part: Any, kind: Any) -> None:
    """Such as the library of the CRC, which refuses a view of the same bytes."""
    whole = kind(bytes(range(256)))
    assert bytes(part(whole, 9, 99)) == bytes(range(9, 99))
    assert google_crc32c.value(part(whole, 9, 99)) == google_crc32c.value(bytes(range(9, 99)))
    assert bytes(part(whole, 256, 256)) == b""


def test_a_compiled_part_is_no_copy_and_cannot_be_written_to() -> None:
    """It holds the whole for as long as it lives, and nothing afterwards."""
    whole, nones = bytes(1000), sys.getrefcount(None)
    held = sys.getrefcount(whole)
    parts = [part_of(whole, 0, 10) for _ in range(1000)]
    assert sys.getrefcount(whole) == held + 1000
    for one in parts:
        view = memoryview(one)
        assert (view.readonly, view.format, view.shape) == (True, "B", (10,))
    del parts, one, view
    assert sys.getrefcount(whole) == held
    assert sys.getrefcount(None) - nones < 100
    with pytest.raises(TypeError, match="read-write"):
        io.BytesIO(b"x").readinto(part_of(whole, 0, 10))


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 4), (0, 11)])
def test_a_part_lies_within(start: int, stop: int) -> None:
    """Or it would be memory of somebody else; so would bytes that can be made shorter."""
    with pytest.raises(ValueError, match=r"of 10 bytes"):
        part_of(bytes(10), start, stop)
    with pytest.raises(ValueError, match=r"may change"):
        part_of(memoryview(bytearray(10)), 0, 5)


@given(st.data())
def test_twins_read_the_same_frames(data: st.DataObject) -> None:
    """Of every shape that a client may write, then cut and damaged."""
    checksum, linked = data.draw(st.booleans()), data.draw(st.booleans())
    compressor = cramjam.lz4.Compressor(level=1, block_linked=linked, content_checksum=checksum)
    compressor.compress(data.draw(st.binary(max_size=40_000)) * data.draw(st.integers(0, 5)))
    frame = bytearray(compressor.finish())
    for _ in range(data.draw(st.integers(0, 3))):
        # Sizes and flags stand in front; damage elsewhere changes what a block unpacks to.
        place = data.draw(st.one_of(st.integers(4, 14), st.integers(0, len(frame) - 1)))
        frame[min(place, len(frame) - 1)] = data.draw(st.integers(0, 255))
    part = memoryview(bytes(frame))[: data.draw(st.integers(len(frame) - 9, len(frame)))]
    found = outcome(lz4_frame, part, LZ4)
    wanted = outcome(_pure_fetched.lz4_frame, part, LZ4)
    # which of several wrong blocks is told of is the library's business
    assert found == wanted


def sealed(payload: bytes, attributes: int, records: int) -> bytes:
    """A batch of LZ4, if its attributes say so, at offset 70 and time 5000 to 6000."""
    behind_crc = struct.pack(">hiqqqhii", attributes, 9, 5000, 6000, -1, -1, -1, records) + payload
    crc = google_crc32c.value(behind_crc)
    return struct.pack(">qiibI", 70, len(behind_crc) + 9, 0, 2, crc) + behind_crc


def framed(content: bytes) -> bytes:
    compressor = cramjam.lz4.Compressor(level=1, block_linked=False)
    compressor.compress(content)
    return bytes(compressor.finish())


CONTENT: Final = bytes(range(256)) * 40
PLAIN: Final = sealed(framed(CONTENT), 3, 10)
STAMPED: Final = sealed(framed(CONTENT), 3 | 8, 10)
CLOSELY: Final = (
    sealed(framed(CONTENT), 3 | 16, 10),  # of a transaction
    sealed(CONTENT, 0, 10),
    sealed(bytes(cramjam.zstd.compress(CONTENT)), 4, 10),
    sealed(framed(CONTENT), 3, 0),
    sealed(framed(CONTENT), 3, -1),
    sealed(framed(CONTENT), 3 | 64, 10),  # a bit that is of no use today
    sealed(framed(CONTENT)[:-8], 3, 10),
    sealed(framed(CONTENT)[:7] + b"\x1e\0\0\0" + b"\xf0" * 30 + bytes(4), 3, 10),  # no block
    PLAIN[:-1] + b"x",
    PLAIN[:-1],
    OLD,
    SHORT,
    b"",
)


def test_a_plain_batch() -> None:
    """Every field, and about what is behind it."""
    for reader in (plain_batch, _pure_fetched.plain_batch):
        fetch = b"\0" + PLAIN + STAMPED + b"cut off"
        found = reader(fetch, 1, google_crc32c.value, LZ4)
        assert found is not None
        batch, offset, stop = found
        assert batch[:5] == (CONTENT, 10, 70, 5000, None)
        assert batch.behind is not None
        assert bytes(batch.behind) == STAMPED[: len(PLAIN)]
        assert (offset, stop) == (80, 1 + len(PLAIN))
        found = reader(fetch, stop, google_crc32c.value, LZ4)
        assert found is not None
        batch, _, stop = found
        assert batch[:5] == (CONTENT, 10, 70, 5000, 6000)
        assert batch.behind is not None
        assert bytes(batch.behind) == b"cut off"
        assert reader(fetch, stop, google_crc32c.value, LZ4) is None


@pytest.mark.parametrize("fetch", CLOSELY)
def test_what_needs_a_closer_look(fetch: bytes) -> None:
    """Whatever is not as nearly all batches are, or is damaged, is none of these."""
    for reader in (plain_batch, _pure_fetched.plain_batch):
        assert reader(fetch, 0, google_crc32c.value, LZ4) is None


@given(st.data())
def test_twins_find_the_same_plain_batches(data: st.DataObject) -> None:
    """With a header that says anything under a right CRC, or damaged anywhere; and what they find
    is what the closer look at it would have found."""
    fetch = bytearray(data.draw(st.sampled_from([PLAIN, STAMPED, *CLOSELY[:6]])) * 2)
    for _ in range(data.draw(st.integers(0, 2))):
        place = data.draw(st.integers(0, len(fetch) - 1) | st.integers(0, BATCH_HEADER.size + 20))
        fetch[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()) and (header := outcome(header_at, bytes(fetch), 0)):
        crc = google_crc32c.value(bytes(fetch[ATTRIBUTES_AT : header[0]]))
        fetch[17:21] = crc.to_bytes(4, "big")
    whole = bytes(fetch)[: data.draw(st.integers(len(fetch) // 2, len(fetch)))]
    found = plain_batch(whole, 0, google_crc32c.value, LZ4)
    assert found == _pure_fetched.plain_batch(whole, 0, google_crc32c.value, LZ4)
    assert found == plain_batch(memoryview(whole), 0, google_crc32c.value, LZ4)
    if found is not None:
        batch, offset, stop = found
        header = header_at(whole, 0)
        assert header is not None
        assert (offset, stop) == (header.next_offset, header.stop)
        assert batch == RecordBatch(
            lz4_frame(memoryview(whole)[BATCH_HEADER.size : stop], LZ4) or b"",
            header.records,
            header.base_offset,
            header.base_time_ms,
            header.max_time_ms if header.attributes & 8 else None,
            memoryview(whole)[stop : 2 * stop],
        )
        assert next(read_batches(whole, (), 0)) == (batch, max(0, offset))


def test_blocks_as_they_are() -> None:
    """A block that could not be made smaller is copied; one that is too large is no block."""
    head, size = bytes.fromhex("04224d18604082"), 64 * 1024
    for count, wanted in ((0, b""), (size, b"x" * size), (size + 1, None)):
        block = (count | 1 << 31).to_bytes(4, "little") + b"x" * count
        frame = memoryview(head + block + bytes(4))
        assert lz4_frame(frame, LZ4) == _pure_fetched.lz4_frame(frame, LZ4) == wanted
    assert lz4_frame(memoryview(head + bytes(4)), LZ4) is None


def test_a_library_that_says_it_wrote_more_than_there_was_room_for() -> None:
    """Nothing behind the room is ever given out."""
    frame = memoryview(bytes.fromhex("04224d18604082") + b"\1\0\0\0x" + bytes(4))
    for reader in (lz4_frame, _pure_fetched.lz4_frame):
        assert outcome(reader, frame, lambda *_, **__: 256)[0] is ValueError
