"""Connection settings, as every Kafka client of the process gets them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NoReturn, Self

from barengine.errors import ConfigurationError
from barengine.kafka.broken import expect_broken_connections
from barengine.settings import Settings

expect_broken_connections()  # here, because nobody makes a client without this module


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """Where the brokers are and who we are to them.

    ``security_protocol`` and ``sasl_mechanism`` take the words that Kafka uses, such as
    ``SASL_SSL`` and ``SCRAM-SHA-512``.
    """

    bootstrap_servers: str = "localhost:9092"
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    client_id: str = "barengine"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The connection that the settings describe."""
        password = settings.sasl_password
        return cls(
            bootstrap_servers=settings.bootstrap_servers,
            security_protocol=settings.security_protocol,
            sasl_mechanism=settings.sasl_mechanism or "PLAIN",  # unused without SASL
            sasl_username=settings.sasl_username,
            sasl_password=None if password is None else password.get_secret_value(),
            ssl_cafile=_text(settings.ssl_cafile),
            ssl_certfile=_text(settings.ssl_certfile),
            ssl_keyfile=_text(settings.ssl_keyfile),
        )

    def kwargs(self) -> dict[str, Any]:
        """Keyword arguments of any aiokafka client.

        Raises:
            ConfigurationError: a certificate or key cannot be used, or a name is missing.
        """
        protocol = str(self.security_protocol)
        common: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": self.client_id,
            "security_protocol": protocol,
        }
        if protocol.endswith("SSL"):
            common["ssl_context"] = ssl_context(
                self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile
            )
        if protocol.startswith("SASL"):
            common |= self._sasl()
        return common

    def _sasl(self) -> dict[str, Any]:
        if self.sasl_username is None or self.sasl_password is None:
            raise ConfigurationError(
                f"BARENGINE_SECURITY_PROTOCOL={self.security_protocol} needs "
                "BARENGINE_SASL_USERNAME and BARENGINE_SASL_PASSWORD"
            )
        return {
            "sasl_mechanism": str(self.sasl_mechanism),
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password,
        }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


@lru_cache(maxsize=8)  # reading the system's authorities takes longer than a TLS handshake
def ssl_context(
    cafile: str | None, certfile: str | None, keyfile: str | None, keys: str = "BARENGINE_SSL"
) -> ssl.SSLContext:
    """What a client shows and trusts; ``keys`` is how the settings of these files begin.

    Raises:
        ConfigurationError: a certificate or key cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=cafile)
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise ConfigurationError(
            f"{keys}_CAFILE={cafile}: cannot be read as certificates: {error}"
        ) from error
    if certfile is None:
        if keyfile is not None:
            raise ConfigurationError(f"{keys}_KEYFILE={keyfile} needs {keys}_CERTFILE")
        return context
    try:
        context.load_cert_chain(certfile, keyfile, password=_no_password)
    except (OSError, ValueError) as error:
        key = "" if keyfile is None else f", {keys}_KEYFILE={keyfile}"
        raise ConfigurationError(
            f"{keys}_CERTFILE={certfile}{key}: cannot be used: {error}"
        ) from error
    return context


def _no_password() -> NoReturn:
    """Without this OpenSSL would ask on the terminal."""
    raise ValueError("the key is encrypted; give one without a password")
