"""Damaged HTTP requests at the service's own server."""

from __future__ import annotations

import asyncio
import os
import random
from random import Random

import pytest

from barengine.service.http import HttpServer
from barengine.service.metrics import Metrics
from tests.fuzz.mutate import mutated

REQUESTS = int(os.environ.get("FUZZ_INPUTS") or 0) // 500
SHORT = 1_500
PATIENCE_S = 60.0

SOUND = (
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\nConnection: close\r\n\r\n",
    b"GET /status HTTP/1.0\r\n\r\n",
    b"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
    b"GET /readyz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /../../etc/passwd?x=%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
)


class Healthy:
    """An app that is well."""

    def live(self) -> bool:
        return True

    def ready(self) -> tuple[bool, str]:
        return True, "ready"

    def status(self) -> dict[str, object]:
        return {"secret": None}

    def set_gauges(self) -> None:
        pass


async def answer(port: int, request: bytes) -> bytes:
    """Send, say that nothing follows, and read to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def status_of(reply: bytes) -> int:
    """The status code of a reply."""
    return int(reply.split(b" ", 2)[1])


async def test_http(capsys: pytest.CaptureFixture[str]) -> None:
    """A request, however damaged, is answered or refused, and the next one gets its page."""
    seed = os.environ.get("FUZZ_SEED") or str(random.SystemRandom().randrange(10**6))
    with capsys.disabled():
        print(f"\nFUZZ_SEED={seed}")  # noqa: T201 - to repeat a failure
    rng = Random(seed)
    server = HttpServer("127.0.0.1", 0, Metrics("", "0", "Kernel", ["1m"]), Healthy())
    await server.start()
    try:
        for _ in range(max(REQUESTS, SHORT)):
            reply = await answer(server.port, mutated(rng, rng.choice(SOUND), 6))
            assert not reply or status_of(reply) in {200, 400, 404, 405, 431, 501, 505}
        assert status_of(await answer(server.port, SOUND[0])) == 200
    finally:
        await server.stop()
