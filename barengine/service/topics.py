"""The topics of one run: checked at start, and who makes missing ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from barengine.errors import ConfigurationError
from barengine.kafka.admin import create, describe
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.topic import BROKER_DEFAULT, Lack, Need, TopicInfo, TopicSpec
from barengine.service.wanted import suggested_input, wanted, wanted_input
from barengine.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Topics:
    """Names and limits that the tasks need."""

    partitions: int
    max_bytes: dict[str, int]
    """max.message.bytes by topic: a batch must be smaller."""


async def prepare(settings: Settings, connection: ConnectionConfig) -> Topics:
    """Check every topic of this run; make the missing ones if AUTO_CREATE_TOPICS is on.

    Raises:
        ConfigurationError: a topic is missing (with the command that makes it), has too few
            partitions or refuses what must be written, or the state topic is not compacted.
    """
    auto = settings.auto_create_topics
    name = settings.input_topic
    found = await describe(connection, [name])
    if name not in found and auto:
        await create(connection, [wanted_input(settings, BROKER_DEFAULT)])
        found = await describe(connection, [name])
    source = found.get(name) or suggested_input(settings)
    specs = [wanted_input(settings, source.partitions), *wanted(settings, source)]
    found |= await describe(connection, [spec.name for spec in specs[1:]])
    absent = [spec for spec in specs if spec.name not in found]
    if absent and not auto:
        raise ConfigurationError(_missing(settings, absent))
    if absent:
        await create(connection, absent)
        found |= await describe(connection, [spec.name for spec in absent])
    _check(settings, specs, found)
    return Topics(
        source.partitions,
        {name: info.max_message_bytes for name, info in found.items()},
    )


def _missing(settings: Settings, absent: Sequence[TopicSpec]) -> str:
    commands = "\n".join(f"  {_command(settings, spec)}" for spec in absent)
    names = ", ".join(spec.name for spec in absent)
    return (
        f"missing topics: {names}. Run `barengine infra apply`, or set "
        f"BARENGINE_AUTO_CREATE_TOPICS=on, or make them:\n{commands}"
    )


def _command(settings: Settings, spec: TopicSpec) -> str:
    config = "".join(f" --config {key}={value}" for key, value in spec.config.items())
    return (
        f"kafka-topics.sh --bootstrap-server {settings.bootstrap_servers} --create "
        f"--topic {spec.name} --partitions {spec.partitions}{config}"
    )


def _check(settings: Settings, specs: Sequence[TopicSpec], found: Mapping[str, TopicInfo]) -> None:
    problems = [
        f"topic {spec.name} has {found[spec.name].partitions} partitions, {settings.input_topic} "
        f"has {spec.partitions}: a bar goes to the number of its input partition; add partitions "
        f"to {spec.name}:\n"
        f"  kafka-topics.sh --bootstrap-server {settings.bootstrap_servers} --alter "
        f"--topic {spec.name} --partitions {spec.partitions}"
        for spec in specs
        if found[spec.name].partitions < spec.partitions
    ]
    for spec in specs:
        info = found[spec.name]
        for need in spec.needs:
            if need.lack is Lack.TOLD or need.met_by(info):
                continue
            command = _alter(settings, spec.name, f"{need.key}={need.value}")
            if need.lack is Lack.REFUSED:
                problems.append(f"{need.said_of(info)}:\n  {command}")
            else:
                _warn(need, info, command)
    if problems:
        raise ConfigurationError(*problems)


def _warn(need: Need, info: TopicInfo, command: str) -> None:
    has = {need.key.replace(".", "_"): int(info.config[need.key])}
    log.warning(need.event, topic=info.name, needed=need.least, command=command, **has)


def _alter(settings: Settings, topic: str, setting: str) -> str:
    return (
        f"kafka-configs.sh --bootstrap-server {settings.bootstrap_servers} --alter "
        f"--entity-type topics --entity-name {topic} --add-config {setting}"
    )
