"""Looking at everything, and doing what is to be done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from barengine.errors import BarengineError, ConfigurationError, RegistryRefusedError
from barengine.infra import ksqldb, rights, schemas, topics
from barengine.infra.history import Entry, History
from barengine.infra.ksqldb_client import KsqlDb
from barengine.infra.model import Findings, LeftAlone, Resource, Step
from barengine.infra.topics import Sizes
from barengine.kafka.admin import wait_for_broker
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.registry import SchemaRegistry
from barengine.service.subjects import Subject
from barengine.settings import Settings

_ROUNDS: Final = 4
"""A step may show what was hidden before it: the broker's defaults in a topic that is new. The
first round may have one step alone, see :func:`apply`."""

_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 5.0

OnWait = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Target:
    """Where to look, and what to look at."""

    settings: Settings
    connection: ConnectionConfig
    registry: SchemaRegistry | None = None
    ksqldb: KsqlDb | None = None
    sizes: Sizes = field(default_factory=Sizes)
    principal: str | None = None
    """Whose rights are compared; None: nobody's."""


class Done(NamedTuple):
    """One step that was done."""

    step: Step
    seconds: float


class Plan(NamedTuple):
    """What was found, beside what was applied before."""

    findings: Findings
    history: Mapping[str, Entry]


async def wait_until_up(target: Target, on_wait: OnWait, timeout_s: float) -> None:
    """Return when everything that is to be asked answers; ``on_wait`` is told what does not yet.

    Raises:
        BarengineError: not in time.
        ConfigurationError: somebody answers and refuses us.
    """
    began = time.monotonic()
    said: list[str] = []

    def waits(what: str, why: str) -> None:
        said.append(f"{what}: {why}")
        on_wait(f"waiting for {said[-1]}")

    try:
        async with asyncio.timeout(timeout_s):
            await wait_for_broker(target.connection, lambda why: waits("Kafka", why))
            if target.registry is not None:
                probe = target.registry.compatibility
                # one that is asked for anyway: a login may be allowed to see no other
                subject = _subjects(target)[0].name
                await _until(lambda: probe(subject), lambda why: waits("the registry", why))
            if target.ksqldb is not None:
                await _until(target.ksqldb.alive, lambda why: waits("ksqlDB", why))
    except TimeoutError:
        waited = f"waited {time.monotonic() - began:.0f} s for "
        raise BarengineError(waited + (said[-1] if said else "Kafka")) from None


def _subjects(target: Target) -> list[Subject]:
    specs = topics.desired(target.settings, target.sizes)
    return schemas.subjects(target.settings, specs)


async def _until(probe: Callable[[], Awaitable[object]], on_wait: OnWait) -> None:
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            await probe()
        except RegistryRefusedError as error:
            raise ConfigurationError(str(error)) from error
        except ConfigurationError:
            raise
        except BarengineError as error:
            if wait_s == _FIRST_WAIT_S:
                on_wait(str(error))
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        else:
            return


async def plan(target: Target, history: History) -> Plan:
    """Compare everything with what it shall be. Changes nothing.

    Raises:
        BarengineError: no answer, or not allowed.
    """
    settings, connection = target.settings, target.connection
    entries = await history.read()
    findings = await topics.look(settings, connection, target.sizes)
    specs = topics.desired(settings, target.sizes)
    if target.registry is not None:
        findings += await schemas.look(target.registry, _subjects(target))
    if target.principal is not None:
        wanted = rights.rights(settings, specs, target.principal)
        findings += await rights.look(connection, wanted)
    if target.ksqldb is not None:
        statements = ksqldb.statements(settings, specs)
        findings += await ksqldb.look(target.ksqldb, statements, entries)
    return Plan(findings, entries)


async def apply(
    target: Target, history: History
) -> AsyncGenerator[Done | Resource | LeftAlone, None]:
    """Do every step there is, and yield it once it is done and remembered; then each resource
    that needed nothing, and what is left alone. Whoever stops in between goes on by calling this
    again.

    The history is made first, and looked at before the others are: brokers before Kafka 3.6 refuse
    a topic for a setting that they do not know, and a topic of theirs shows which they do.

    Raises:
        BarengineError: a step failed; those before it are done.
    """
    done: set[str] = set()
    for _ in range(_ROUNDS):
        found, entries = await plan(target, history)
        for step in found.steps:
            began = time.monotonic()
            await step.do()
            await history.write(Entry.of(step.resource, found=False))
            done.add(step.resource.id)
            yield Done(step, time.monotonic() - began)
            if step.new and step.resource.id == history.id:
                break
        if not found.steps:
            break
    else:
        names = ", ".join(step.resource.id for step in found.steps)
        raise BarengineError(f"{names}: applied, and still different; who else changes it?")
    for resource in found.right:
        if resource.id not in done:
            await _remember(history, entries, resource)
            yield resource
    for left in found.left_alone:
        yield left


async def _remember(history: History, entries: Mapping[str, Entry], resource: Resource) -> None:
    """What is right already counts as applied, by us before a crash or by somebody else."""
    entry = entries.get(resource.id)
    if entry is None or entry.sha256 != resource.sha256:
        await history.write(Entry.of(resource, found=True))
