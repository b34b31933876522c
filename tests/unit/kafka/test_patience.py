"""What is asked of a connection, and of one that is gone meanwhile."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aiokafka.client import ConnectionGroup
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
