"""A real registry that is away, slow, wrong or behind a lock: nothing is lost or guessed."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import trustme

from barengine.codec.fields import TICK_SCHEMA
from barengine.kafka.local_net import HOST
from tests.broker import registry_door as doors
from tests.broker.engine_process import EngineProcess
from tests.broker.registered import EVOLVED, Registered, registered_scene
from tests.broker.registry_door import Door
from tests.broker.scene import LONG_SESSION
from tests.broker.ticks import SECOND
from tests.processes import eventually

LATER: Final = 100 * SECOND  # more than silence can close while a test waits
ANSWER_S: Final = 5.0  # what an engine gives its registry
MISCONFIGURED: Final = 2
USER: Final = "bars"
PASSWORD: Final = "a secret: with /odd@ signs"


@pytest.fixture
def door(registry_url: str) -> Iterator[Door]:
    """The registry as engines see it."""
    with Door(registry_url) as door:
        yield door


@pytest.fixture
def market(bootstrap: str, tmp_path: Path, door: Door, registry_url: str) -> Iterator[Registered]:
    """A scene whose engines come through the door; its ticks are written past it."""
    scene = registered_scene(bootstrap, tmp_path, door.url, **LONG_SESSION)
    with Registered(scene, registry_url) as market:
        yield market


def until_it_waits(engine: EngineProcess, complaints: int = 1) -> None:
    """Wait until a record waits for its schema, with so many complaints about that so far."""
    engine.until("the complaint", lambda: len(engine.events("registry_unavailable")) >= complaints)


# -- away ----------------------------------------------------------------------------------------


def test_down_at_the_start(market: Registered, door: Door) -> None:
    """An engine whose registry is not up yet says so once, is not ready and says why, asks again
    and begins when it is."""
    market.scene.produce([market.tick(0, 1.0)])
    door.down()
    with market.scene.engine() as engine:
        engine.until("the complaint", lambda: bool(engine.events("waiting_for_registry")))
        code, why = engine.get("/readyz")
        assert code == 503
        assert "waiting for the schema registry" in why
        assert engine.get("/livez")[0] == 200

        door.up()

        assert len(market.until_bars(engine, 1)) == 1
        assert len(engine.events("waiting_for_registry")) == 1


def test_down_under_way(market: Registered, door: Door) -> None:
    """While the registry is down known schemas are read as before; a record with a new one waits,
    and with it what stands behind it. The log says so once, and nothing is skipped or lost."""
    scene = market.scene
    with scene.engine() as engine:
        scene.produce([market.tick(0, 1.0)])
        market.until_bars(engine, 1)
        door.down()
        scene.produce([market.tick(LATER, 2.0), market.tick(LATER + 2 * SECOND, 2.5)])
        market.until_bars(engine, 3)
        scene.produce(
            [
                market.tick(2 * LATER, 3.0, EVOLVED),
                market.tick(3 * LATER, 4.0),
                market.tick(4 * LATER, 5.0),
            ]
        )
        until_it_waits(engine)
        time.sleep(1.0)  # a second in which it might skip, or complain again
        assert len(market.bars()) == 3
        assert engine.tasks()[0]["position"] == 3
        assert engine.tasks()[0]["waiting_for_schema"] is not None
        assert engine.get("/livez")[0] == 200

        door.up()

        bars = market.until_bars(engine, 6)
        assert [bar["open"] for bar in bars] == [1, 2, 2.5, 3, 4, 5]
        assert engine.tasks()[0]["waiting_for_schema"] is None
        assert len(engine.events("registry_unavailable")) == 1
        assert engine.terminate() == 0
    assert scene.dead() == []
    assert scene.late() == []


def test_terminate_while_a_record_waits(market: Registered, door: Door) -> None:
    """SIGTERM ends an engine that waits for the registry; the record is in the next one's bar."""
    with market.scene.engine() as first:
        first.until_ready()
        door.down()
        market.scene.produce([market.tick(0, 1.0)])
        until_it_waits(first)
        assert first.terminate() == 0

    door.up()
    with market.scene.engine() as second:
        [bar] = market.until_bars(second, 1)

    assert bar["tick_count"] == 1


# -- slow or wrong -------------------------------------------------------------------------------

NO_ANSWER: Final = "no answer in time"
FAULTS: Final = {
    doors.hang: NO_ANSWER,
    doors.drip: NO_ANSWER,
    doors.server_error: "the store is away",
    doors.unavailable: "HTTP status code 503",
    doors.garbage: "an answer that is no JSON",
    doors.other_json: "an answer without a schema",
    doors.redirect: "it points elsewhere",
    doors.not_found: "lack a path",
}
"""What the log says of each."""


def test_wrong_answers_under_way(market: Registered, door: Door) -> None:
    """No answer, half an answer, an error, another page, a redirect: none of them says anything
    about a schema. The record waits, the log says why, and once the registry is itself again the
    record is in its bar."""
    scene = market.scene
    with scene.engine() as engine:
        engine.until_ready()
        for number, (fault, said) in enumerate(FAULTS.items()):
            door.break_by(fault)
            new = {"name": f"extra{number}", "type": ["null", "int"], "default": None}
            schema = {**TICK_SCHEMA, "fields": [*TICK_SCHEMA["fields"], new]}
            began = time.monotonic()
            scene.produce([market.tick(number * LATER, number, schema)])
            until_it_waits(engine, number + 1)
            error = engine.events("registry_unavailable")[-1]["error"]
            # the door stands still when this process does, and that is another fault
            stood_still = time.monotonic() - began > ANSWER_S and NO_ANSWER in error
            assert said in error or stood_still
            door.heal()
            engine.until("the schema", lambda n=number: len(engine.events("schema")) > n)
        assert [bar["open"] for bar in market.until_bars(engine, len(FAULTS))] == [
            *range(len(FAULTS))
        ]
        assert engine.terminate() == 0
    assert scene.dead() == []
    assert scene.late() == []


def test_wrong_answers_at_the_start(market: Registered, door: Door) -> None:
    """The same at the start, where schemas of bars are registered: the engine stays away from
    work, says the latest reason, and begins with the ids of the real registry."""
    market.scene.produce([market.tick(0, 1.0)])
    door.break_by(doors.other_json)
    with market.scene.engine() as engine:
        for fault, said in (
            (doors.other_json, "an answer without a schema id"),
            (doors.garbage, "an answer that is no JSON"),
        ):
            door.break_by(fault)
            engine.until(said, lambda said=said: said in engine.get("/readyz")[1])
            assert engine.running
        door.heal()
        assert market.until_bars(engine, 1)[0]["tick_count"] == 1


# -- locked --------------------------------------------------------------------------------------


class Lock:
    """A door with TLS, a login and, if wanted, certificates of its clients."""

    def __init__(self, folder: Path, registry_url: str, mutual: bool) -> None:
        authority = trustme.CA()
        self.cafile, self.certfile = folder / "ca.pem", folder / "client.pem"
        authority.cert_pem.write_to_path(self.cafile)
        client = authority.issue_cert("client.example")
        client.private_key_and_cert_chain_pem.write_to_path(self.certfile)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST).configure_cert(context)
        if mutual:
            authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        self.door = Door(registry_url, None if mutual else (USER, PASSWORD), context)

    def settings(self, mutual: bool) -> dict[str, str]:
        """What an engine needs to come in."""
        keys = {"URL": self.door.url, "CAFILE": str(self.cafile)}
        if mutual:
            keys |= {"CERTFILE": str(self.certfile), "KEYFILE": str(self.certfile)}
        else:
            keys |= {"USERNAME": USER, "PASSWORD": PASSWORD}
        return {f"SCHEMA_REGISTRY_{key}": text for key, text in keys.items()}


@pytest.mark.parametrize("mutual", [False, True], ids=["login", "certificate"])
def test_behind_a_lock(mutual: bool, bootstrap: str, tmp_path: Path, registry_url: str) -> None:
    """Over TLS, with user and password or with a certificate, an engine gets its schemas; no
    secret is in its log or on its pages."""
    lock = Lock(tmp_path, registry_url, mutual)
    settings = lock.settings(mutual)
    scene = registered_scene(bootstrap, tmp_path, lock.door.url, **settings)
    with lock.door, Registered(scene, registry_url) as market:
        scene.produce([market.tick(0, 1.0)])
        with scene.engine(LOG_LEVEL="debug") as engine:
            [bar] = market.until_bars(engine, 1)
            said = [engine.get(page)[1] for page in ("/status", "/metrics", "/readyz")]
            assert engine.terminate() == 0
            said.append(engine.text())
    assert bar["tick_count"] == 1
    assert all(said)
    assert not [text for text in said if PASSWORD in text]


@pytest.mark.parametrize("wrong", ["PASSWORD", "CAFILE"])
def test_refused_at_the_start(
    wrong: str, bootstrap: str, tmp_path: Path, registry_url: str
) -> None:
    """A wrong password and an unknown authority are configuration errors that show no secret."""
    lock = Lock(tmp_path, registry_url, mutual=False)
    foreign = tmp_path / "foreign.pem"
    trustme.CA().cert_pem.write_to_path(foreign)
    changed = {"PASSWORD": f"{PASSWORD}?", "CAFILE": str(foreign)}[wrong]
    settings = lock.settings(mutual=False) | {f"SCHEMA_REGISTRY_{wrong}": changed}
    scene = registered_scene(bootstrap, tmp_path, lock.door.url, **settings)
    with lock.door, scene.engine() as engine:
        assert engine.exit_code() == MISCONFIGURED, engine.tail()
    assert f"BARENGINE_SCHEMA_REGISTRY_{wrong}" in engine.text()
    assert PASSWORD not in engine.text()
    assert "Traceback" not in engine.text()


def test_locked_out_under_way(market: Registered, door: Door) -> None:
    """A login that is refused under way, when passwords are changed say, is no verdict about a
    schema: the record waits."""
    scene = market.scene
    with scene.engine() as engine:
        engine.until_ready()
        door.login = (USER, PASSWORD)
        scene.produce([market.tick(0, 1.0)])
        until_it_waits(engine)
        assert eventually(lambda: len(door.asked) > 3), "it asks again"
        assert engine.running
        door.login = None
        assert market.until_bars(engine, 1)[0]["tick_count"] == 1
    assert scene.dead() == []
