"""Large answers of a broker, received where they stay.

An answer to a fetch is some MiB. asyncio's StreamReader gets each piece that arrives as an object
of its own, appends it to one growing buffer, wakes its reader for it, and stops the socket while
more than 128 KiB wait: while the event loop is busy elsewhere the broker stands still. Here the
socket, or TLS, writes a large read straight into the bytes that are given out when all are there.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from typing import Any, Final

from barengine.kernel import Fresh

_LARGE: Final = 64 * 1024
"""Below it, the reader's buffer is just as good; and that gets no more than this at a time, as
what it has got of a large answer before the size is known is copied once more."""

_AT_ONCE: Final = 256 * 1024
"""Bytes of a large read that are worth waking up for. A socket that is read as soon as it has some
is read a few KiB at a time: a broker on the same machine is hardly faster than that. With more of
an answer of 1 MiB, broker and engine wait for each other."""

_BUFFER: Final = 2 * 1024 * 1024
"""What the system's buffer is asked to be good for, so that the broker goes on meanwhile."""

_TAIL: Final = 64 * 1024
"""The rest of it is taken as it comes. Under TLS so much may have left the socket without having
arrived: a record of 16 KiB that is not whole."""

_INT: Final = struct.Struct("i")
_NOTHING: Final = memoryview(b"")


def frames_of(reader: Any) -> Frames:
    """The one that serves a ``StreamReader``; from now on, where there was none."""
    found = getattr(reader.readexactly, "__self__", None)
    return found if isinstance(found, Frames) else Frames(reader)


class Frames(asyncio.BufferedProtocol):
    """Takes over ``readexactly`` of one ``StreamReader``, whatever it awaits, and receives for it.

    It stands between the reader's transport and the protocol that was there, which goes on to
    tell reader and writer all that happens. Bounded by the reader: what is not part of the large
    read that is awaited goes to the reader's own buffer, with its limit.
    """

    def __init__(self, reader: Any) -> None:
        self._reader, self._read = reader, reader.readexactly
        self._size, self._missing, self._low = 0, _NOTHING, 1
        self._small = memoryview(bytearray(_LARGE))
        reader.readexactly = self.readexactly
        transport = reader._transport
        if not transport.is_closing():  # else nothing comes but the end, and the reader is told it
            self._protocol = transport.get_protocol()
            transport.set_protocol(self)
            # Unlike SO_RCVBUF this lets the system make its buffer larger still.
            for low in (_BUFFER, self._low):
                self._wake_with(low)

    def __repr__(self) -> str:
        return f"<Frames {self.held} bytes held, {len(self._missing)} awaited>"

    @property
    def held(self) -> int:
        """Bytes that have arrived and are not read."""
        return self._size - len(self._missing) + len(self._reader._buffer)

    @property
    def arrived(self) -> int:
        """And those that are still in the system's buffer, as TLS has packed them."""
        return self.held + self._queued()

    async def readexactly(self, size: int) -> bytes:
        """As ``StreamReader.readexactly``.

        Raises:
            asyncio.IncompleteReadError: the stream ended before.
            Exception: what the reader was told has happened to the connection.
        """
        if size - len(self._reader._buffer) >= _LARGE:
            fresh = Fresh(size)
            if await self._filled(fresh.view()):
                return fresh.taken(size)
        data: bytes = await self._read(size)  # or it says why not
        return data

    async def _filled(self, whole: memoryview) -> bool:
        """Whether all of it has come. If not, or if it is not waited for any more, what has come
        is in the reader's buffer again, for whoever reads next."""
        reader, there = self._reader, len(self._reader._buffer)
        whole[:there] = reader._buffer
        reader._buffer.clear()
        self._size, self._missing = len(whole), whole[there:]
        self._wake_at()
        try:
            while self._missing and reader.exception() is None and not reader._eof:
                await reader._wait_for_data("readexactly")
            done = not self._missing
            if not done:
                self._give_back(whole)
            return done
        except asyncio.CancelledError:
            if not reader._transport.is_closing():  # else nobody reads on
                self._give_back(whole)
            raise
        finally:
            self._size, self._missing = 0, _NOTHING
            self._wake_at()

    def _wake_at(self) -> None:
        """Let the system wake us when much of what is missing is there, not for each packet."""
        low = max(1, min(_AT_ONCE, len(self._missing) - _TAIL))
        if low == self._low:
            return
        self._low = low
        self._wake_with(low)

    def _wake_with(self, low: int) -> None:
        with contextlib.suppress(OSError):  # closed, or a system that knows nothing of it
            self._socket().setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, low)

    def _queued(self) -> int:
        try:
            found = fcntl.ioctl(self._socket().fileno(), termios.FIONREAD, bytes(_INT.size))
        except OSError:
            return 0
        return int(_INT.unpack(found)[0])

    def _socket(self) -> Any:
        transport = self._reader._transport
        if transport.is_closing():  # its descriptor may be another's soon
            raise OSError("the connection is closed")
        return transport.get_extra_info("socket")

    def _give_back(self, whole: memoryview) -> None:
        self._reader._buffer[:0] = whole[: self._size - len(self._missing)]

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the transport writes to next; it asks each time, and writes before all else."""
        return self._missing or self._small

    def buffer_updated(self, nbytes: int) -> None:
        """So much was written there."""
        if not self._missing:
            self._protocol.data_received(self._small[:nbytes])
            return
        self._missing = self._missing[nbytes:]
        self._wake_at()
        if not self._missing:
            self._reader._wakeup_waiter()

    def eof_received(self) -> bool | None:
        """For the protocol that was there, as all below."""
        keep_open: bool | None = self._protocol.eof_received()
        return keep_open

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()
