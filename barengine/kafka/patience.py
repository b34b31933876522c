"""How long a client waits for an answer, by what it has asked.

aiokafka has one time-out for all requests, and that must outlast a join, which is answered when
every member of the group is there. A peer that has vanished without a word (a machine without
power, a firewall that has forgotten a connection) would cost as long: most of a minute in which
the log is not read and the group gets no heartbeat.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka.client import ConnectionGroup
from aiokafka.conn import CloseReason
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import JoinGroupRequest, SyncGroupRequest

from barengine.kafka.frames import frames_of

ANSWER_MS: Final = 10_000
"""For connecting, and for every request that a broker answers at once."""

SILENT_S: Final = 10.0
"""Longest time without one byte of the answer to a fetch: the broker waits much shorter for data,
and on a slow line an answer may take its time as long as it comes."""

_LARGEST_ANSWER_S: Final = 120.0


def answer_in_time(client: Any, join_s: float) -> None:
    """Bound each request of an ``AIOKafkaClient`` made with ``request_timeout_ms=ANSWER_MS``.

    Args:
        join_s: for requests that wait for the rest of the group.
    """
    send = client.send
    limits = {
        JoinGroupRequest: join_s,
        SyncGroupRequest: join_s,
        FetchRequest: _LARGEST_ANSWER_S,
    }

    async def bounded(
        node_id: int, request: Any, *, group: ConnectionGroup = ConnectionGroup.DEFAULT
    ) -> Any:
        if not await client.ready(node_id, group=group):
            return await send(node_id, request, group=group)  # it says what is wrong
        conn = client._conns[node_id, group]
        if conn._reader is None:  # it was closed while we waited to be told of it
            return await send(node_id, request, group=group)
        # aiokafka asks for it when it sends, and nothing else runs until then
        conn._request_timeout = limits.get(type(request), ANSWER_MS / 1000)
        watch = None
        if isinstance(request, FetchRequest):
            frames_of(conn._reader)  # a large answer is to come
            watch = _Watch(conn)
        try:
            return await send(node_id, request, group=group)
        finally:
            if watch is not None:
                watch.stop()

    client.send = bounded


class _Watch:
    """Closes a connection from which no byte comes; whoever waits for an answer gets an error."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self._seen: tuple[object, int] | None = None
        # soon, not now: the request is not on its way yet
        self._timer: asyncio.Handle = asyncio.get_running_loop().call_soon(self._look)

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        now = self._received()
        if now is not None and now == self._seen:
            self._conn.close(reason=CloseReason.CONNECTION_TIMEOUT)
            return
        self._seen = now
        self._timer = asyncio.get_running_loop().call_later(SILENT_S, self._look)

    def _received(self) -> tuple[object, int] | None:
        """Which answer is next, and how much of it is there; None: the connection is closed."""
        reader, waiting = self._conn._reader, self._conn._requests
        if reader is None or not waiting:
            return None
        return waiting[0][0], frames_of(reader).arrived
