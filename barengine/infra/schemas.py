"""Schemas of the bars in the registry, and what their next versions must be compatible with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from barengine.infra.model import Change, Findings, Kind, LeftAlone, Resource, Step
from barengine.kafka.registry import SchemaRegistry
from barengine.kafka.topic import Role, TopicSpec
from barengine.service.subjects import Subject, key_subject, value_subject
from barengine.settings import Settings

COMPATIBILITY: Final = "BACKWARD_TRANSITIVE"
"""Bars are kept for ever: who reads by the newest schema must read those of every older one."""

_STRICTER: Final = (COMPATIBILITY, "FULL_TRANSITIVE")


def subjects(settings: Settings, specs: Sequence[TopicSpec]) -> list[Subject]:
    """Every schema that the service writes with, once."""
    topics = [spec.name for spec in specs if spec.role in (Role.BARS, Role.LIVE)]
    found = [value_subject(settings, topic) for topic in topics]
    # the key of a live bar is text
    keyed = [spec.name for spec in specs if spec.role is Role.BARS]
    found += [key for topic in keyed if (key := key_subject(settings, topic)) is not None]
    return list({subject.name: subject for subject in found}.values())


async def look(registry: SchemaRegistry, wanted: Sequence[Subject]) -> Findings:
    """Compare the subjects with what the registry holds.

    Raises:
        RegistryUnavailableError: no answer.
    """
    findings = Findings()
    for subject in wanted:
        await _compare(findings, registry, subject)
    return findings


async def _compare(findings: Findings, registry: SchemaRegistry, subject: Subject) -> None:
    resource = as_resource(subject)
    known = await registry.lookup(subject.name, subject.schema)
    level = await registry.compatibility(subject.name)
    if known is None and not await registry.accepts(subject.name, subject.schema):
        what = f"the registry holds another schema, with which that of {subject.holds} clashes"
        way_out = "give the bars another OUTPUT_TOPIC, or delete the subject if nobody reads it"
        findings.verdict(resource, LeftAlone(resource.id, what, way_out))
        return
    left_alone = []
    if level is not None and level not in _STRICTER:
        what = f"compatibility is {level}, set by somebody; barengine would set {COMPATIBILITY}"
        left_alone.append(LeftAlone(resource.id, what, f"set it to {COMPATIBILITY}"))
    changes = []
    if known is None:
        changes.append(Change("schema", None, resource.sha256[:12], subject.holds))
    if level is None:
        changes.append(Change("compatibility", None, COMPATIBILITY))
    step = None
    if changes:
        do = partial(_make, registry, subject, level is None)
        step = Step(resource, tuple(changes), known is None, do)
    findings.verdict(resource, *left_alone, step=step)


def as_resource(subject: Subject) -> Resource:
    """What the history remembers of a schema."""
    content = {"schema": subject.schema, "compatibility": COMPATIBILITY}
    return Resource(Kind.SCHEMA, subject.name, content, f"schema of {subject.holds}")


async def _make(registry: SchemaRegistry, subject: Subject, set_level: bool) -> None:
    await registry.register(subject.name, subject.schema)  # some refuse rules for no schema
    if set_level:
        await registry.set_compatibility(subject.name, COMPATIBILITY)
