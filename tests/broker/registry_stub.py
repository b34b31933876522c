"""A schema registry of a few lines: the four calls of the Confluent API that the engine makes.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

HOST: Final = "127.0.0.1"
_SCHEMA_NOT_FOUND: Final = 40403
_TYPE: Final = "application/vnd.schemaregistry.v1+json"


class RegistryStub:
    """Serves on a free port from :meth:`up` to :meth:`down`, always the same one.

    As a context manager it is up. ``schemas`` by id may be changed at any time.
    """

    def __init__(self) -> None:
        self.schemas: dict[int, Any] = {}
        self.subjects: dict[str, int] = {}
        self.asked: list[str] = []
        """Method and path of every request, in order."""
        self._server = self._made(0)
        self.port: int = self._server.server_address[1]
        self._server.server_close()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

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

    def _made(self, port: int) -> ThreadingHTTPServer:
        handler = type("Handler", (_Handler,), {"registry": self})
        return ThreadingHTTPServer((HOST, port), handler)

    # -- the API ---------------------------------------------------------------------------

    def answer(self, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer to one request."""
        match method, path.partition("?")[0].strip("/").split("/"):
            case "GET", ["schemas", "ids", number]:
                return self._schema(int(number))
            case "POST", ["subjects", subject, "versions"]:
                return 200, self._known(subject) or self._register(subject, body)
            case "POST", ["subjects", subject]:
                return self._lookup(subject, body)
        return 404, {"error_code": 404, "message": "no such page"}

    def _schema(self, number: int) -> tuple[int, dict[str, Any]]:
        if number not in self.schemas:
            return 404, {"error_code": _SCHEMA_NOT_FOUND, "message": "Schema not found"}
        return 200, {"schema": json.dumps(self.schemas[number])}

    def _known(self, subject: str) -> dict[str, Any] | None:
        return {"id": self.subjects[subject]} if subject in self.subjects else None

    def _register(self, subject: str, body: Any) -> dict[str, Any]:
        number = self.subjects[subject] = max(self.schemas, default=0) + 1000
        self.schemas[number] = json.loads(body["schema"])
        return {"id": number}

    def _lookup(self, subject: str, body: Any) -> tuple[int, dict[str, Any]]:
        known = self._known(subject)
        if known is None:
            return 404, {"error_code": _SCHEMA_NOT_FOUND, "message": "Schema not found"}
        return 200, {"subject": subject, "version": 1, "schema": body["schema"], **known}


class _Handler(BaseHTTPRequestHandler):
    registry: RegistryStub

    def _serve(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        self.registry.asked.append(f"{self.command} {self.path}")
        code, content = self.registry.answer(self.command, self.path, body)
        data = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("content-type", _TYPE)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _serve

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""
