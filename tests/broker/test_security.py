"""TLS, SCRAM, the least set of rights, and what the process needs from its machine: little."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import trustme
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from barengine.kafka.local import LocalKafka
from barengine.kafka.local_net import HOST, pick_free_port
from tests.broker.mend import refused, reset_group, state
from tests.broker.records import CALL_S, QUIET
from tests.broker.rights import Clerk, rights
from tests.broker.scene import Scene
from tests.broker.ticks import SECOND, spread, tick

USER: Final = "nobody"
PASSWORD: Final = "hunter2-in-plain-sight"
SYMBOLS: Final = 20
BARS: Final = 3 * SYMBOLS
MISCONFIGURED: Final = 2

SCRAM_LOGIN: Final = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


class Fortress(NamedTuple):
    """A broker whose doors ask for a password over TLS, or for a certificate."""

    plain: str
    """For the tests alone: nobody needs a right here."""
    scram: str
    mutual: str
    authority: Path
    client: Path
    """Certificate and key of a client, in one file."""


def _pkcs8(certificate: trustme.LeafCert) -> str:
    """The private key in the only form that brokers read."""
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _config(ports: list[int], authority: trustme.CA) -> dict[str, str]:
    """Four listeners: for tests, with SCRAM over TLS, with client certificates, the controller."""
    plain, scram, mutual, controller = (f"://{HOST}:{port}" for port in ports)
    certificate = authority.issue_cert(HOST)
    chain = "".join(pem.bytes().decode() for pem in certificate.cert_chain_pems)
    return {
        "listeners": f"PLAINTEXT{plain},SCRAM{scram},MUTUAL{mutual},CONTROLLER{controller}",
        "controller.quorum.voters": f"1@{HOST}:{ports[3]}",
        "listener.security.protocol.map": (
            "PLAINTEXT:PLAINTEXT,SCRAM:SASL_SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT"
        ),
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.scram.scram-sha-512.sasl.jaas.config": SCRAM_LOGIN,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": chain,
        "ssl.keystore.key": _pkcs8(certificate),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": authority.cert_pem.bytes().decode(),
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.mutual.ssl.principal.mapping.rules": f"RULE:^.*$/{USER}/",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }


@pytest.fixture(scope="module")
def fortress(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fortress]:
    """A broker with those doors, and a user for each."""
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(
        folder / "client.pem"
    )
    ports: list[int] = []
    while len(ports) < 4:
        ports.append(pick_free_port(*ports))
    with LocalKafka(ports[0], config=_config(ports, authority)) as broker:
        _make_user(broker.bootstrap)
        doors = [f"{HOST}:{port}" for port in ports[:3]]
        yield Fortress(doors[0], doors[1], doors[2], folder / "ca.pem", folder / "client.pem")


def _make_user(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
    kind = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    user = UserScramCredentialUpsertion(USER, kind, PASSWORD.encode())
    [future] = admin.alter_user_scram_credentials([user]).values()
    future.result(CALL_S)


def scram(fortress: Fortress) -> dict[str, str]:
    """Settings of an engine that comes with a password."""
    return {
        "BOOTSTRAP_SERVERS": fortress.scram,
        "SECURITY_PROTOCOL": "SASL_SSL",
        "SASL_MECHANISM": "SCRAM-SHA-512",
        "SASL_USERNAME": USER,
        "SASL_PASSWORD": PASSWORD,
        "SSL_CAFILE": str(fortress.authority),
        "AUTO_CREATE_TOPICS": "off",
    }


def mutual(fortress: Fortress) -> dict[str, str]:
    """Settings of an engine that comes with a certificate."""
    return {
        "BOOTSTRAP_SERVERS": fortress.mutual,
        "SECURITY_PROTOCOL": "SSL",
        "SSL_CAFILE": str(fortress.authority),
        "SSL_CERTFILE": str(fortress.client),
        "SSL_KEYFILE": str(fortress.client),
        "AUTO_CREATE_TOPICS": "off",
    }


DOORS: Final = {"scram": scram, "mutual": mutual}


def guarded_scene(fortress: Fortress, folder: Path, settings: dict[str, str]) -> Scene:
    """Topics that somebody with more rights has made, and the least rights to use them."""
    scene = Scene(fortress.plain, folder, settings=settings)
    for topic in (scene.settings.bar_topic, scene.settings.late_topic, scene.settings.dead_topic):
        scene.make_topic(topic)
    scene.make_topic(scene.settings.state_topic, cleanup_policy="compact")
    Clerk(scene).grant(*rights(scene).values())
    return scene


@pytest.mark.parametrize("door", DOORS)
def test_least_rights_are_enough(door: str, fortress: Fortress, tmp_path: Path) -> None:
    """Behind TLS, with a password or a certificate and only the documented rights: exact bars,
    a restart included, and no secret anywhere."""
    scene = guarded_scene(fortress, tmp_path, DOORS[door](fortress))
    scene.produce(spread("b", SYMBOLS, 0, 3 * SECOND, 250))
    said = []
    with scene.engine() as first:
        first.until_ready()
        scene.until_bars(first, BARS)
        said += [first.get(page)[1] for page in ("/status", "/metrics", "/readyz", "/livez")]
        first.kill9()
        said.append(first.text())
    scene.produce(spread("b", SYMBOLS, 10 * SECOND, 13 * SECOND, 250))
    with scene.engine(LOG_LEVEL="debug") as second:
        assert scene.finish(second).bars_exact == 2 * BARS
        said.append(second.text())
    assert all(said)
    assert not [text for text in said if PASSWORD in text]


def test_adopt_needs_no_more_rights(fortress: Fortress, tmp_path: Path) -> None:
    """Who may run the engine may also mend its state: look at it, adopt, and go on."""
    scene = guarded_scene(fortress, tmp_path, scram(fortress))
    scene.produce([tick("b", "A", 0), tick("b", "A", SECOND), tick("b", "A", 5 * SECOND)])
    with scene.engine(IDLE_TIMEOUT="off") as engine:
        scene.until_bars(engine.until_ready(), 2)
        assert engine.terminate() == 0
    reset_group(scene, 0)
    assert "someone reset it" in refused(scene.engine())

    assert "is not followed" in state(scene, "adopt", "--yes")

    assert "commit" in state(scene, "show")
    with scene.engine() as engine:
        assert scene.finish(engine.until_ready()).bars_exact == 3


@pytest.mark.parametrize("wrong", ["SASL_PASSWORD", "SSL_CAFILE"])
def test_refused_at_the_door(wrong: str, fortress: Fortress, tmp_path: Path) -> None:
    """A wrong password and an unknown authority are configuration errors that show no secret."""
    foreign = tmp_path / "foreign.pem"
    trustme.CA().cert_pem.write_to_path(foreign)
    changed = {wrong: {"SASL_PASSWORD": f"{PASSWORD}?", "SSL_CAFILE": str(foreign)}[wrong]}
    scene = Scene(fortress.plain, tmp_path, settings=scram(fortress) | changed)
    with scene.engine() as engine:
        assert engine.exit_code() == MISCONFIGURED, engine.tail()
    said = engine.text()
    assert f"BARENGINE_{wrong[:4]}" in said
    assert PASSWORD not in said
    assert "Traceback" not in said


def test_no_disk(fortress: Fortress, tmp_path: Path) -> None:
    """The service writes no file, not one byte: a read-only file system is enough."""
    scene = Scene(fortress.plain, tmp_path)
    scene.produce(spread("b", SYMBOLS, 0, 3 * SECOND, 250))
    with scene.engine(("-m", "tests.broker.diskless")) as engine:
        assert scene.finish(engine).bars_exact == BARS
