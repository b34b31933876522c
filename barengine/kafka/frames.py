"""Large answers of a broker, taken in with fewer copies.

An answer to a fetch is some MiB. asyncio's StreamReader appends each piece that arrives to one
growing buffer, wakes its reader for it, and stops the socket while more than 128 KiB wait: while
the event loop is busy elsewhere the broker stands still. Here the pieces of a large read are kept
as they are and joined once, when the last one is there.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

_LARGE: Final = 64 * 1024
"""Below it, the buffer is just as good."""


def frames_of(reader: Any) -> Frames:
    """The one that serves a ``StreamReader``; from now on, where there was none."""
    found = getattr(reader.readexactly, "__self__", None)
    return found if isinstance(found, Frames) else Frames(reader)


class Frames:
    """Takes over ``readexactly`` and ``feed_data`` of one ``StreamReader``, whatever it awaits.

    Bounded by the reader: pieces are kept only up to the size that is being read, what comes
    behind it goes to the reader's own buffer, with its limit.
    """

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self._read, self._feed = reader.readexactly, reader.feed_data
        self._pieces: list[bytes] = []
        self._missing = 0
        reader.readexactly, reader.feed_data = self.readexactly, self.feed_data

    def __repr__(self) -> str:
        return f"<Frames {self.held} bytes held, {self._missing} awaited>"

    @property
    def held(self) -> int:
        """Bytes that have arrived and are not read."""
        return sum(map(len, self._pieces)) + len(self._reader._buffer)

    async def readexactly(self, size: int) -> bytes:
        """As ``StreamReader.readexactly``.

        Raises:
            asyncio.IncompleteReadError: the stream ended before.
            Exception: what the reader was told has happened to the connection.
        """
        reader = self._reader
        if size - len(reader._buffer) < _LARGE:
            data: bytes = await self._read(size)
            return data
        self._pieces, self._missing = [bytes(reader._buffer)], size - len(reader._buffer)
        reader._buffer.clear()
        try:
            while self._missing:
                if reader.exception() is not None:
                    raise reader.exception()
                if reader._eof:
                    raise asyncio.IncompleteReadError(b"".join(self._pieces), size)
                await reader._wait_for_data("readexactly")
            return b"".join(self._pieces)
        finally:
            self._pieces, self._missing = [], 0

    def feed_data(self, data: bytes) -> None:
        """As ``StreamReader.feed_data``."""
        if not self._missing:
            self._feed(data)
            return
        rest = data[self._missing :]
        piece = data[: self._missing]  # the same object where nothing is cut off
        self._pieces.append(piece)
        self._missing -= len(piece)
        if not self._missing:
            self._reader._wakeup_waiter()
        if rest:
            self._feed(rest)
