"""Ports for the local Kafka, and its configuration."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from barengine.errors import LocalKafkaError
from barengine.kafka.local import LocalKafka
from barengine.kafka.local_config import new_cluster_id, server_properties
from barengine.kafka.local_net import FREE_PORTS, HOST, answers, claim_port, is_free, pick_free_port


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server on a port of its own."""
    with socket.create_server((HOST, pick_free_port())) as server:
        yield server


def _port(server: socket.socket) -> int:
    return int(server.getsockname()[1])


def test_taken_port_is_refused_by_name_with_a_way_out(listener: socket.socket) -> None:
    """A port that somebody listens on is refused before anything is fetched or started."""
    port = _port(listener)
    kafka = LocalKafka(port=port)

    with pytest.raises(LocalKafkaError, match=rf"port {port} .*--port N.* 0 for a free one"):
        kafka.start()

    assert not kafka.running


@pytest.mark.parametrize("port", [-1, 65_536])
def test_impossible_port_is_refused(port: int) -> None:
    """A number that is no port is said to be none."""
    with pytest.raises(LocalKafkaError, match=f"{port} is no port"):
        claim_port(port)


def test_picked_port_is_free_and_below_the_ephemeral_ones() -> None:
    """No outgoing connection is ever given the port that was picked."""
    port = claim_port(0)

    assert port in FREE_PORTS
    assert is_free(port)
    assert pick_free_port(port) != port


def test_closed_port_does_not_answer() -> None:
    """No server, no answer."""
    assert not answers(pick_free_port())


@pytest.mark.parametrize(
    "reply", [b"", b"\0\0\0\x08\0\0\0\x01\0\0\0\0"], ids=["hang up", "no broker"]
)
def test_open_port_alone_is_no_answer(listener: socket.socket, reply: bytes) -> None:
    """A server that hangs up, or that knows no live broker yet, has not come up."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(reply)

    server = threading.Thread(target=serve)
    server.start()

    assert not answers(_port(listener))
    server.join()


def test_settings_of_the_caller_win() -> None:
    """A broker setting given by the caller replaces the built-in one, and appears once."""
    text = server_properties(1, 2, Path("data"), {"log.dirs": "a\\b", "num.io.threads": "3"})
    lines = text.splitlines()

    assert r"log.dirs=a\\b" in lines
    assert "num.io.threads=3" in lines
    assert sum(line.startswith("log.dirs=") for line in lines) == 1


def test_cluster_id_is_what_kafka_accepts() -> None:
    """A cluster id is 22 characters, new every time, and never looks like an option."""
    ids = {new_cluster_id() for _ in range(100)}

    assert len(ids) == 100
    assert {len(one) for one in ids} == {22}
    assert not any(one.startswith("-") for one in ids)
