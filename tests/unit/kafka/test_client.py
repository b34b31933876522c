"""Connection settings."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from barengine.errors import ConfigurationError
from barengine.kafka.client import ConnectionConfig
from barengine.settings import SaslMechanism, SecurityProtocol, Settings


def certificate(folder: Path, password: bytes | None = None) -> tuple[str, str]:
    """Files of a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    hidden: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        hidden = serialization.BestAvailableEncryption(password)
    (folder / "cert.pem").write_bytes(cert.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, hidden)
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


def test_plain_text_needs_nothing_else() -> None:
    """Without TLS and SASL there are only addresses and a name."""
    assert ConnectionConfig("a:1,b:2").kwargs() == {
        "bootstrap_servers": "a:1,b:2",
        "client_id": "barengine",
        "security_protocol": "PLAINTEXT",
    }


def test_sasl_and_tls(tmp_path: Path) -> None:
    """User, password and certificates reach the client."""
    certfile, keyfile = certificate(tmp_path)
    found = ConnectionConfig(
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="me",
        sasl_password="secret",
        ssl_cafile=certfile,
        ssl_certfile=certfile,
        ssl_keyfile=keyfile,
    ).kwargs()
    assert isinstance(found.pop("ssl_context"), ssl.SSLContext)
    assert found == {
        "bootstrap_servers": "localhost:9092",
        "client_id": "barengine",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "secret",
    }


def test_tls_with_the_system_s_authorities() -> None:
    """Without files of one's own the machine's certificates count."""
    context = ConnectionConfig(security_protocol="SSL").kwargs()["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_bad_authorities_name_key_and_path(tmp_path: Path, content: str | None) -> None:
    """A file that is missing or no certificate is told by key and path."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    config = ConnectionConfig(security_protocol="SSL", ssl_cafile=str(path))
    with pytest.raises(ConfigurationError, match=f"BARENGINE_SSL_CAFILE={path}"):
        config.kwargs()


def test_a_bad_certificate_names_key_and_path(tmp_path: Path) -> None:
    """So is a client certificate."""
    path = str(tmp_path / "cert.pem")
    config = ConnectionConfig(security_protocol="SSL", ssl_certfile=path)
    with pytest.raises(ConfigurationError, match=f"BARENGINE_SSL_CERTFILE={path}"):
        config.kwargs()


def test_an_encrypted_key_does_not_ask_on_the_terminal(tmp_path: Path) -> None:
    """A service has nobody to type a password."""
    certfile, keyfile = certificate(tmp_path, b"password")
    config = ConnectionConfig(security_protocol="SSL", ssl_certfile=certfile, ssl_keyfile=keyfile)
    with pytest.raises(ConfigurationError, match=f"BARENGINE_SSL_KEYFILE={keyfile}.*encrypted"):
        config.kwargs()


def test_a_key_without_certificate(tmp_path: Path) -> None:
    """A key alone proves nothing."""
    config = ConnectionConfig(security_protocol="SSL", ssl_keyfile=str(tmp_path))
    with pytest.raises(ConfigurationError, match="needs BARENGINE_SSL_CERTFILE"):
        config.kwargs()


def test_sasl_without_password() -> None:
    """SASL needs both, and says which settings they are."""
    config = ConnectionConfig(security_protocol="SASL_PLAINTEXT", sasl_username="me")
    with pytest.raises(ConfigurationError, match="BARENGINE_SASL_PASSWORD"):
        config.kwargs()


def test_repr_hides_the_password() -> None:
    """Settings end up in logs."""
    assert "hidden" not in repr(ConnectionConfig(sasl_username="me", sasl_password="hidden"))


def test_from_settings() -> None:
    """What a user sets is what the clients get, in aiokafka's own types."""
    settings = Settings(
        bootstrap_servers="broker:9092",
        security_protocol=SecurityProtocol.SASL_PLAINTEXT,
        sasl_mechanism=SaslMechanism.SCRAM_SHA_256,
        sasl_username="me",
        sasl_password=SecretStr("secret"),
    )
    assert ConnectionConfig.of(settings).kwargs() == {
        "bootstrap_servers": "broker:9092",
        "client_id": "barengine",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "me",
        "sasl_plain_password": "secret",
    }


def test_from_the_default_settings() -> None:
    """The defaults connect to a broker on this machine without any secret."""
    assert ConnectionConfig.of(Settings()) == ConnectionConfig()
