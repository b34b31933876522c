"""Settings that are right one by one and cannot work together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from barengine.model import Framing
from barengine.settings.choices import InputFormat
from barengine.settings.model import Settings

MAX_TOPIC_LENGTH: Final = 249
"""Kafka's limit: a topic is a directory name, and 255 minus ``-`` and a partition is left."""


class Conflict(NamedTuple):
    """Keys that contradict each other, and the way out."""

    keys: tuple[str, ...]
    way_out: str


def conflicts(settings: Settings) -> Iterator[Conflict]:
    """Yield every contradiction between settings that are valid one by one."""
    yield from _input(settings)
    yield from _sasl(settings)
    yield from _tls(settings)
    yield from _topics(settings)


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


def _topics(s: Settings) -> Iterator[Conflict]:
    if s.bar_topic == s.input_topic:
        yield Conflict(("output_topic", "input_topic"), "bars would be read as ticks; rename one")
    for topic, holds in ((s.late_topic, "late ticks"), (s.dead_topic, "dead letters")):
        if s.bar_topic == topic:
            yield Conflict(("output_topic",), f"that topic takes the {holds}; rename it")
        if s.input_topic == topic:
            yield Conflict(("input_topic",), f"that topic takes the {holds}; rename it")
    if s.bar_topic == s.state_topic:
        yield Conflict(("output_topic", "group_id"), "that is the state topic; rename one")
    too_long = [t for t in (s.bar_topic, s.state_topic) if len(t) > MAX_TOPIC_LENGTH]
    for topic in too_long:
        keys = ("context", "output_topic" if topic == s.bar_topic else "group_id", "input_topic")
        yield Conflict(keys, f"together {len(topic)} characters; Kafka takes {MAX_TOPIC_LENGTH}")
