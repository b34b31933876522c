"""What stands before a registry: a reverse proxy that asks for a login, speaks TLS, or fails.

    engine --- requests --> door --- requests --> Apicurio

Faults that a registry does not show at a word: no connection, no answer, an answer drop by drop,
other people's pages, an id that it does not know yet.
"""

from __future__ import annotations

import base64
import http.client
import re
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self
from urllib.parse import urlsplit

from barengine.kafka.local_net import HOST
from tests.processes import PATIENCE_S

NOBODY: Final = 2**31 - 1
"""An id that no registry has given."""

DROP_S: Final = 0.2
_ID: Final = re.compile(r"(?<=/schemas/ids/)[0-9]+")


class Door:
    """Serves on a free port from :meth:`up` to :meth:`down`, always the same one.

    As a context manager it is up.

    Args:
        target: URL of the registry's API.
        login: user and password without which nobody gets in.
        tls: context of a server with its certificate.
    """

    def __init__(
        self,
        target: str,
        login: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.target = urlsplit(target)
        self.asked: list[str] = []
        """Method and path of every request, in order."""
        self.hidden: set[int] = set()
        """Ids that the registry is asked for in vain."""
        self.healed = threading.Event()
        self.login = login
        self.fault: Fault | None = None
        self._tls = tls
        self._server = self._made(0)
        self.port: int = self._server.server_address[1]
        self._server.server_close()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.heal()
        self.down()

    @property
    def url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{HOST}:{self.port}{self.target.path}"

    def up(self) -> None:
        """Serve; nothing if it does."""
        if self._thread is None:
            self._server = self._made(self.port)
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
            self._thread.start()

    def down(self) -> None:
        """Refuse connections; nothing if it does."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._thread = None

    def break_by(self, fault: Fault) -> None:
        """Answer every request in this way until :meth:`heal`."""
        self.healed.clear()
        self.fault = fault

    def heal(self) -> None:
        """Let everything pass."""
        self.fault = None
        self.healed.set()

    def _made(self, port: int) -> ThreadingHTTPServer:
        server = _Server((HOST, port), type("Handler", (Handler,), {"door": self}))
        if self._tls is not None:
            # the handshake is the handler's: one that hangs must not keep others out
            server.socket = self._tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        return server


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that goes away, or does not like our certificate, is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    door: Door
    timeout = PATIENCE_S

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        """Send a whole answer; ``content_type`` stands for ``content-type``."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _serve(self) -> None:
        door = self.door
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        door.asked.append(f"{self.command} {self.path}")
        if door.login is not None and self.headers.get("authorization") != _basic(*door.login):
            self.answer(401, b"<html>who are you?</html>", www_authenticate="Basic")
        elif door.fault is not None:
            door.fault(self)
        else:
            self._forward(body)

    def _forward(self, body: bytes) -> None:
        target = self.door.target
        hidden = self.door.hidden
        path = _ID.sub(lambda m: str(NOBODY) if int(m[0]) in hidden else m[0], self.path)
        kept = ("content-type", "accept")
        headers = {name: self.headers[name] for name in kept if name in self.headers}
        connection = http.client.HTTPConnection(target.netloc, timeout=PATIENCE_S)
        try:
            connection.request(self.command, path, body or None, headers)
            found = connection.getresponse()
            content_type = found.headers.get("content-type", "application/json")
            self.answer(found.status, found.read(), content_type=content_type)
        finally:
            connection.close()

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


Fault = Callable[[Handler], None]


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# -- faults --------------------------------------------------------------------------------------


def hang(handler: Handler) -> None:
    """No answer, and in the end none at all."""
    handler.door.healed.wait(PATIENCE_S)


def drip(handler: Handler) -> None:
    """An answer whose end never comes, though there is always a bit of it."""
    handler.send_response(200)
    handler.send_header("content-length", "1000000")
    handler.end_headers()
    while not handler.door.healed.wait(DROP_S):
        handler.wfile.write(b" ")


def server_error(handler: Handler) -> None:
    """The registry's own failure, in its own words."""
    handler.answer(500, b'{"error_code": 50001, "message": "the store is away"}')


def unavailable(handler: Handler) -> None:
    """A load balancer that has nobody behind it."""
    handler.answer(503, b"<html>no server is available</html>", content_type="text/html")


def garbage(handler: Handler) -> None:
    """Somebody else's page, with a good conscience."""
    handler.answer(200, b"<html>please log in</html>", content_type="text/html")


def other_json(handler: Handler) -> None:
    """JSON, and about something else."""
    handler.answer(200, b'{"token": "expired"}', content_type="application/json")


def redirect(handler: Handler) -> None:
    """Try over there."""
    there = handler.door.target
    handler.answer(307, b"", location=f"{there.scheme}://{there.netloc}{handler.path}")


def not_found(handler: Handler) -> None:
    """A path that leads nowhere, which says nothing of ids."""
    handler.answer(404, b"<html>not here</html>", content_type="text/html")
