"""The schema registry's client, against a server that answers as it is told."""

from __future__ import annotations

import json
import socket
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from barengine.errors import (
    ConfigurationError,
    RegistryRefusedError,
    RegistryUnavailableError,
    SchemaError,
)
from barengine.kafka.registry import SchemaRegistry
from barengine.kafka.registry_access import Access
from tests.unit.kafka.registry_stub import Stub, registry_stub

TICK = {"type": "record", "name": "Tick", "fields": [{"name": "bid", "type": "long"}]}
UNKNOWN_ID = {"error_code": 40403, "message": "Schema not found"}


def stored(schema: Any, **more: Any) -> dict[str, Any]:
    return {"schema": json.dumps(schema), **more}


def reference(name: str, subject: str, version: int) -> dict[str, Any]:
    return {"name": name, "subject": subject, "version": version}


@pytest.fixture
def stub() -> Iterator[Stub]:
    with registry_stub() as one:
        yield one


@pytest.fixture
async def registry(stub: Stub) -> AsyncIterator[SchemaRegistry]:
    one = SchemaRegistry(stub.url)
    yield one
    await one.close()


async def test_a_schema_by_its_id(stub: Stub, registry: SchemaRegistry) -> None:
    """The registry's text comes back as a parsed schema."""
    stub.answers["/schemas/ids/7"] = (200, stored(TICK))
    assert await registry.get(7) == TICK


async def test_an_unknown_id_is_none(stub: Stub, registry: SchemaRegistry) -> None:
    """The registry's own "not found" is an answer."""
    stub.answers["/schemas/ids/7"] = (404, UNKNOWN_ID)
    assert await registry.get(7) is None


@pytest.mark.parametrize("body", ["<html>nginx</html>", {"error_code": 404}, {"detail": "no"}])
async def test_a_404_of_something_else_is_no_answer(
    stub: Stub, registry: SchemaRegistry, body: Any
) -> None:
    """A proxy or a wrong path says 404, too: that must not turn records into dead letters."""
    stub.answers["/schemas/ids/7"] = (404, body)
    with pytest.raises(RegistryUnavailableError, match="schema id 7"):
        await registry.get(7)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_trouble_is_no_answer(stub: Stub, registry: SchemaRegistry, status: int) -> None:
    """Refused logins and failing servers say nothing of the id: ask again later."""
    stub.answers["/schemas/ids/7"] = (status, {"error_code": status * 100, "message": "trouble"})
    with pytest.raises(RegistryUnavailableError, match="trouble"):
        await registry.get(7)
    stub.answers["/schemas/ids/7"] = (200, stored(TICK))
    assert await registry.get(7) == TICK


async def test_a_registry_that_is_not_there() -> None:
    """A refused connection names the registry, without the password in its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    registry = SchemaRegistry(f"http://me:hidden@127.0.0.1:{port}")
    with pytest.raises(RegistryUnavailableError) as caught:
        await registry.get(7)
    await registry.close()
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "hidden" not in str(caught.value) + repr(registry)


async def test_user_and_password_of_the_url_are_sent(stub: Stub) -> None:
    """Basic authentication, as registries in a cloud ask for it."""
    stub.answers["/schemas/ids/7"] = (200, stored(TICK))
    registry = SchemaRegistry(stub.url.replace("//", "//me:secret@"))
    assert await registry.get(7) == TICK
    await registry.close()
    assert stub.asked[0][1] == "Basic bWU6c2VjcmV0"


async def test_a_schema_of_another_kind(stub: Stub, registry: SchemaRegistry) -> None:
    """Protobuf and JSON schemas can never be read as Avro."""
    stub.answers["/schemas/ids/7"] = (200, stored({}, schemaType="PROTOBUF"))
    with pytest.raises(SchemaError, match="PROTOBUF, not Avro"):
        await registry.get(7)


async def test_a_schema_that_is_no_json(stub: Stub, registry: SchemaRegistry) -> None:
    """Nor can text that is no schema at all."""
    stub.answers["/schemas/ids/7"] = (200, {"schema": "{"})
    with pytest.raises(SchemaError, match="no JSON"):
        await registry.get(7)


NO_ANSWERS: list[Any] = ["<html>log in</html>", {"token": "expired"}, {"schema": 5, "id": "x"}, []]


@pytest.mark.parametrize("body", NO_ANSWERS)
async def test_an_answer_that_is_none(stub: Stub, registry: SchemaRegistry, body: Any) -> None:
    """A login page in place of an answer is no answer, and is not remembered as one."""
    stub.answers["/schemas/ids/7"] = (200, body)
    with pytest.raises(RegistryUnavailableError, match="schema id 7"):
        await registry.get(7)
    stub.answers["/schemas/ids/7"] = (200, stored(TICK))
    assert await registry.get(7) == TICK


@pytest.mark.parametrize("body", NO_ANSWERS)
async def test_an_answer_without_an_id(stub: Stub, registry: SchemaRegistry, body: Any) -> None:
    """Such an answer neither makes a subject nor says that it lacks the schema."""
    stub.answers["/subjects/s/versions"] = stub.answers["/subjects/s"] = (200, body)
    with pytest.raises(RegistryUnavailableError, match="subject s"):
        await registry.register("s", TICK)
    with pytest.raises(RegistryUnavailableError, match="subject s"):
        await registry.lookup("s", TICK)
    stub.answers["/subjects/s/versions"] = (200, {"id": 12})
    stub.answers["/subjects/s"] = (200, stored(TICK, id=12, subject="s", version=1))
    assert await registry.register("s", TICK) == await registry.lookup("s", TICK) == 12


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_login(stub: Stub, registry: SchemaRegistry, status: int) -> None:
    """Who we are is a matter of settings: the error names them."""
    stub.answers["/schemas/ids/7"] = (status, "<html>who are you?</html>")
    with pytest.raises(RegistryRefusedError, match="BARENGINE_SCHEMA_REGISTRY_PASSWORD") as caught:
        await registry.get(7)
    assert "html" not in str(caught.value)


async def test_a_login_beside_the_url(stub: Stub) -> None:
    """User and password of their own settings are sent as they are, and shown nowhere."""
    stub.answers["/schemas/ids/7"] = (200, stored(TICK))
    registry = SchemaRegistry(stub.url, Access("me", "se:cr@t/"))
    assert await registry.get(7) == TICK
    await registry.close()
    assert stub.asked[0][1] == "Basic " + b64encode(b"me:se:cr@t/").decode()
    assert "se:cr@t/" not in repr(registry)


def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    """A file that holds no certificate is named by its key before anything connects."""
    file = tmp_path / "some.pem"
    file.write_text("none")
    for access, key in (
        (Access(cafile=str(file)), "CAFILE"),
        (Access(certfile=str(file)), "CERTFILE"),
    ):
        with pytest.raises(ConfigurationError, match=f"BARENGINE_SCHEMA_REGISTRY_{key}="):
            SchemaRegistry("https://registry:8081", access)


async def test_references_are_put_in(stub: Stub, registry: SchemaRegistry) -> None:
    """References and their references become one schema that stands alone."""
    order = {"type": "record", "name": "Order", "fields": [{"name": "at", "type": "x.Price"}]}
    price = {"type": "record", "name": "x.Price", "fields": [{"name": "in", "type": "x.Unit"}]}
    unit = {"type": "enum", "name": "x.Unit", "symbols": ["EUR"]}
    to_price, to_unit = reference("x.Price", "price", 3), reference("x.Unit", "unit", 1)
    stub.answers["/schemas/ids/7"] = (200, stored(order, references=[to_price]))
    version = {"id": 5, "subject": "price", "version": 3}
    stub.answers["/subjects/price/versions/3"] = (
        200,
        stored(price, references=[to_unit], **version),
    )
    stub.answers["/subjects/unit/versions/1"] = (
        200,
        stored(unit, id=6, subject="unit", version=1),
    )
    found = await registry.get(7)
    assert found["fields"][0]["type"]["fields"][0]["type"]["symbols"] == ["EUR"]


async def test_a_missing_reference(stub: Stub, registry: SchemaRegistry) -> None:
    """A schema whose reference the registry does not have cannot be used."""
    stub.answers["/schemas/ids/7"] = (
        200,
        stored("x.Price", references=[reference("x.Price", "price", 3)]),
    )
    stub.answers["/subjects/price/versions/3"] = (404, {"error_code": 40402, "message": "none"})
    with pytest.raises(SchemaError, match=r"reference x\.Price is not in the registry"):
        await registry.get(7)


async def test_register(stub: Stub, registry: SchemaRegistry) -> None:
    """Registering sends the schema as Avro and gives its id."""
    stub.answers["/subjects/bar_1m-value/versions"] = (200, {"id": 12})
    assert await registry.register("bar_1m-value", TICK) == 12
    _, _, body = stub.asked[0]
    assert json.loads(body["schema"]) == TICK
    assert body.get("schemaType", "AVRO") == "AVRO"


async def test_register_what_is_not_compatible(stub: Stub, registry: SchemaRegistry) -> None:
    """A schema that the subject's rules refuse is the schema's fault."""
    stub.answers["/subjects/s/versions"] = (409, {"error_code": 409, "message": "incompatible"})
    with pytest.raises(SchemaError, match="incompatible"):
        await registry.register("s", TICK)


async def test_register_without_an_answer(stub: Stub, registry: SchemaRegistry) -> None:
    """A failing registry has not refused anything."""
    stub.answers["/subjects/s/versions"] = (500, {"error_code": 50001, "message": "broken"})
    with pytest.raises(RegistryUnavailableError, match="subject s"):
        await registry.register("s", TICK)


async def test_lookup(stub: Stub, registry: SchemaRegistry) -> None:
    """A schema that the subject has is found by its content."""
    stub.answers["/subjects/s"] = (200, stored(TICK, id=12, subject="s", version=1))
    assert await registry.lookup("s", TICK) == 12


@pytest.mark.parametrize("code", [40401, 40403])
async def test_lookup_of_what_is_not_there(stub: Stub, registry: SchemaRegistry, code: int) -> None:
    """No such subject, or not this schema in it: no id."""
    stub.answers["/subjects/s"] = (404, {"error_code": code, "message": "not found"})
    assert await registry.lookup("s", TICK) is None


async def test_lookup_without_an_answer(stub: Stub, registry: SchemaRegistry) -> None:
    """Not to know is not the same as to know that there is none."""
    with pytest.raises(RegistryUnavailableError):
        await registry.lookup("s", TICK)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the client's package the error says what to install."""
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'barengine\[registry\]'"):
        SchemaRegistry("http://registry:8081")


def test_a_url_that_is_none() -> None:
    """What is no URL is a mistake in the settings; a password in it stays hidden."""
    with pytest.raises(ConfigurationError, match="BARENGINE_SCHEMA_REGISTRY_URL") as caught:
        SchemaRegistry("registry://me:hidden@there")
    assert "hidden" not in str(caught.value)
