"""Writing to a connection that broke a moment ago.

uvloop says RuntimeError there, for a turn or two of the event loop until aiokafka hears of it.
aiokafka expects an OSError: any other error ends the task that was writing (it fetches, sends
heartbeats, or keeps the brokers' metadata), and it starts none of them again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_CONNECTION: Final[Any] = AIOKafkaConnection


def expect_broken_connections() -> None:
    """Let every connection of aiokafka close and say KafkaConnectionError then.

    For all clients at once, on the class: a connection writes its first requests, the login among
    them, before the client that makes it has it in hand.
    """
    _CONNECTION.send = _checked(_CONNECTION.send)
    _CONNECTION._send_sasl_token = _checked(_CONNECTION._send_sasl_token)


def _checked(send: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(send)
    def sent(conn: Any, *args: Any, **kwargs: Any) -> Any:
        writer = conn._writer
        try:
            return send(conn, *args, **kwargs)
        except RuntimeError as error:
            if not writer.transport.is_closing():
                raise
            conn.close(CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"connection at {conn.host}:{conn.port} broken") from error

    return sent
