"""The topics of one run as they shall be; start-up and ``barengine infra`` both ask here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from barengine.kafka.topic import BROKER_DEFAULT, Lack, Need, Role, TopicInfo, TopicSpec
from barengine.model import NS_PER_MS
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

_STATE_BYTES: Final = 1_000_000
"""Below the default of any broker; engine.state bounds the largest records by their kinds."""

_STATE_NEEDS: Final = (
    Need(
        "cleanup.policy",
        "compact",
        "must have cleanup.policy=compact, it has {have}: the state would be deleted with time",
    ),
    Need(
        "max.message.bytes",
        str(_STATE_BYTES),
        "takes batches of {have} bytes, a state record may need {least}",
        least=_STATE_BYTES,
    ),
)

_KEEP: Final = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
"""A broker deletes by record timestamp, and bars of old ticks carry old ones. Each is written down:
a cluster may have a limit of size as its default, or compaction, and bars and letters would go."""

_ANY_TIME: Final = {"message.timestamp.after.max.ms": str(2**63 - 1)}
"""A letter keeps its record's timestamp, however far ahead; by default a broker refuses 1 h."""

_INPUT_KEEP_MS: Final = 7 * 86_400_000
"""Kafka's own default: a week in which to mend what stopped the engine."""

_HEARTBEATS_KEEP_MS: Final = 6 * 3_600_000
"""A start reads the last hour of them."""

_SUGGESTED_PARTITIONS: Final = 4
"""They keep two cores busy."""


def suggested_input(
    settings: Settings, partitions: int = _SUGGESTED_PARTITIONS, like: TopicInfo | None = None
) -> TopicInfo:
    """An input topic that does not exist yet, with Kafka's own defaults.

    Args:
        like: a topic of this broker: what it has no value for, the broker does not know.
    """
    config = {
        "max.message.bytes": str(1024 * 1024 + 12),
        "cleanup.policy": "delete",
        "retention.ms": str(_INPUT_KEEP_MS),
        "message.timestamp.after.max.ms": "3600000",
    }
    known = config if like is None else like.config
    own = {key: value for key, value in config.items() if key in known}
    return TopicInfo(settings.input_topic, partitions, BROKER_DEFAULT, own)


def wanted_input(settings: Settings, partitions: int) -> TopicSpec:
    """The topic that this run reads."""
    horizon_ns = settings.correction_horizon_ns if settings.corrects else 0
    least_ms = (settings.period.length_ns + settings.grace_ns + horizon_ns) // NS_PER_MS
    return TopicSpec(
        settings.input_topic,
        partitions,
        role=Role.INPUT,
        why="ticks",
        needs=(
            Need(
                "retention.ms",
                str(max(_INPUT_KEEP_MS, 2 * least_ms)),
                "keeps records for {have} ms, open windows and grace alone reach back {least} ms",
                least=least_ms,
                lack=Lack.WARNED,
                event="ticks_may_expire",
            ),
            Need(
                "retention.bytes",
                "-1",
                "deletes by size ({have} bytes a partition), and ticks of open windows with it",
                lack=Lack.TOLD,
            ),
            Need(
                "cleanup.policy",
                "delete",
                "has cleanup.policy={have}: of ticks with the same key only the last would be left",
                lack=Lack.TOLD,
            ),
        ),
    )


def wanted(settings: Settings, source: TopicInfo) -> list[TopicSpec]:
    """The topics that this run writes, fit to its input topic: the one place that says which.

    Rights, schemas and ksqlDB statements follow from the roles.
    """
    return [
        *_all_bars(settings, source),
        _letters(source, settings.late_topic, "late ticks"),
        _letters(source, settings.dead_topic, "records that became no tick"),
        TopicSpec(
            settings.state_topic,
            source.partitions,
            config=_STATE_CONFIG,
            role=Role.STATE,
            why="what a restart needs to know beside the input",
            needs=_STATE_NEEDS,
        ),
        *_schedule(settings),
        *_heartbeats(settings),
    ]


def _all_bars(settings: Settings, source: TopicInfo) -> Iterator[TopicSpec]:
    for period in settings.periods:
        yield _bars(settings, source, settings.topic_of(period), f"bars of {period}")
    for period in settings.periods if settings.corrects else ():
        topic = settings.corrections_topic(period)
        yield _bars(settings, source, topic, f"corrected bars of {period}")
    if settings.live_ns is not None:
        spec = _bars(settings, source, settings.live_topic, f"bars so far of {settings.period}")
        # a live bar replaces the one before it: kept for ever, they would fill any disk
        config = {**spec.config, "cleanup.policy": "compact"}
        yield replace(spec, role=Role.LIVE, config=config)


def _schedule(settings: Settings) -> Iterator[TopicSpec]:
    if settings.schedule_topic is not None:
        yield TopicSpec(
            settings.schedule_topic,
            1,
            config={"cleanup.policy": "compact"},
            role=Role.SCHEDULE,
            why="when markets trade",
            needs=(
                Need(
                    "cleanup.policy",
                    "compact",
                    "must have cleanup.policy=compact, it has {have}: markets would be deleted "
                    "with time",
                ),
            ),
        )


def _heartbeats(settings: Settings) -> Iterator[TopicSpec]:
    if settings.heartbeat_topic is not None:
        yield TopicSpec(
            settings.heartbeat_topic,
            1,
            config={"cleanup.policy": "delete", "retention.ms": str(_HEARTBEATS_KEEP_MS)},
            role=Role.HEARTBEATS,
            why="which feeds live",
        )


def _bars(settings: Settings, source: TopicInfo, name: str, why: str) -> TopicSpec:
    ahead_ms = settings.max_future_ns // NS_PER_MS
    reason = f"BARENGINE_MAX_FUTURE lets bars be {ahead_ms} ms ahead"
    return TopicSpec(
        name,
        source.partitions,
        config=_keep(source),
        role=Role.BARS,
        why=why,
        needs=(_timestamps_ahead(ahead_ms, reason),),
    )


def _letters(source: TopicInfo, name: str, why: str) -> TopicSpec:
    ahead_ms = source.timestamp_after_max_ms or 0
    largest = source.max_message_bytes + _LETTER_HEADROOM
    return TopicSpec(
        name,
        source.partitions,
        config={**_keep(source), "max.message.bytes": str(largest)},
        role=Role.LETTERS,
        why=why,
        needs=(
            _timestamps_ahead(ahead_ms, f"{source.name} takes {ahead_ms}"),
            Need(
                "cleanup.policy",
                "delete",
                "must have cleanup.policy=delete, it has {have}: compaction takes no letter of a "
                "record without a key, and keeps only the last of those with the same one",
            ),
            Need(
                "max.message.bytes",
                str(largest),
                "takes batches of {have} bytes: the largest letters, of {least}, would be cut",
                least=largest,
                lack=Lack.WARNED,
                event="letters_may_be_cut",
            ),
        ),
    )


def _keep(source: TopicInfo) -> dict[str, str]:
    """For ever, whatever the records' timestamps are; before Kafka 3.6 there is no limit ahead."""
    return _KEEP if source.timestamp_after_max_ms is None else {**_KEEP, **_ANY_TIME}


def _timestamps_ahead(least_ms: int, reason: str) -> Need:
    """A batch refused for its timestamps would end the process some day."""
    [(key, value)] = _ANY_TIME.items()
    complaint = f"refuses timestamps more than {{have}} ms ahead of its clock, {reason}"
    return Need(key, value, complaint, least=least_ms)
