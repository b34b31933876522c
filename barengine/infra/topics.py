"""Topics: those of the service, the input, and the history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from barengine.infra.history import history_topic
from barengine.infra.model import Change, Findings, Kind, LeftAlone, Resource, Step
from barengine.kafka.admin import create, describe
from barengine.kafka.alter import add_partitions, set_config
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.topic import BROKER_DEFAULT, Lack, Need, Role, TopicInfo, TopicSpec
from barengine.service.wanted import suggested_input, wanted, wanted_input
from barengine.settings import Settings

_PARTITIONS: Final = "partitions"
_REPLICAS: Final = "replication factor"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers that no setting of the service holds."""

    partitions: int | None = None
    """Of an input topic that is made; the others follow it. None: the suggestion."""
    replication_factor: int = BROKER_DEFAULT


def desired(
    settings: Settings,
    sizes: Sizes,
    source: TopicInfo | None = None,
    like: TopicInfo | None = None,
) -> list[TopicSpec]:
    """Every topic that shall be there, the history first, the input next.

    Args:
        source: the input topic, where it is there.
        like: else any topic of this broker, which shows what settings the broker knows.
    """
    if source is None:
        source = suggested_input(settings, like=like)
        if sizes.partitions is not None:
            source = replace(source, partitions=sizes.partitions)
    input_topic = wanted_input(settings, source.partitions)
    if sizes.partitions is not None:
        input_topic = replace(input_topic, partitions=sizes.partitions)
    specs = [history_topic(settings), input_topic, *wanted(settings, source)]
    return [replace(spec, replication_factor=sizes.replication_factor) for spec in specs]


async def look(settings: Settings, connection: ConnectionConfig, sizes: Sizes) -> Findings:
    """Compare every topic with what it shall be.

    Raises:
        KafkaUnavailableError, ConfigurationError: no answer, or not allowed.
    """
    name, history = settings.input_topic, history_topic(settings).name
    first = await describe(connection, [name, history])
    specs = desired(settings, sizes, first.get(name), first.get(history))
    there = await describe(connection, [spec.name for spec in specs])
    findings = Findings()
    for spec in specs:
        compare(findings, settings, connection, spec, there.get(spec.name))
    return findings


def compare(
    findings: Findings,
    settings: Settings,
    connection: ConnectionConfig,
    spec: TopicSpec,
    info: TopicInfo | None,
) -> None:
    """Add what is to be said of one topic."""
    resource = as_resource(spec)
    if info is None:
        do = partial(create, connection, [spec])
        findings.verdict(resource, step=Step(resource, tuple(_of_new(spec)), True, do))
        return
    changes = (*_more_partitions(spec, info), *_settings(spec, info))
    left_alone = [LeftAlone(resource.id, *each) for each in _left_alone(settings, spec, info)]
    step = None
    if changes:
        step = Step(resource, changes, False, partial(_change, connection, spec.name, changes))
    findings.verdict(resource, *left_alone, step=step)


def as_resource(spec: TopicSpec) -> Resource:
    """What the history remembers of a topic."""
    content = {_PARTITIONS: spec.partitions, "config": dict(spec.config)}
    return Resource(Kind.TOPIC, spec.name, content, spec.why)


def _of_new(spec: TopicSpec) -> Iterator[Change]:
    yield Change(_PARTITIONS, None, str(spec.partitions))
    if spec.replication_factor != BROKER_DEFAULT:
        yield Change(_REPLICAS, None, str(spec.replication_factor))
    for key, value in spec.config.items():
        yield Change(key, None, value)


def _more_partitions(spec: TopicSpec, info: TopicInfo) -> Iterator[Change]:
    # Never of the input: a key would go to another partition than before, and its series with it.
    if spec.role is not Role.INPUT and info.partitions < spec.partitions:
        why = "as many as the input has"
        yield Change(_PARTITIONS, str(info.partitions), str(spec.partitions), why)


def _settings(spec: TopicSpec, info: TopicInfo) -> Iterator[Change]:
    """What must change; and what nobody has decided otherwise."""
    needs = {need.key: need for need in spec.needs if need.lack is not Lack.TOLD}
    for need in needs.values():
        if not need.met_by(info):
            yield Change(need.key, info.config.get(need.key), need.value, _reason(need, info))
    for key, value in spec.config.items():
        if key not in needs and key not in info.own and _differs(info, key, value):
            yield Change(key, info.config.get(key), value)


def _differs(info: TopicInfo, key: str, value: str) -> bool:
    """A key that this broker does not know cannot be set either."""
    return info.config.get(key, value) != value


def _reason(need: Need, info: TopicInfo) -> str:
    return need.said_of(info).removeprefix(f"topic {info.name} ")


def _left_alone(settings: Settings, spec: TopicSpec, info: TopicInfo) -> Iterator[tuple[str, str]]:
    """What and the way out, for every difference that stays."""
    yield from _sizes_left_alone(settings, spec, info)
    for need in spec.needs:
        if need.lack is Lack.TOLD and not need.met_by(info):
            yield _reason(need, info), _command(settings, spec.name, need.key, need.value)
    needs = {need.key for need in spec.needs}
    for key, value in spec.config.items():
        if key in info.own and key not in needs and _differs(info, key, value):
            what = f"{key} is {info.config[key]}, set by somebody; barengine would set {value}"
            yield what, _command(settings, spec.name, key, value)


def _sizes_left_alone(
    settings: Settings, spec: TopicSpec, info: TopicInfo
) -> Iterator[tuple[str, str]]:
    have, want = info.partitions, spec.partitions
    if have > want:
        yield f"has {have} partitions, more than {want}", "leave it: Kafka takes none away"
    if have < want and spec.role is Role.INPUT:
        yield (
            f"has {have} partitions, not {want}: with more, keys would go elsewhere, and every "
            "series would be cut in two",
            "docs/infrastructure.md, more partitions",
        )
    factor = spec.replication_factor
    if factor not in (BROKER_DEFAULT, info.replication_factor):
        yield (
            f"has replication factor {info.replication_factor}, {factor} is asked for",
            f"kafka-reassign-partitions.sh --bootstrap-server {settings.bootstrap_servers}",
        )


def _command(settings: Settings, topic: str, key: str, value: str) -> str:
    return (
        f"kafka-configs.sh --bootstrap-server {settings.bootstrap_servers} --alter "
        f"--entity-type topics --entity-name {topic} --add-config {key}={value}"
    )


async def _change(connection: ConnectionConfig, topic: str, changes: Sequence[Change]) -> None:
    values = {change.key: change.want for change in changes}
    partitions = values.pop(_PARTITIONS, None)
    if partitions is not None:
        await add_partitions(connection, topic, int(partitions))
    if values:
        await set_config(connection, topic, values)
