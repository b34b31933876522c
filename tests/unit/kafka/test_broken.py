"""Connections that break under the feet of whoever writes to them, in the loop of the service."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import wraps
from typing import Any, Final

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, NodeNotReadyError
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.structs import BrokerMetadata

from barengine.cli.loop import run_async
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.patience import ANSWER_MS, answer_in_time
from tests.processes import PATIENCE_S

NODE: Final = 1
METADATA: Final = 3


async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Knows one request, says so, and answers none."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):  # it may break before
        header = await reader.readexactly(12)
        (correlation_id,) = struct.unpack(">i", header[8:])
        answer = struct.pack(">ihihhh", correlation_id, 0, 1, METADATA, 0, 1)
        writer.write(struct.pack(">i", len(answer)) + answer)
        await reader.read()  # the client hangs up
    writer.close()


@asynccontextmanager
async def client_of() -> AsyncIterator[Any]:
    """A client that knows one broker and has no connection to it yet."""
    async with await asyncio.start_server(broker, "127.0.0.1") as server:
        host, port = server.sockets[0].getsockname()
        client: Any = AIOKafkaClient(**ConnectionConfig(f"{host}:{port}").kwargs())
        client.cluster._brokers = {NODE: BrokerMetadata(NODE, host, port, None)}
        try:
            yield client
        finally:
            await client.close()


async def broken(client: Any) -> Any:
    """A connection whose handle is closed, of which its client has not heard."""
    conn = await client._get_conn(NODE)
    conn._reader.feed_data(b"\0\0")  # with half an answer at hand it looks whole
    await break_off(conn._writer.transport)
    assert conn.connected()
    return conn


async def break_off(transport: asyncio.Transport) -> None:
    transport.abort()
    await asyncio.sleep(0)


def in_the_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in uvloop: asyncio's own loop says nothing when such a transport is written to."""

    @wraps(test)
    def run(**given: Any) -> None:
        run_async(asyncio.wait_for(test(**given), PATIENCE_S))

    return run


async def asks(client: Any) -> None:
    await client.send(NODE, MetadataRequest())


async def asks_in_time(client: Any) -> None:
    answer_in_time(client, ANSWER_MS / 1000)
    await client.send(NODE, MetadataRequest())


async def logs_in(client: Any) -> None:
    (conn,) = client._conns.values()
    await conn._send_sasl_token(b"token")


@pytest.mark.parametrize("write", [asks, asks_in_time, logs_in])
@in_the_loop
async def test_a_write_to_a_broken_connection(
    write: Callable[[Any], Coroutine[Any, Any, None]],
) -> None:
    """It says what a client of Kafka expects, and the next request gets a new connection."""
    async with client_of() as client:
        conn = await broken(client)
        with pytest.raises(KafkaConnectionError, match="broken"):
            await write(client)
        assert not conn.connected()
        assert await client.ready(NODE)


@in_the_loop
async def test_the_metadata_outlive_a_broken_connection() -> None:
    """The task that keeps them goes on, and answers whoever has asked for new ones."""
    async with client_of() as client:
        find = client._get_conn

        async def breaks(node: int) -> Any:
            conn = await find(node)
            await break_off(conn._writer.transport)
            return conn

        client._get_conn = breaks  # right before the request is written
        client._sync_task = asyncio.create_task(client._md_synchronizer())
        assert not await client.force_metadata_update()
        assert not client._sync_task.done()


@pytest.mark.parametrize("write", [asks, asks_in_time])
@in_the_loop
async def test_a_connection_that_breaks_before_its_first_request(
    write: Callable[[Any], Coroutine[Any, Any, None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker is not ready, which is no reason for anybody to end."""
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def breaks(*args: Any, **kwargs: Any) -> Any:
        transport, protocol = await connect(*args, **kwargs)
        await break_off(transport)
        return transport, protocol

    async with client_of() as client:
        monkeypatch.setattr(loop, "create_connection", breaks)
        assert not await client.ready(NODE)
        with pytest.raises(NodeNotReadyError):
            await write(client)


@in_the_loop
async def test_any_other_error_of_a_write_stays_what_it_is() -> None:
    """Of a connection that is whole RuntimeError tells nothing, so it must be seen."""

    def refuses(_: bytes) -> None:
        raise RuntimeError("out of order")

    async with client_of() as client:
        conn = await client._get_conn(NODE)
        conn._writer.write = refuses
        with pytest.raises(RuntimeError, match="out of order"):
            await client.send(NODE, MetadataRequest())
        assert conn.connected()
