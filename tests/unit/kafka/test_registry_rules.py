"""What a subject's next schema must be compatible with, asked of a registry and set."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from barengine.errors import RegistryUnavailableError
from barengine.kafka.registry import SchemaRegistry
from tests.unit.kafka.registry_stub import Stub, registry_stub

TICK = {"type": "record", "name": "Tick", "fields": [{"name": "bid", "type": "long"}]}
NOT_FOUND = {"error_code": 40408, "message": "Subject does not have subject-level compatibility"}
LATEST = "/compatibility/subjects/bars-value/versions/latest"


@pytest.fixture
def stub() -> Iterator[Stub]:
    with registry_stub() as one:
        yield one


@pytest.fixture
async def registry(stub: Stub) -> AsyncIterator[SchemaRegistry]:
    one = SchemaRegistry(stub.url)
    yield one
    await one.close()


async def test_a_level_of_its_own(stub: Stub, registry: SchemaRegistry) -> None:
    """The subject's level comes back in the registry's words."""
    stub.answers["/config/bars-value"] = (200, {"compatibilityLevel": "FULL"})
    assert await registry.compatibility("bars-value") == "FULL"


async def test_no_level_of_its_own(stub: Stub, registry: SchemaRegistry) -> None:
    """The registry's own "not found" means that its general level counts."""
    stub.answers["/config/bars-value"] = (404, NOT_FOUND)
    assert await registry.compatibility("bars-value") is None


@pytest.mark.parametrize("accepted", [True, False])
async def test_whether_a_schema_fits(stub: Stub, registry: SchemaRegistry, accepted: bool) -> None:
    """The registry decides by the subject's rules."""
    stub.answers[LATEST] = (200, {"is_compatible": accepted})
    assert await registry.accepts("bars-value", TICK) is accepted


async def test_a_subject_without_schemas_takes_any(stub: Stub, registry: SchemaRegistry) -> None:
    """There is nothing that it could clash with."""
    stub.answers[LATEST] = (404, {"error_code": 40401, "message": "Subject not found"})
    assert await registry.accepts("bars-value", TICK)


async def test_setting_a_level(stub: Stub, registry: SchemaRegistry) -> None:
    """One request, which holds the level."""
    stub.answers["/config/bars-value"] = (200, {"compatibility": "BACKWARD"})
    await registry.set_compatibility("bars-value", "BACKWARD")
    assert stub.asked[-1][2]["compatibility"] == "BACKWARD"


async def test_no_registry_is_no_answer(stub: Stub, registry: SchemaRegistry) -> None:
    """What is not a registry's answer is an error, and names the subject."""
    with pytest.raises(RegistryUnavailableError, match="bars-value"):
        await registry.compatibility("bars-value")
    with pytest.raises(RegistryUnavailableError, match="bars-value"):
        await registry.accepts("bars-value", TICK)
