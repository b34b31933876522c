"""``barengine health``: ask the engine beside this process how it is: a container's health check.

An image without curl or a shell has this instead; it finds host and port where the engine does.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
from pathlib import Path
from typing import Annotated, Final

import typer

from barengine.errors import BarengineError
from barengine.settings import load_settings

_TIMEOUT_S: Final = 3.0
"""Less than what health checks usually allow: it should be this process that says what is wrong."""

_OK: Final = 200


def health(
    ready: Annotated[
        bool, typer.Option("--ready", help="Ask /readyz, whether bars flow, instead of /livez.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="YAML file of settings; the environment beats it."),
    ] = None,
) -> None:
    """Tell by the exit code whether the engine on this machine is well: 0, or 1."""
    settings = load_settings(config, os.environ)
    host, page = reachable(settings.http_host), "/readyz" if ready else "/livez"
    connection = http.client.HTTPConnection(host, settings.http_port, timeout=_TIMEOUT_S)
    where = f"http://{settings.http_host}:{settings.http_port}{page}"
    try:
        connection.request("GET", page)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise BarengineError(f"{where} does not answer ({error})") from error
    finally:
        connection.close()
    if answer.status != _OK:
        raise BarengineError(f"{where} says {answer.status}: {text}")
    typer.echo(text)


def reachable(host: str) -> str:
    """The address to connect to where a server listens on ``host``, which may stand for all."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"
