"""The topics of one run: which there must be, with which limits, and who makes missing ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barengine.errors import ConfigurationError
from barengine.kafka.admin import BROKER_DEFAULT, TopicInfo, TopicSpec, create, describe
from barengine.kafka.client import ConnectionConfig
from barengine.settings import Settings

_LETTER_HEADROOM: Final = 64 * 1024
"""What key, headers and batch header may add to a late or dead letter over its input record."""

_STATE_CONFIG: Final = {
    "cleanup.policy": "compact",
    "segment.bytes": str(64 * 1024 * 1024),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": str(10 * 60 * 1000),
}
"""Small segments, cleaned early: recovery reads the whole partition, so it must stay short."""

_KEEP: Final = {"retention.ms": "-1"}
"""A broker deletes by record timestamp, and bars of old ticks carry old ones."""

_ANY_TIME: Final = {"message.timestamp.after.max.ms": str(2**63 - 1)}
"""A letter keeps its record's timestamp, however far ahead; by default a broker refuses 1 h."""

_SUGGESTED: Final = TopicInfo("", 4, 1024 * 1024 + 12, "delete", BROKER_DEFAULT, 3_600_000)
"""An input topic that does not exist yet: four partitions keep two cores busy, and Kafka's own
defaults."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Names and limits that the tasks need."""

    partitions: int
    max_bytes: dict[str, int]
    """max.message.bytes by topic: a batch must be smaller."""


def wanted(settings: Settings, source: TopicInfo) -> list[TopicSpec]:
    """The topics that this run writes, fit to its input topic."""
    n = source.partitions
    bars = _KEEP if source.timestamp_after_max_ms is None else {**_KEEP, **_ANY_TIME}
    letters = {**bars, "max.message.bytes": str(source.max_message_bytes + _LETTER_HEADROOM)}
    return [
        TopicSpec(settings.bar_topic, n, config=bars),
        TopicSpec(settings.late_topic, n, config=letters),
        TopicSpec(settings.dead_topic, n, config=letters),
        TopicSpec(settings.state_topic, n, config=_STATE_CONFIG),
    ]


async def prepare(settings: Settings, connection: ConnectionConfig) -> Topics:
    """Check every topic of this run; make the missing ones if AUTO_CREATE_TOPICS is on.

    Raises:
        ConfigurationError: a topic is missing (with the command that makes it), has too few
            partitions, or the state topic is not compacted.
    """
    auto = settings.auto_create_topics
    source = settings.input_topic
    found = await describe(connection, [source])
    if source not in found and auto:
        await create(connection, [TopicSpec(source, BROKER_DEFAULT)])
        found = await describe(connection, [source])
    specs = wanted(settings, found.get(source, _SUGGESTED))
    found |= await describe(connection, [spec.name for spec in specs])
    absent = [spec for spec in specs if spec.name not in found]
    if source not in found:
        absent.insert(0, TopicSpec(source, _SUGGESTED.partitions))
    if absent and not auto:
        raise ConfigurationError(_missing(settings, absent))
    if absent:
        await create(connection, absent)
        found |= await describe(connection, [spec.name for spec in absent])
    _check(settings, found, found[source].partitions)
    return Topics(
        found[source].partitions,
        {name: info.max_message_bytes for name, info in found.items()},
    )


def _missing(settings: Settings, absent: Sequence[TopicSpec]) -> str:
    commands = "\n".join(f"  {_command(settings, spec)}" for spec in absent)
    names = ", ".join(spec.name for spec in absent)
    return (
        f"missing topics: {names}. Set BARENGINE_AUTO_CREATE_TOPICS=on, or make them:\n{commands}"
    )


def _command(settings: Settings, spec: TopicSpec) -> str:
    config = "".join(f" --config {key}={value}" for key, value in spec.config.items())
    return (
        f"kafka-topics.sh --bootstrap-server {settings.bootstrap_servers} --create "
        f"--topic {spec.name} --partitions {spec.partitions}{config}"
    )


def _check(settings: Settings, found: dict[str, TopicInfo], partitions: int) -> None:
    problems = [
        f"topic {name} has {info.partitions} partitions, {settings.input_topic} has "
        f"{partitions}: a bar goes to the number of its input partition; add partitions to {name}"
        for name, info in found.items()
        if info.partitions < partitions
    ]
    if "compact" not in found[settings.state_topic].cleanup_policy:
        problems.append(
            f"topic {settings.state_topic} must have cleanup.policy=compact, it has "
            f"{found[settings.state_topic].cleanup_policy}: the state would be deleted with time"
        )
    if problems:
        raise ConfigurationError(*problems)
