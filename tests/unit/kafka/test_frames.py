"""Large reads from a stream, piece by piece."""

from __future__ import annotations

import asyncio
import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barengine.kafka.frames import Frames, frames_of

SIZES = st.lists(st.sampled_from([4, 17, 60_000, 65_536, 65_540, 300_000]), max_size=8)


def taken_over() -> tuple[asyncio.StreamReader, Frames]:
    reader = asyncio.StreamReader()
    return reader, frames_of(reader)


@given(SIZES, st.lists(st.integers(1, 200_000), min_size=1), st.booleans())
async def test_reads_are_the_stream_however_it_is_cut(
    sizes: list[int], cuts: list[int], ahead: bool
) -> None:
    """What is read, in pieces of any size, is what was fed in pieces of any other size."""
    stream = Random(1).randbytes(sum(sizes))
    reader, frames = taken_over()

    async def feed() -> None:
        rest = stream
        for cut in itertools.cycle(cuts):
            if not rest:
                return
            reader.feed_data(rest[:cut])
            rest = rest[cut:]
            if not ahead:
                await asyncio.sleep(0)

    feeding = asyncio.create_task(feed())
    found = [await reader.readexactly(size) for size in sizes]
    await feeding
    assert b"".join(found) == stream
    assert [len(one) for one in found] == sizes
    assert frames.held == 0


async def test_a_stream_that_ends_too_soon_says_what_it_had() -> None:
    """The end comes through in the middle of a large read, and so do the bytes before it."""
    reader, _ = taken_over()
    reading = asyncio.create_task(reader.readexactly(100_000))
    await asyncio.sleep(0)
    reader.feed_data(b"x" * 70_000)
    reader.feed_eof()
    with pytest.raises(asyncio.IncompleteReadError) as caught:
        await reading
    assert (len(caught.value.partial), caught.value.expected) == (70_000, 100_000)


async def test_a_broken_connection_ends_a_large_read() -> None:
    """The error that the connection has met is raised."""
    reader, _ = taken_over()
    reading = asyncio.create_task(reader.readexactly(100_000))
    await asyncio.sleep(0)
    reader.feed_data(b"x" * 70_000)
    reader.set_exception(ConnectionResetError("by peer"))
    with pytest.raises(ConnectionResetError, match="by peer"):
        await reading


async def test_what_has_come_of_an_answer_is_known() -> None:
    """Whoever watches a slow line sees each piece that arrives."""
    reader, frames = taken_over()
    reading = asyncio.create_task(reader.readexactly(200_000))
    await asyncio.sleep(0)
    seen = []
    for _ in range(3):
        reader.feed_data(b"x" * 50_000)
        seen.append(frames.held)
    reading.cancel()
    assert seen == [50_000, 100_000, 150_000]


def test_a_reader_is_taken_over_once() -> None:
    """The same frames serve every answer of a connection."""
    loop = asyncio.new_event_loop()
    reader = asyncio.StreamReader(loop=loop)
    assert frames_of(reader) is frames_of(reader)
    loop.close()
