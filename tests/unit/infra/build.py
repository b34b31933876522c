"""Settings, topics and what is found of them, for the tests of infra."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from barengine.infra.model import Change, Findings
from barengine.infra.topics import Sizes, compare, desired
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.topic import Role, TopicInfo, TopicSpec
from barengine.settings import Settings, load_settings

NOWHERE: Final = ConnectionConfig("127.0.0.1:1")


def settings(**keys: str) -> Settings:
    """Settings of these keys, written without their prefix."""
    return load_settings(None, {f"BARENGINE_{key}": text for key, text in keys.items()})


def spec_of(given: Settings, role: Role, sizes: Sizes = Sizes()) -> TopicSpec:  # noqa: B008
    """The first desired topic of a role."""
    return next(spec for spec in desired(given, sizes) if spec.role is role)


def made(spec: TopicSpec, **own: str) -> TopicInfo:
    """The topic as it is after it was made, but for these settings of its own."""
    config = {**spec.config, **{key.replace("_", "."): value for key, value in own.items()}}
    known = {"cleanup.policy": "delete", "retention.ms": "604800000", **config}
    return TopicInfo(spec.name, spec.partitions, 1, known, frozenset(config))


def unset(info: TopicInfo, **defaults: str) -> TopicInfo:
    """The topic with defaults of its cluster in the place of its own values."""
    values = {key.replace("_", "."): value for key, value in defaults.items()}
    config = {**info.config, **values}
    return replace(info, config=config, own=info.own - values.keys())


def found(given: Settings, spec: TopicSpec, info: TopicInfo | None) -> Findings:
    """What is said of this one topic."""
    findings = Findings()
    compare(findings, given, NOWHERE, spec, info)
    return findings


def only_change(findings: Findings) -> Change:
    """The one change of the one step."""
    [step] = findings.steps
    [change] = step.changes
    return change
