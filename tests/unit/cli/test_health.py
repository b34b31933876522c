"""``barengine health`` against a server that says what a test lets it say."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from barengine.cli import FAILED, main
from barengine.cli.health import reachable

ANSWERS = {"/livez": (200, b"live\n"), "/readyz": (503, b"partitions not running: 3\n")}


class Pages(BaseHTTPRequestHandler):
    """An engine that lives and is not ready."""

    def do_GET(self) -> None:
        code, body = ANSWERS[self.path]
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing on standard error."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    """Serves the pages; host and port are in the environment, as the engine has them."""
    with HTTPServer(("127.0.0.1", 0), Pages) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        monkeypatch.setenv("BARENGINE_HTTP_HOST", "127.0.0.1")
        monkeypatch.setenv("BARENGINE_HTTP_PORT", str(found.server_port))
        yield found
        found.shutdown()
        thread.join()


@pytest.mark.usefixtures("server")
def test_a_live_engine_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, and the engine's own word."""
    with pytest.raises(SystemExit) as ended:
        main(["health"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == "live\n"


@pytest.mark.usefixtures("server")
def test_an_engine_that_is_not_ready_is_not_well_with_ready(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With --ready it is /readyz that counts, and its reason is told."""
    assert main(["health", "--ready"]) == FAILED
    assert "503: partitions not running: 3" in capsys.readouterr().err


def test_no_answer_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nobody listens the message says where it asked."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("BARENGINE_HTTP_PORT", str(port))
    assert main(["health"]) == FAILED
    assert f"http://0.0.0.0:{port}/livez does not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.1.2.3", "10.1.2.3"), ("localhost",) * 2],
)
def test_an_address_that_stands_for_all_is_asked_at_the_loopback(host: str, address: str) -> None:
    """One cannot connect to 0.0.0.0 everywhere; any other address is taken as it is."""
    assert reachable(host) == address
