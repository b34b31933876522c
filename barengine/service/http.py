"""What the process says about itself over HTTP: /metrics, /livez, /readyz, /status.

A uvicorn server in the event loop of the engine. It takes no signals (those are the app's), writes
no access log, and what a client may send or hold open is bounded.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from barengine.errors import ConfigurationError
from barengine.service.exposition import render
from barengine.service.metrics import Metrics

_MAX_CONNECTIONS: Final = 128
"""More get 503. Probes and a few scrapers need ten; the rest is room for those that hang."""

_MAX_HEAD_BYTES: Final = 16 * 1024
_KEEP_ALIVE_S: Final = 5
_CONNECTION_S: Final = 60
"""Any connection ends by then: uvicorn itself waits forever for the rest of a request."""

_GRACEFUL_S: Final = 1


class Health(Protocol):
    """What the endpoints ask the app. Called in the event loop: answer from memory."""

    def live(self) -> bool:
        """Whether the process can go on at all."""
        ...

    def ready(self) -> tuple[bool, str]:
        """Whether every assigned partition is RUNNING, and in one line why not."""
        ...

    def status(self) -> dict[str, object]:
        """Tasks, states, lag, clocks: for people, as JSON."""
        ...

    def set_gauges(self) -> None:
        """Bring into the metrics how things are now; what happened is counted when it does."""
        ...


class HttpServer:
    """Serves one process.

    Args:
        host: address or name to listen on.
        port: 0 takes a free one, which :attr:`port` tells after :meth:`start`.
        metrics: behind /metrics.
        health: behind the other three.
    """

    def __init__(self, host: str, port: int, metrics: Metrics, health: Health) -> None:
        self._host = host
        self._port = port
        self._app = _app(metrics, health)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        state = "serving" if self._serving else "not serving"
        return f"<HttpServer {self._host}:{self._port} {state}>"

    @property
    def port(self) -> int:
        """The port that is listened on, or that was asked for before :meth:`start`."""
        return self._port

    async def start(self) -> None:
        """Listen and answer.

        Raises:
            ConfigurationError: host or port cannot be listened on; nothing was started.
        """
        listener = _listen(self._host, self._port)
        self._port = listener.getsockname()[1]
        self._server = _Server(_config(self._app))
        self._serving = asyncio.create_task(self._server.serve([listener]), name="http")
        up = asyncio.create_task(self._server.up.wait())
        await asyncio.wait({up, self._serving}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._serving.done():
            self._serving.result()

    async def stop(self) -> None:
        """Stop listening and end what is under way. Idempotent."""
        server, serving = self._server, self._serving
        self._server = self._serving = None
        if server is not None and serving is not None:
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers, and with an event that says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


class _Connection(H11Protocol):
    """A connection with an end, also for a client that does not read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._end = self.loop.call_later(_CONNECTION_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        backlog=_MAX_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACEFUL_S,
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
    )


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
        )
    except OSError as error:
        raise ConfigurationError(
            f"BARENGINE_HTTP_HOST is {host!r}: no address of this machine ({error.strerror}); "
            "write 0.0.0.0 for every one"
        ) from error
    # A name such as localhost may have both: who connects expects IPv4 to be among them.
    family, _, _, _, address = min(found, key=lambda each: each[0] is not socket.AF_INET)
    try:
        return socket.create_server(address, family=family, backlog=_MAX_CONNECTIONS)
    except OSError as error:
        raise ConfigurationError(
            f"BARENGINE_HTTP_PORT is {port}: cannot be listened on at {host} "
            f"({os.strerror(error.errno or 0)}); stop what uses it or take another, 0 for any "
            "free one"
        ) from error


def _app(metrics: Metrics, health: Health) -> Starlette:
    async def show_metrics(request: Request) -> Response:
        health.set_gauges()
        body, content_type = render(metrics.registry, request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})

    async def livez(_: Request) -> Response:
        live = health.live()
        return _line("live" if live else "not live", live)

    async def readyz(_: Request) -> Response:
        ready, why = health.ready()
        return _line(why, ready)

    async def status(_: Request) -> Response:
        text = json.dumps(health.status(), indent=2, default=str)
        return Response(text + "\n", media_type="application/json")

    pages = {"/metrics": show_metrics, "/livez": livez, "/readyz": readyz, "/status": status}
    app = Starlette(routes=[Route(path, page, methods=["GET"]) for path, page in pages.items()])
    app.router.redirect_slashes = False  # nothing else is found, not even by a redirect
    return app


def _line(text: str, good: bool) -> PlainTextResponse:
    return PlainTextResponse(" ".join(text.split()) + "\n", status_code=200 if good else 503)
