"""Large reads from a stream, received in place."""

from __future__ import annotations

import asyncio
import gc
import itertools
import socket
import struct
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from aiokafka.conn import READER_LIMIT
from hypothesis import given
from hypothesis import strategies as st

from barengine.kafka.frames import Frames, frames_of
from tests.unit.kafka.line import Line, on_each_line

MIB = 1024 * 1024
SIZES = st.lists(st.sampled_from([4, 17, 60_000, 65_536, 65_540, 300_000]), max_size=8)
AT_MOST = 2 * READER_LIMIT + 64 * 1024
"""What waits where nobody reads: where aiokafka's reader stops a connection, and one piece."""


class Wire(asyncio.Transport):
    """Brings bytes to whatever protocol it has, in the pieces that a test cuts."""

    def __init__(self) -> None:
        self.wakes_at = [1]
        super().__init__({"socket": self})
        self.reader = asyncio.StreamReader()
        self._protocol: Any = asyncio.StreamReaderProtocol(self.reader)
        self._protocol.connection_made(self)

    def is_closing(self) -> bool:
        return False

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """As a socket on a system that knows no such option."""
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_RCVLOWAT)
        self.wakes_at.append(value)
        raise OSError("Protocol not available")

    def pause_reading(self) -> None:
        """Bytes come all the same: a piece may be on its way."""

    def resume_reading(self) -> None: ...

    def get_protocol(self) -> Any:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def bring(self, data: bytes) -> None:
        while data:
            room = self._protocol.get_buffer(-1)
            room[: len(data)] = data[: len(room)]
            self._protocol.buffer_updated(min(len(room), len(data)))
            data = data[len(room) :]


def taken_over() -> tuple[Wire, asyncio.StreamReader, Frames]:
    wire = Wire()
    return wire, wire.reader, frames_of(wire.reader)


async def soon(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - sockets, no events
        await asyncio.sleep(0.001)


def buffered(line: Line) -> int:
    """Bytes in the reader's own buffer."""
    buffer: bytearray = line.reader._buffer  # type: ignore[attr-defined]
    return len(buffer)


def noise(size: int) -> bytes:
    return Random(size).randbytes(size)


@given(SIZES, st.lists(st.integers(1, 200_000), min_size=1), st.booleans())
async def test_reads_are_the_stream_however_it_is_cut(
    sizes: list[int], cuts: list[int], ahead: bool
) -> None:
    """What is read, in pieces of any size, is what came in pieces of any other size."""
    stream = noise(sum(sizes))
    wire, reader, frames = taken_over()

    async def feed() -> None:
        rest = stream
        for cut in itertools.cycle([*cuts, 50_000]):  # one that it does not take too many of
            if not rest:
                return
            wire.bring(rest[:cut])
            rest = rest[cut:]
            if not ahead:
                await asyncio.sleep(0)

    feeding = asyncio.create_task(feed())
    found = [await reader.readexactly(size) for size in sizes]
    await feeding
    assert b"".join(found) == stream
    assert [len(one) for one in found] == sizes
    assert frames.held == 0


@given(st.sampled_from([0, 1, 199_999, 200_000, 200_001]) | st.integers(0, 400_000))
async def test_reading_goes_on_where_one_gave_up(come: int) -> None:
    """Nothing is lost when a large read is cancelled, even if all of it has come by then, with a
    part of the next one behind it."""
    stream = noise(400_000)
    wire, reader, frames = taken_over()
    reading = asyncio.create_task(reader.readexactly(200_000))
    await asyncio.sleep(0)
    wire.bring(stream[:come])
    reading.cancel()
    await asyncio.wait({reading})
    assert reading.cancelled()
    assert frames.held == come
    wire.bring(stream[come:])
    assert await reader.readexactly(200_000) + await reader.readexactly(200_000) == stream


async def test_what_has_come_of_an_answer_is_known() -> None:
    """Whoever watches a slow line sees each piece that arrives."""
    wire, reader, frames = taken_over()
    reading = asyncio.create_task(reader.readexactly(200_000))
    await asyncio.sleep(0)
    seen = []
    for _ in range(3):
        wire.bring(b"x" * 50_000)
        seen.append(frames.held)
    reading.cancel()
    assert seen == [50_000, 100_000, 150_000]
    assert repr(frames) == "<Frames 150000 bytes held, 50000 awaited>"


async def test_the_system_wakes_us_for_much() -> None:
    """Not for each packet; but never for more than is sure to come, which in TLS is less than what
    is missing, and for each byte once nobody waits for a large answer."""
    wire, reader, _ = taken_over()
    assert wire.wakes_at == [1, 2 * MIB, 1]  # the system makes its buffer as large
    reading = asyncio.create_task(reader.readexactly(2 * MIB))
    await asyncio.sleep(0)
    for missing in range(2 * MIB, 0, -4096):
        assert wire.wakes_at[-1] == max(1, min(MIB // 4, missing - 64 * 1024))
        wire.bring(bytes(4096))
    await reading
    assert wire.wakes_at[-1] == 1
    reading = asyncio.create_task(reader.readexactly(MIB))
    await asyncio.sleep(0)
    assert wire.wakes_at[-1] == MIB // 4
    reading.cancel()
    await asyncio.wait({reading})
    assert wire.wakes_at[-1] == 1


async def test_an_error_comes_through_whoever_holds_the_memory() -> None:
    """A traceback may keep what a transport was given to write to: it stays memory of its own."""
    wire, reader, _ = taken_over()
    reading = asyncio.create_task(reader.readexactly(100_000))
    await asyncio.sleep(0)
    wire.bring(b"x" * 70_000)
    held = wire.get_protocol().get_buffer(-1)
    reader.set_exception(ConnectionResetError("by peer"))
    with pytest.raises(ConnectionResetError, match="by peer"):
        await reading
    gc.collect()
    held[:] = bytes(30_000)


async def test_a_reader_is_taken_over_once() -> None:
    """The same frames serve every answer of a connection."""
    _, reader, frames = taken_over()
    assert frames_of(reader) is frames


@on_each_line
async def test_answers_of_every_size(line: Line) -> None:
    """Each is itself, whether they come one by one or in one piece, and nothing is left."""
    frames = frames_of(line.reader)
    answers = [noise(size) for size in (3, 70_000, 3 * MIB, 0, 65_536, 65_535, 300_000, 1, MIB)]
    framed = [struct.pack(">i", len(answer)) + answer for answer in answers]
    for pieces in (framed, [b"".join(framed)]):
        sending = asyncio.create_task(line.send(*pieces))
        for answer in answers:
            (size,) = struct.unpack(">i", await line.reader.readexactly(4))
            assert await line.reader.readexactly(size) == answer
        await sending
    assert frames.held == 0


@on_each_line
async def test_an_answer_that_is_waited_for_already(line: Line) -> None:
    """One may be on its way when the first fetch is sent: it is read to its end as it was begun."""
    answer = noise(MIB)
    reading = asyncio.create_task(line.reader.readexactly(MIB))
    await line.send(answer[:100_000])
    await soon(lambda: buffered(line) == 100_000)
    frames = frames_of(line.reader)
    await line.send(answer[100_000:])
    assert await reading == answer
    assert frames.held == 0


@on_each_line
async def test_a_connection_at_rest_is_taken_over(line: Line) -> None:
    """The reader has stopped it; it stays so until somebody reads, and all comes then."""
    stream = noise(2 * MIB)
    sending = asyncio.create_task(line.send(stream))
    await soon(lambda: not line.writer.transport.is_reading())  # type: ignore[attr-defined]
    frames, before = frames_of(line.reader), buffered(line)
    await asyncio.sleep(0.02)
    assert frames.held == before
    assert await line.reader.readexactly(2 * MIB) == stream
    await sending


@on_each_line
async def test_what_nobody_reads_does_not_pile_up(line: Line) -> None:
    """The peer is made to wait, and goes on for small reads and large ones."""
    frames, pieces = frames_of(line.reader), [noise(MIB + number) for number in range(24)]
    sending = asyncio.create_task(line.send(*pieces))
    await soon(lambda: frames.held > 2 * READER_LIMIT)
    await asyncio.sleep(0.1)
    assert frames.held <= AT_MOST
    assert not sending.done()
    sizes = [*[50_000] * 50, 10 * MIB, *[60_000] * 50]
    sizes.append(sum(map(len, pieces)) - sum(sizes))
    found = []
    for size in sizes:
        found.append(await line.reader.readexactly(size))
        assert frames.held <= AT_MOST
    assert b"".join(found) == b"".join(pieces)
    await sending


@on_each_line
async def test_a_writer_waits_for_its_peer(line: Line) -> None:
    """It is told when its transport has enough, and when it may go on."""
    frames_of(line.reader)
    for _ in range(2):  # TLS passes on whatever it gets first
        line.writer.write(bytes(12 * MIB))
    draining = asyncio.create_task(line.writer.drain())
    await asyncio.sleep(0.05)
    assert not draining.done()
    assert len(await line.peer_reader.readexactly(24 * MIB)) == 24 * MIB
    await draining


@on_each_line
async def test_a_stream_that_ends_too_soon_says_what_it_had(line: Line) -> None:
    """The end comes through in the middle of a large read, and so do the bytes before it."""
    frames = frames_of(line.reader)
    reading = asyncio.create_task(line.reader.readexactly(100_000))
    await asyncio.sleep(0)
    await line.send(b"x" * 70_000)
    await soon(lambda: frames.held == 70_000)
    line.peer.close()
    with pytest.raises(asyncio.IncompleteReadError) as caught:
        await reading
    assert (len(caught.value.partial), caught.value.expected) == (70_000, 100_000)
    assert frames.held == 0
    with pytest.raises(asyncio.IncompleteReadError):
        await line.reader.readexactly(100_000)


@on_each_line
async def test_what_came_before_the_end_is_read(line: Line) -> None:
    """Answers that are sent right before a peer hangs up are whole."""
    frames_of(line.reader)
    answers = [noise(size) for size in (90_000, 30_000, 10_000, 20_000, 30_000)]
    line.peer.write(b"".join(answers))
    line.peer.close()
    assert [await line.reader.readexactly(len(answer)) for answer in answers] == answers
    with pytest.raises(asyncio.IncompleteReadError):
        await line.reader.readexactly(1)


@on_each_line
async def test_what_came_before_a_crash_is_read(line: Line) -> None:
    """And so are those that a peer has sent which breaks down then, without a word in TLS."""
    frames_of(line.reader)
    answers = [noise(size) for size in range(30_000, 30_004)]
    line.peer.write(b"".join(answers))
    await asyncio.sleep(0)
    line.peer.transport.abort()
    assert [await line.reader.readexactly(len(answer)) for answer in answers] == answers
    with pytest.raises(asyncio.IncompleteReadError):
        await line.reader.readexactly(1)


async def a_third_of(line: Line) -> tuple[Frames, asyncio.Task[bytes]]:
    """A large read of which a third has come."""
    frames = frames_of(line.reader)
    reading = asyncio.create_task(line.reader.readexactly(3 * MIB))
    await line.send(bytes(MIB))
    await soon(lambda: frames.arrived > MIB - 32 * 1024)  # TLS may have a part of one record
    return frames, reading


@on_each_line
async def test_a_broken_connection_ends_a_large_read(line: Line) -> None:
    """The error that the connection has met is raised, and what had come is not kept."""
    frames, reading = await a_third_of(line)
    line.reset()
    with pytest.raises(ConnectionResetError):
        await reading
    await line.lost
    assert frames.held == 0


@on_each_line
async def test_a_connection_that_is_closed_ends_a_large_read(line: Line) -> None:
    """aiokafka closes it and reads no more; what had come is not kept."""
    frames, reading = await a_third_of(line)
    line.writer.close()
    reading.cancel()
    await asyncio.wait({reading})
    assert reading.cancelled()
    assert frames.held == 0


@on_each_line
async def test_a_connection_that_is_closing_stays_as_it_is(line: Line) -> None:
    """Its end is told to whoever reads, and to aiokafka."""
    for _ in range(2):  # asyncio's TLS knows nothing any more the second time
        line.writer.close()
    frames_of(line.reader)
    with pytest.raises(asyncio.IncompleteReadError):
        await line.reader.readexactly(MIB)
    await line.lost


@on_each_line
async def test_a_connection_that_has_ended_stays_as_it_is(line: Line) -> None:
    """Neither its transport nor its protocol is there any more."""
    line.reset()
    await line.lost
    frames_of(line.reader)
    with pytest.raises(ConnectionResetError):
        await line.reader.readexactly(MIB)
