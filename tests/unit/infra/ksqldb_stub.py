"""A ksqlDB server of a few lines: it lists what was created, and says no when told to."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

CREATE_RE: Final = re.compile(
    r"CREATE (?:SOURCE )?(STREAM|TABLE) IF NOT EXISTS `(\w+)` \(.+\) WITH \(\s+"
    r"KAFKA_TOPIC = '([^']+)',\s+KEY_FORMAT = '(\w+)',\s+VALUE_FORMAT = '(\w+)'\s+\);",
    re.DOTALL,
)


class KsqlDbStub:
    """``sources`` by name; ``login`` is who may ask; ``refusal`` answers every statement."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sources: dict[str, dict[str, str]] = {}
        self.statements: list[str] = []
        self.login: str | None = None
        self.refusal: tuple[int, Any] | None = None

    def answer(self, path: str, body: Any, authorization: str | None) -> tuple[int, Any]:
        """Status and body of the answer to one request."""
        login = self.login and f"Basic {base64.b64encode(self.login.encode()).decode()}"
        if login is not None and authorization != login:
            return 401, {"message": "who are you?"}
        if path == "/info":
            return 200, {"KsqlServerInfo": {"serverStatus": "RUNNING"}}
        if path != "/ksql":
            return 404, "<html>not here</html>"
        if body["ksql"].startswith("LIST"):
            return 200, [self._listed("STREAM"), self._listed("TABLE")]
        return self._create(body["ksql"])

    def _listed(self, kind: str) -> dict[str, Any]:
        found = [source for source in self.sources.values() if source["type"] == kind]
        return {"@type": f"{kind.lower()}s", f"{kind.lower()}s": found}

    def _create(self, statement: str) -> tuple[int, Any]:
        if self.refusal is not None:
            return self.refusal
        self.statements.append(statement)
        match = CREATE_RE.fullmatch(statement)
        assert match is not None, statement
        kind, name, topic, key, value = match.groups()
        listed = {"type": kind, "name": name, "topic": topic, "keyFormat": key}
        self.sources.setdefault(name, {**listed, "valueFormat": value})
        status = {"status": "SUCCESS", "message": f"{kind} created"}
        return 200, [{"@type": "currentStatus", "commandStatus": status}]


@contextmanager
def ksqldb_stub() -> Iterator[KsqlDbStub]:
    """A stub that answers until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            code, said = stub.answer(self.path, body, self.headers.get("Authorization"))
            content = (said if isinstance(said, str) else json.dumps(said)).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Requests are no news."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub = KsqlDbStub(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
