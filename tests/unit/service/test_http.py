from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from barengine.errors import ConfigurationError
from barengine.service import http
from barengine.service.http import HttpServer
from barengine.service.metrics import Metrics
from tests.processes import PATIENCE_S


class Answers:
    """A health that says what a test wants."""

    def __init__(self) -> None:
        self.metrics = Metrics("", "1.2.3", "x")
        self.windows = 0
        self.is_live = True
        self.readiness = (True, "ready")
        self.error: Exception | None = None

    def live(self) -> bool:
        return self.is_live

    def ready(self) -> tuple[bool, str]:
        return self.readiness

    def status(self) -> dict[str, object]:
        if self.error is not None:
            raise self.error
        return {"tasks": {"0": {"state": "running"}}, "clock": None}

    def set_gauges(self) -> None:
        self.metrics.set_windows(0, self.windows)


@pytest.fixture
def health() -> Answers:
    return Answers()


@pytest.fixture
async def server(health: Answers) -> AsyncIterator[HttpServer]:
    server = HttpServer("127.0.0.1", 0, health.metrics, health)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(server: HttpServer) -> AsyncIterator[httpx.AsyncClient]:
    url = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE_S) as client:
        yield client


async def test_a_gauge_is_of_the_moment_that_it_is_asked_for(
    client: httpx.AsyncClient, health: Answers
) -> None:
    """And of none before."""
    for windows in (3, 5):
        health.windows = windows
        shown = (await client.get("/metrics")).text
        assert f'barengine_windows_open_count{{partition="0"}} {windows}.0' in shown


async def test_metrics_are_served_as_prometheus_reads_them(client: httpx.AsyncClient) -> None:
    """/metrics is the exposition format, with its version in the content type."""
    response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert 'barengine_build_info{kernel="x",version="1.2.3"} 1.0' in response.text


async def test_openmetrics_is_served_to_who_accepts_it(client: httpx.AsyncClient) -> None:
    """The Accept header chooses the format."""
    response = await client.get("/metrics", headers={"accept": "application/openmetrics-text"})
    assert response.headers["content-type"].startswith("application/openmetrics-text")


@pytest.mark.parametrize(("live", "code"), [(True, 200), (False, 503)])
async def test_livez_is_200_or_503(
    client: httpx.AsyncClient, health: Answers, live: bool, code: int
) -> None:
    """A process that cannot go on is restarted."""
    health.is_live = live
    response = await client.get("/livez")
    assert response.status_code == code
    assert response.text == ("live\n" if live else "not live\n")


@pytest.mark.parametrize(("ready", "code"), [(True, 200), (False, 503)])
async def test_readyz_says_why_in_one_line(
    client: httpx.AsyncClient, health: Answers, ready: bool, code: int
) -> None:
    """The reason is one line, whatever it is made of."""
    health.readiness = (ready, "partition 3\nis restoring")
    response = await client.get("/readyz")
    assert response.status_code == code
    assert response.text == "partition 3 is restoring\n"


async def test_status_is_json_for_people(client: httpx.AsyncClient) -> None:
    """/status is JSON, indented."""
    response = await client.get("/status")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"tasks": {"0": {"state": "running"}}, "clock": None}
    assert '\n  "tasks"' in response.text


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metric", "/docs", "/status/0", "/%2e%2e/"])
async def test_there_is_nothing_else(client: httpx.AsyncClient, path: str) -> None:
    """Every other path is 404, without a redirect."""
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_can_be_changed(client: httpx.AsyncClient, method: str) -> None:
    """Only GET and HEAD are answered."""
    response = await client.request(method, "/metrics")
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/status"])
async def test_head_is_get_without_a_body(client: httpx.AsyncClient, path: str) -> None:
    """A probe may ask with HEAD."""
    response = await client.head(path)
    assert response.status_code == 200
    assert response.content == b""


async def test_a_broken_page_is_500_and_the_server_goes_on(
    client: httpx.AsyncClient, health: Answers
) -> None:
    """An error while answering costs that answer only, and tells nothing to the client."""
    health.error = RuntimeError("inner detail")
    response = await client.get("/status")
    assert response.status_code == 500
    assert "inner detail" not in response.text
    assert (await client.get("/livez")).status_code == 200


async def test_the_server_does_not_tell_what_it_is(client: httpx.AsyncClient) -> None:
    """No Server header."""
    assert "server" not in (await client.get("/livez")).headers


async def test_a_head_of_a_request_is_bounded(server: HttpServer) -> None:
    """A client cannot make the process hold endless headers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /livez HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 32 * 1024)
    await writer.drain()
    assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
    writer.close()


async def test_a_request_that_never_ends_is_cut(
    monkeypatch: pytest.MonkeyPatch, server: HttpServer
) -> None:
    """A connection is closed at its limit though the client goes on sending nothing."""
    monkeypatch.setattr(http, "_CONNECTION_S", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /livez HTTP/1.1\r\n")
    async with asyncio.timeout(PATIENCE_S):
        assert await reader.read() == b""
    writer.close()


async def test_a_client_that_does_not_read_is_cut(
    monkeypatch: pytest.MonkeyPatch, server: HttpServer, health: Answers
) -> None:
    """A connection is gone at its limit, whatever waits to be written to it."""
    monkeypatch.setattr(http, "_CONNECTION_S", 0.3)
    monkeypatch.setattr(health, "status", lambda: "much more than all buffers hold" * 10**6)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", server.port))
        ask = b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n"
        gone = False
        async with asyncio.timeout(PATIENCE_S):
            while not gone:  # until it is told that nobody is there any more
                try:
                    await loop.sock_sendall(client, ask)
                except OSError:
                    gone = True
                await asyncio.sleep(0.05)


async def test_a_taken_port_is_a_configuration_error() -> None:
    """The message names the key, the port and the way out, and nothing is left running."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = HttpServer("127.0.0.1", port, Metrics("", "1", "x"), Answers())
        with pytest.raises(ConfigurationError, match=f"BARENGINE_HTTP_PORT is {port}: .*in use"):
            await server.start()
        await server.stop()


async def test_a_host_that_is_not_ours_is_a_configuration_error() -> None:
    """A name without an address is told as the host's fault, not the port's."""
    server = HttpServer("no.such.host.invalid", 0, Metrics("", "1", "x"), Answers())
    with pytest.raises(ConfigurationError, match=r"HTTP_HOST is 'no\.such\.host\.invalid'"):
        await server.start()


async def test_signals_stay_with_the_app() -> None:
    """Serving installs no signal handler: the app decides what SIGTERM means."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    server = HttpServer("127.0.0.1", 0, Metrics("", "1", "x"), Answers())
    await server.start()
    try:
        assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    finally:
        await server.stop()


async def test_a_stopped_server_lets_its_port_go() -> None:
    """After stop the port can be taken at once; stopping twice, or before start, is nothing."""
    server = HttpServer("127.0.0.1", 0, Metrics("", "1", "x"), Answers())
    await server.stop()
    await server.start()
    port = server.port
    await server.stop()
    await server.stop()
    again = HttpServer("127.0.0.1", port, Metrics("", "1", "x"), Answers())
    await again.start()
    assert again.port == port
    await again.stop()


async def test_stopping_does_not_wait_for_idle_clients(
    monkeypatch: pytest.MonkeyPatch, health: Answers
) -> None:
    """A connection that is kept alive does not hold the process back."""
    for name in ("_KEEP_ALIVE_S", "_CONNECTION_S"):  # whoever waited for it would wait too long
        monkeypatch.setattr(http, name, 10 * int(PATIENCE_S))
    server = HttpServer("127.0.0.1", 0, Metrics("", "1", "x"), health)
    await server.start()
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
        await client.get(f"http://127.0.0.1:{server.port}/livez")
        async with asyncio.timeout(PATIENCE_S):
            await server.stop()
