"""Ports for the local Kafka, and the question whether it answers yet."""

from __future__ import annotations

import random
import socket
import struct
from typing import Final

from barengine.errors import LocalKafkaError

HOST: Final = "127.0.0.1"  # never an outside interface: the local broker knows no passwords
# Below the ports that Linux (32768) and macOS (49152) hand to outgoing connections: while a
# broker is down, no client's connection may take its port, not even a client's own retry.
FREE_PORTS: Final = range(20_000, 30_000)
FREE_PORT_TRIES: Final = 200
PROBE_TIMEOUT_S: Final = 2.0

_CLIENT: Final = b"barengine-probe"
# Metadata v1 (https://kafka.apache.org/protocol#The_Messages_Metadata) for no topics: api key 3,
# version 1, correlation id 1, client id, empty topic array; the old layout parses in one line.
_METADATA: Final = struct.pack(f">hhih{len(_CLIENT)}si", 3, 1, 1, len(_CLIENT), _CLIENT, 0)
_REQUEST: Final = struct.pack(">i", len(_METADATA)) + _METADATA
_REPLY_HEAD: Final = struct.Struct(">iii")  # size, correlation id, number of live brokers


def is_free(port: int) -> bool:
    """Whether a server could listen on that port of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # as the broker does, so that connections in TIME_WAIT after a restart are no obstacle
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def pick_free_port(*taken: int) -> int:
    """A port that nobody listens on and that no outgoing connection will be given.

    Raises:
        LocalKafkaError: none was found.
    """
    for _ in range(FREE_PORT_TRIES):
        port = random.choice(FREE_PORTS)  # noqa: S311 - spreads concurrent starts, no secret
        if port not in taken and is_free(port):
            return port
    raise LocalKafkaError(
        f"no free port between {FREE_PORTS.start} and {FREE_PORTS.stop - 1}; give one with --port"
    )


def claim_port(port: int) -> int:
    """That port if it is free; 0 picks one.

    Raises:
        LocalKafkaError: the port is taken, or not a port.
    """
    if port == 0:
        return pick_free_port()
    if not 0 < port < 1 << 16:
        raise LocalKafkaError(f"{port} is no port: give one from 1 to 65535, or 0 for a free one")
    if not is_free(port):
        raise LocalKafkaError(
            f"port {port} on {HOST} cannot be used, most likely because another program listens "
            "on it: stop that one, give another port (--port N), or 0 for a free one"
        )
    return port


def answers(port: int) -> bool:
    """Whether a broker on that port names at least one live broker, itself.

    An open port is not enough: it opens before the controller has let the broker in.
    """
    try:
        with socket.create_connection((HOST, port), PROBE_TIMEOUT_S) as connection:
            connection.settimeout(PROBE_TIMEOUT_S)
            connection.sendall(_REQUEST)
            reply = connection.makefile("rb").read(_REPLY_HEAD.size)
    except OSError:
        return False
    return len(reply) == _REPLY_HEAD.size and _REPLY_HEAD.unpack(reply)[2] > 0
