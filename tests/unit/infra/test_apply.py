"""The order in which apply does things, on findings written down by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from barengine.infra import apply as work
from barengine.infra.apply import Done, Plan, Target
from barengine.infra.history import Entry, History
from barengine.infra.model import Findings, Kind, Resource, Step
from barengine.kafka.registry import SchemaRegistry
from tests.unit.infra.build import NOWHERE, settings

GIVEN = settings()


class Remembered(History):
    """A history that writes nothing down."""

    async def write(self, entry: Entry) -> None:
        """Entries are not looked at here."""


def step(name: str, done: list[str], **content: str) -> Step:
    """A new topic, whose name and settings are put down when it is made."""

    async def do() -> None:
        done.append(" ".join([name, *content]))

    return Step(Resource(Kind.TOPIC, name, content), (), True, do)


async def test_the_history_is_looked_at_before_the_others_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One apply is enough for a broker that does not know every setting: the first topic that it
    makes tells which, and what was planned before that is planned anew."""
    done: list[str] = []
    history = Remembered(GIVEN, NOWHERE)
    rounds: Iterator[Findings] = iter(
        [
            Findings([step(history.topic, done), step("bar_1m", done, unknown="1")]),
            Findings([step("bar_1m", done)]),
            Findings(),
        ]
    )

    async def plan(*_: object) -> Plan:
        return Plan(next(rounds), {})

    monkeypatch.setattr(work, "plan", plan)
    said = [one async for one in work.apply(Target(GIVEN, NOWHERE), history)]
    assert all(isinstance(one, Done) for one in said)
    assert done == [history.topic, "bar_1m"]


async def test_the_registry_is_asked_for_a_subject_that_will_be_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A login that may see the subjects of its bars alone is not refused for another one."""
    asked: list[str] = []

    async def compatibility(_: SchemaRegistry, subject: str) -> None:
        asked.append(subject)

    async def at_once(*_: object) -> None:
        """A broker is there."""

    monkeypatch.setattr(SchemaRegistry, "compatibility", compatibility)
    monkeypatch.setattr(work, "wait_for_broker", at_once)
    registry = SchemaRegistry("http://127.0.0.1:1")
    await work.wait_until_up(Target(GIVEN, NOWHERE, registry), print, 5)
    await registry.close()
    assert asked == ["bar_1m-value"]
