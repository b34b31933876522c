"""What is asked of a connection, and of one that is gone meanwhile."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.client import ConnectionGroup
from aiokafka.conn import CloseReason
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.fetch import FetchRequest

from barengine.kafka.patience import answer_in_time


async def test_connection_closed_while_it_was_waited_for() -> None:
    """Two wait for one connection, and it is closed before the second has its turn: the client
    makes another one, and no error of ours ends whoever asked."""
    asked: list[Any] = []

    async def ready(_: int, *, group: ConnectionGroup) -> bool:
        return True

    async def send(_: int, request: Any, *, group: ConnectionGroup) -> str:
        asked.append(request)
        return "answer"

    closed = SimpleNamespace(_reader=None, _requests=[])
    client = SimpleNamespace(ready=ready, send=send, _conns={(1, ConnectionGroup.DEFAULT): closed})
    answer_in_time(client, 60.0)
    request = FetchRequest(-1, 500, 1, 1000, [])
    assert await client.send(1, request) == "answer"
    assert asked == [request]


@pytest.mark.parametrize("closing", [True, False])
async def test_connection_that_breaks_before_a_request_is_written(closing: bool) -> None:
    """uvloop says RuntimeError where aiokafka expects an OSError: it becomes what a client of Kafka
    expects, and the next request gets a new connection. Any other RuntimeError stays one."""
    closed: list[CloseReason] = []

    async def ready(_: int, *, group: ConnectionGroup) -> bool:
        return True

    async def send(_: int, request: Any, *, group: ConnectionGroup) -> str:
        raise RuntimeError("unable to perform operation on <TCPTransport>; the handler is closed")

    conn = SimpleNamespace(
        _reader=asyncio.StreamReader(),
        _writer=SimpleNamespace(transport=SimpleNamespace(is_closing=lambda: closing)),
        _requests=[],
        close=closed.append,
    )
    client = SimpleNamespace(ready=ready, send=send, _conns={(1, ConnectionGroup.DEFAULT): conn})
    answer_in_time(client, 60.0)
    with pytest.raises(KafkaConnectionError if closing else RuntimeError):
        await client.send(1, FetchRequest(-1, 500, 1, 1000, []))
    assert closed == [CloseReason.CONNECTION_BROKEN] * closing
