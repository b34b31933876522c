"""A connection such as aiokafka's, in any event loop, with its peer in a test's hands."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest
import trustme
import uvloop
from aiokafka.conn import READER_LIMIT, AIOKafkaProtocol

from tests.processes import PATIENCE_S

HOST: Final = "127.0.0.1"

_RESET: Final = struct.pack("ii", 1, 0)
"""For SO_LINGER: closing breaks the connection off."""


@dataclass(frozen=True, slots=True)
class Line:
    """Both ends."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    lost: asyncio.Future[None]
    """Done when aiokafka knows that the connection has ended."""
    peer_reader: asyncio.StreamReader
    peer: asyncio.StreamWriter

    async def send(self, *pieces: bytes) -> None:
        """Bytes for the reader, from its peer."""
        for piece in pieces:
            self.peer.write(piece)
            await self.peer.drain()

    def reset(self) -> None:
        """Break it off as a peer does whose machine has crashed."""
        one = self.peer.get_extra_info("socket")
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.peer.transport.abort()


@functools.cache
def _contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert(HOST).configure_cert(server)
    authority.configure_trust(client)
    return server, client


@asynccontextmanager
async def connected(secured: bool) -> AsyncIterator[Line]:
    loop = asyncio.get_running_loop()
    of_server, of_client = _contexts() if secured else (None, None)
    accepted: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    accepted, lost = loop.create_future(), loop.create_future()
    server = await asyncio.start_server(
        lambda *ends: accepted.set_result(ends), HOST, 0, ssl=of_server
    )
    reader = asyncio.StreamReader(limit=READER_LIMIT, loop=loop)
    protocol = AIOKafkaProtocol(lost, reader, loop=loop)
    port = server.sockets[0].getsockname()[1]
    transport, _ = await loop.create_connection(lambda: protocol, HOST, port, ssl=of_client)
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    line = Line(reader, writer, lost, *await accepted)
    try:
        yield line
    finally:
        transport.abort()
        line.peer.transport.abort()
        await lost
        server.close()
        await server.wait_closed()


def on_each_line(test: Callable[[Line], Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in asyncio's own event loop and in the service's, in TCP and in TLS."""

    @pytest.mark.parametrize(
        "make_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
    )
    @pytest.mark.parametrize("secured", [False, True], ids=["tcp", "tls"])
    def run(make_loop: Callable[[], asyncio.AbstractEventLoop], secured: bool) -> None:
        async def tested() -> None:
            async with asyncio.timeout(PATIENCE_S), connected(secured) as line:
                await test(line)

        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(tested())

    run.__doc__ = test.__doc__
    return run
