"""The topics of one run: which there must be, with which limits, and who makes missing ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from barengine.errors import ConfigurationError
from barengine.kafka.admin import BROKER_DEFAULT, TopicInfo, TopicSpec, create, describe
from barengine.kafka.client import ConnectionConfig
from barengine.model import NS_PER_MS
from barengine.settings import Settings

log = structlog.get_logger(__name__)

_LETTER_HEADROOM: Final = 64 * 1024
"""What key, headers and batch header may add to a late or dead letter over its input record."""

_STATE_CONFIG: Final = {
    "cleanup.policy": "compact",
    "segment.bytes": str(64 * 1024 * 1024),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": str(10 * 60 * 1000),
}
"""Small segments, cleaned early: recovery reads the whole partition, so it must stay short."""

_STATE_BYTES: Final = 1_000_000
"""Below the default of any broker; engine.state bounds the largest records by their kinds."""

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
            partitions or refuses what must be written, or the state topic is not compacted.
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
    _check(settings, found, found[source])
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


def _check(settings: Settings, found: dict[str, TopicInfo], source: TopicInfo) -> None:
    problems = [
        f"topic {name} has {info.partitions} partitions, {source.name} has {source.partitions}: a "
        f"bar goes to the number of its input partition; add partitions to {name}:\n"
        f"  kafka-topics.sh --bootstrap-server {settings.bootstrap_servers} --alter "
        f"--topic {name} --partitions {source.partitions}"
        for name, info in found.items()
        if info.partitions < source.partitions
    ]
    state = found[settings.state_topic]
    if state.cleanup_policy != "compact":
        problems.append(
            f"topic {state.name} must have cleanup.policy=compact, it has {state.cleanup_policy}: "
            f"the state would be deleted with time:\n"
            f"  {_alter(settings, state.name, 'cleanup.policy=compact')}"
        )
    if state.max_message_bytes < _STATE_BYTES:
        problems.append(
            f"topic {state.name} takes batches of {state.max_message_bytes} bytes, a state record "
            f"may need {_STATE_BYTES}:\n"
            f"  {_alter(settings, state.name, f'max.message.bytes={_STATE_BYTES}')}"
        )
    problems += _refusing(settings, found, source)
    if problems:
        raise ConfigurationError(*problems)
    _warn_of_cuts(settings, found, source)


def _refusing(settings: Settings, found: dict[str, TopicInfo], source: TopicInfo) -> Iterator[str]:
    """Topics that would refuse a batch for its timestamps some day, which ends the process."""
    ahead_ms = settings.max_future_ns // NS_PER_MS
    letters_ms = source.timestamp_after_max_ms or 0
    for name, needed_ms, what in (
        (settings.bar_topic, ahead_ms, f"BARENGINE_MAX_FUTURE lets bars be {ahead_ms} ms ahead"),
        (settings.late_topic, letters_ms, f"{source.name} takes {letters_ms}"),
        (settings.dead_topic, letters_ms, f"{source.name} takes {letters_ms}"),
    ):
        limit_ms = found[name].timestamp_after_max_ms
        if limit_ms is not None and limit_ms < needed_ms:
            [setting] = (f"{key}={value}" for key, value in _ANY_TIME.items())
            yield (
                f"topic {name} refuses timestamps more than {limit_ms} ms ahead of its clock, "
                f"{what}:\n  {_alter(settings, name, setting)}"
            )


def _warn_of_cuts(settings: Settings, found: dict[str, TopicInfo], source: TopicInfo) -> None:
    needed = source.max_message_bytes + _LETTER_HEADROOM
    for name in (settings.late_topic, settings.dead_topic):
        if found[name].max_message_bytes < needed:
            log.warning(
                "letters_may_be_cut",
                topic=name,
                max_message_bytes=found[name].max_message_bytes,
                needed=needed,
                command=_alter(settings, name, f"max.message.bytes={needed}"),
            )


def _alter(settings: Settings, topic: str, setting: str) -> str:
    return (
        f"kafka-configs.sh --bootstrap-server {settings.bootstrap_servers} --alter "
        f"--entity-type topics --entity-name {topic} --add-config {setting}"
    )
