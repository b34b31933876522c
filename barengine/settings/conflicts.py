"""Settings that are right one by one and cannot work together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from barengine.model import Framing, OutOfSession, Watermark
from barengine.settings.choices import InputFormat, SubjectStrategy
from barengine.settings.model import Settings
from barengine.settings.values import format_duration

MAX_TOPIC_LENGTH: Final = 249
"""Kafka's limit: a topic is a directory name, and 255 minus ``-`` and a partition is left."""


class Conflict(NamedTuple):
    """Keys that contradict each other, and the way out."""

    keys: tuple[str, ...]
    way_out: str


def conflicts(settings: Settings) -> Iterator[Conflict]:
    """Yield every contradiction between settings that are valid one by one."""
    yield from _input(settings)
    yield from _ticks(settings)
    yield from _sasl(settings)
    yield from _tls(settings)
    yield from _registry(settings)
    yield from _bars(settings)
    yield from _schedule(settings)
    yield from _heartbeats(settings)
    yield from _topics(settings)


def _bars(s: Settings) -> Iterator[Conflict]:
    base = s.period
    for period in s.rollups:
        if period.length_ns == base.length_ns:
            yield Conflict(("rollups", "window"), f"{period} is made already; remove it")
        elif period.length_ns % base.length_ns:
            way_out = f"{period} is not made of whole {base} bars; take a multiple, or remove it"
            yield Conflict(("rollups", "window"), way_out)
    for period in s.continuous:
        if all(period.length_ns != one.length_ns for one in s.periods):
            way_out = f"no {period} bars are made; add it to ROLLUPS, or remove it"
            yield Conflict(("continuous", "window", "rollups"), way_out)
    longest = s.periods[-1].length_ns
    least = longest + (s.correction_horizon_ns if s.corrects else 0)
    if s.continuous:
        least = max(least, s.continuous_max_ns)
    if s.series_ttl_ns < least:
        way_out = f"bars still need what would be forgotten; set {format_duration(least)} or more"
        yield Conflict(("series_ttl",), way_out)


def _ticks(s: Settings) -> Iterator[Conflict]:
    if s.field_flags is not None and s.field_size is None:
        way_out = "there is no volume to touch; set FIELD_SIZE, or remove it"
        yield Conflict(("field_flags", "field_size"), way_out)
    if s.symbol_aliases is not None:
        for problem in s.symbol_aliases.problems(s.symbol_normalize):
            yield Conflict(("symbol_aliases",), problem)


def _input(s: Settings) -> Iterator[Conflict]:
    explicit_frame = "input_framing" in s.model_fields_set
    if s.input_format is InputFormat.JSON:
        if s.schema_registry_url:
            yield Conflict(
                ("input_format", "schema_registry_url"), "JSON is read without; remove one"
            )
        if s.input_schema:
            yield Conflict(("input_format", "input_schema"), "JSON is read without; remove one")
        if explicit_frame and s.input_framing is not Framing.NONE:
            yield Conflict(("input_format", "input_framing"), "JSON has no frame; remove one")
        return
    if s.schema_registry_url and s.input_framing is Framing.NONE:
        yield Conflict(
            ("input_framing", "schema_registry_url"),
            "without frames there is no schema id to ask for; remove one",
        )
    if s.schema_registry_url and s.input_schema:
        yield Conflict(
            ("input_schema", "schema_registry_url"), "the schema comes from one; remove the other"
        )


_SASL_KEYS: Final = ("sasl_mechanism", "sasl_username", "sasl_password")
_TLS_KEYS: Final = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
_REGISTRY_LOGIN: Final = ("schema_registry_username", "schema_registry_password")
_REGISTRY_TLS: Final = (
    "schema_registry_cafile",
    "schema_registry_certfile",
    "schema_registry_keyfile",
)


def _sasl(s: Settings) -> Iterator[Conflict]:
    for key in _SASL_KEYS:
        given = getattr(s, key) is not None
        if s.security_protocol.sasl and not given:
            yield Conflict(("security_protocol", key), "SASL needs it; set it")
        if given and not s.security_protocol.sasl:
            way_out = "it would not be used; take SASL_SSL or remove it"
            yield Conflict(("security_protocol", key), way_out)


def _tls(s: Settings) -> Iterator[Conflict]:
    for key in _TLS_KEYS:
        if getattr(s, key) is not None and not s.security_protocol.tls:
            way_out = "it would not be used; take SSL or SASL_SSL, or remove it"
            yield Conflict(("security_protocol", key), way_out)
    if s.ssl_keyfile and not s.ssl_certfile:
        yield Conflict(("ssl_keyfile", "ssl_certfile"), "a key needs its certificate; set it")


def _registry(s: Settings) -> Iterator[Conflict]:
    if s.schema_registry_url:
        yield from _registry_login(s, urlsplit(s.schema_registry_url))
        yield from _registry_tls(s, urlsplit(s.schema_registry_url))
        return
    for key in (*_REGISTRY_LOGIN, *_REGISTRY_TLS, "subject_strategy"):
        if getattr(s, key) not in (None, SubjectStrategy.TOPIC):
            way_out = "without a registry it would not be used; remove it"
            yield Conflict(("schema_registry_url", key), way_out)


def _registry_login(s: Settings, url: SplitResult) -> Iterator[Conflict]:
    username = s.schema_registry_username
    if (username is None) != (s.schema_registry_password is None):
        yield Conflict(_REGISTRY_LOGIN, "one needs the other; set both")
    if username is not None and url.username is not None:
        keys = ("schema_registry_url", "schema_registry_username")
        yield Conflict(keys, "both name a user; remove the one in the URL")
    if username is not None and ":" in username:
        yield Conflict(("schema_registry_username",), "basic authentication allows no ':' in it")


def _registry_tls(s: Settings, url: SplitResult) -> Iterator[Conflict]:
    for key in _REGISTRY_TLS:
        if getattr(s, key) is not None and url.scheme != "https":
            way_out = "it would not be used; write an https URL, or remove it"
            yield Conflict(("schema_registry_url", key), way_out)
    if s.schema_registry_keyfile and not s.schema_registry_certfile:
        keys = ("schema_registry_keyfile", "schema_registry_certfile")
        yield Conflict(keys, "a key needs its certificate; set it")


def _schedule(s: Settings) -> Iterator[Conflict]:
    if s.schedule is None and s.out_of_session is not OutOfSession.INCLUDE:
        way_out = "without sessions no tick is outside; set SCHEDULE, or remove it"
        yield Conflict(("out_of_session", "schedule"), way_out)
    if s.schedule_topic is not None and s.schedule_topic in _written(s):
        way_out = f"{s.schedule_topic} holds something else; name a topic of its own"
        yield Conflict(("schedule",), way_out)


def _heartbeats(s: Settings) -> Iterator[Conflict]:
    if s.heartbeat_topic is None:
        return
    if not s.continuous:
        way_out = "flat bars alone have a cause, and there are none; set CONTINUOUS, or remove it"
        yield Conflict(("feed_heartbeats", "continuous"), way_out)
    if s.watermark is Watermark.SERIES:
        way_out = "each series goes by its own clock, so no bar says feed_down; remove it"
        yield Conflict(("feed_heartbeats", "watermark"), way_out)
    if s.heartbeat_topic in (*_written(s), s.schedule_topic):
        way_out = f"{s.heartbeat_topic} holds something else; name a topic of its own"
        yield Conflict(("feed_heartbeats",), way_out)


def _written(s: Settings) -> set[str]:
    """Every topic of ticks, bars, letters and state."""
    return {s.input_topic, s.late_topic, s.dead_topic, s.state_topic, *s.bar_topics}


def _topics(s: Settings) -> Iterator[Conflict]:
    topics = s.bar_topics
    if len(set(topics)) < len(topics):
        way_out = "a topic would be fed twice; write {period} into OUTPUT_TOPIC"
        yield Conflict(("output_topic", "rollups"), way_out)
    if s.input_topic in topics:
        yield Conflict(("output_topic", "input_topic"), "bars would be read as ticks; rename one")
    for topic, holds in ((s.late_topic, "late ticks"), (s.dead_topic, "dead letters")):
        if topic in topics:
            yield Conflict(("output_topic",), f"that topic takes the {holds}; rename it")
        if s.input_topic == topic:
            yield Conflict(("input_topic",), f"that topic takes the {holds}; rename it")
    if s.state_topic in topics:
        yield Conflict(("output_topic", "group_id"), "that is the state topic; rename one")
    for topic in (max(topics, key=len), s.state_topic):
        if len(topic) > MAX_TOPIC_LENGTH:
            keys = (
                "context",
                "group_id" if topic == s.state_topic else "output_topic",
                "input_topic",
            )
            yield Conflict(
                keys, f"together {len(topic)} characters; Kafka takes {MAX_TOPIC_LENGTH}"
            )
