"""Who we are to the schema registry, and whom we trust, as its client takes it."""

from __future__ import annotations

import ssl
from typing import Any, Final, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from barengine.kafka.client import ssl_context
from barengine.settings import Settings

KEYS: Final = "BARENGINE_SCHEMA_REGISTRY"
"""How the names of its settings begin."""


class Access(NamedTuple):
    """User and password, and paths of PEM files for a registry behind TLS."""

    username: str | None = None
    password: str | None = None
    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The access that the settings describe."""
        password = settings.schema_registry_password
        return cls(
            settings.schema_registry_username,
            None if password is None else password.get_secret_value(),
            _text(settings.schema_registry_cafile),
            _text(settings.schema_registry_certfile),
            _text(settings.schema_registry_keyfile),
        )


def client_options(url: str, access: Access) -> dict[str, Any]:
    """Where and who, for Confluent's client. It may log its URL, so no password stays in that.

    Raises:
        ConfigurationError: a certificate or key cannot be used.
        ValueError: the URL is none.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    options: dict[str, Any] = {"url": parts._replace(netloc=host).geturl()}
    username, password = access.username, access.password
    if username is None and parts.username is not None:
        username, password = unquote(parts.username), unquote(parts.password or "")
    if username is not None:
        options["basic.auth.user.info"] = f"{username}:{password or ''}"
    return options | (_files(access) if parts.scheme == "https" else {})


def _files(access: Access) -> dict[str, str]:
    """What the client trusts and shows; without a CA file it trusts whom the system trusts."""
    ssl_context(access.cafile, access.certfile, access.keyfile, KEYS)  # says what is wrong
    system = ssl.get_default_verify_paths()
    files = {
        "ssl.ca.location": access.cafile or system.cafile or system.capath,
        "ssl.certificate.location": access.certfile,
        "ssl.key.location": access.keyfile,
    }
    return {key: path for key, path in files.items() if path is not None}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
