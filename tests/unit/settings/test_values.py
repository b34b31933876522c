from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barengine.model import NS_PER_MS, NS_PER_S, Framing, Normalize, Period, Watermark
from barengine.settings import (
    Compression,
    SaslMechanism,
    Settings,
    format_duration,
    mask_url,
    parse_duration,
)
from tests.unit.settings.loading import from_environ, problem


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("250ms", 250 * NS_PER_MS),
        ("5s", 5 * NS_PER_S),
        ("1m", 60 * NS_PER_S),
        ("1h", 3600 * NS_PER_S),
        ("30d", 30 * 86_400 * NS_PER_S),
        (" 0s ", 0),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, expected_ns: int) -> None:
    """Durations are read into integer nanoseconds."""
    assert parse_duration(text) == expected_ns


@pytest.mark.parametrize("text", ["5", "5 s", "-5s", "1.5s", "1h30m", "5S", "s", ""])
def test_anything_else_is_no_duration(text: str) -> None:
    """What is not a whole number and a unit is refused, not guessed."""
    with pytest.raises(ValueError, match="250ms 5s 1m 1h 30d"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_a_duration_is_shown_as_it_can_be_written(milliseconds: int) -> None:
    """format_duration writes what parse_duration reads back."""
    duration_ns = milliseconds * NS_PER_MS
    assert parse_duration(format_duration(duration_ns)) == duration_ns


def test_the_defaults_are_those_of_the_contract() -> None:
    """A run without any setting has the documented defaults."""
    assert from_environ().public() == {
        "bootstrap_servers": "localhost:9092",
        "security_protocol": "PLAINTEXT",
        "sasl_mechanism": None,
        "sasl_username": None,
        "sasl_password": None,
        "ssl_cafile": None,
        "ssl_certfile": None,
        "ssl_keyfile": None,
        "context": "",
        "group_id": "barengine",
        "group_instance_id": None,
        "session_timeout": "6s",
        "input_topic": "ticks",
        "input_format": "avro",
        "input_framing": "confluent",
        "input_schema": None,
        "schema_registry_url": None,
        "schema_registry_username": None,
        "schema_registry_password": None,
        "schema_registry_cafile": None,
        "schema_registry_certfile": None,
        "schema_registry_keyfile": None,
        "subject_strategy": "topic",
        "field_broker": "broker",
        "field_symbol": "symbol",
        "field_timestamp": "timestamp",
        "field_price": "bid",
        "field_size": None,
        "field_flags": None,
        "symbol_normalize": "none",
        "symbol_aliases": None,
        "price_scale": 9,
        "window": "1m",
        "rollups": "",
        "continuous": "",
        "continuous_max": "7d",
        "feed_timeout": "30s",
        "feed_heartbeats": None,
        "live": "off",
        "correction_horizon": "10m",
        "schedule": None,
        "out_of_session": "include",
        "grace": "5s",
        "watermark": "broker",
        "idle_timeout": "5s",
        "max_future": "5m",
        "order": "event_time",
        "late_policy": "topic",
        "skip_partial": "off",
        "start": "earliest",
        "restore_max": 2000000,
        "series_ttl": "30d",
        "output_topic": "bar_{period}",
        "key_format": "string",
        "compression": "zstd",
        "commit_interval": "100ms",
        "auto_create_topics": "off",
        "http_host": "0.0.0.0",
        "http_port": 8080,
        "log_level": "info",
        "log_format": "auto",
        "config": None,
    }


@pytest.mark.parametrize(
    ("key", "text", "attribute", "expected"),
    [
        ("WINDOW", "5s", "period", Period("5s", 5 * NS_PER_S)),
        ("GRACE", "0s", "grace_ns", 0),
        ("IDLE_TIMEOUT", "off", "idle_timeout_ns", None),
        ("IDLE_TIMEOUT", "OFF", "idle_timeout_ns", None),
        ("IDLE_TIMEOUT", "1s", "idle_timeout_ns", NS_PER_S),
        ("SESSION_TIMEOUT", "30m", "session_timeout_ns", 1800 * NS_PER_S),
        ("COMMIT_INTERVAL", "250ms", "commit_interval_ns", 250 * NS_PER_MS),
        ("WATERMARK", "Series", "watermark", Watermark.SERIES),
        ("INPUT_FRAMING", "none", "input_framing", Framing.NONE),
        ("COMPRESSION", "none", "compression", Compression.NONE),
        ("PRICE_SCALE", "18", "price_scale", 18),
        ("RESTORE_MAX", "1000", "restore_max", 1000),
        ("AUTO_CREATE_TOPICS", "on", "auto_create_topics", True),
        ("AUTO_CREATE_TOPICS", "off", "auto_create_topics", False),
        ("FIELD_PRICE", "quote.bid", "field_price", "quote.bid"),
        ("FIELD_PRICE", "mid(q.bid, q.ask)", "field_price", "mid(q.bid,q.ask)"),
        ("FIELD_SIZE", "qty", "field_size", "qty"),
        ("SYMBOL_NORMALIZE", "Upper", "symbol_normalize", Normalize.UPPER),
        ("SKIP_PARTIAL", "on", "skip_partial", True),
        ("FIELD_TIMESTAMP", "@record", "record_time", True),
        ("FIELD_TIMESTAMP", "at", "record_time", False),
        ("BOOTSTRAP_SERVERS", "a:1, [::1]:9092", "bootstrap_servers", "a:1,[::1]:9092"),
        ("SCHEMA_REGISTRY_URL", "http://r:8081/", "schema_registry_url", "http://r:8081"),
        ("HTTP_PORT", "0", "http_port", 0),
    ],
)
def test_a_value_becomes_what_the_program_needs(
    key: str, text: str, attribute: str, expected: object
) -> None:
    """Text is read once, here, into durations in ns, enums, numbers and switches."""
    assert getattr(from_environ(**{key: text}), attribute) == expected


@pytest.mark.parametrize(
    ("key", "text", "way_out"),
    [
        ("BOOTSTRAP_SERVERS", "kafka", "write host:port"),
        ("BOOTSTRAP_SERVERS", "kafka:70000", "write host:port"),
        ("SECURITY_PROTOCOL", "TLS", "write 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'"),
        ("SASL_MECHANISM", "GSSAPI", "write 'PLAIN', 'SCRAM-SHA-256' or 'SCRAM-SHA-512'"),
        ("SSL_CAFILE", "/nowhere/ca.pem", "write the path of a file"),
        ("INPUT_SCHEMA", "/nowhere/tick.avsc", "write the path of a file"),
        ("CONTEXT", "eu.prod", "write '-' or '_'"),
        ("CONTEXT", "eu prod", "letters, digits"),
        ("GROUP_ID", "a|b", "letters, digits"),
        ("INPUT_TOPIC", "..", "letters, digits"),
        ("INPUT_TOPIC", "t" * 250, "1 to 249"),
        ("OUTPUT_TOPIC", "bar_{symbol}", "{period} stands for the period"),
        ("SESSION_TIMEOUT", "5s", "write 6s to 30m"),
        ("SESSION_TIMEOUT", "31m", "write 6s to 30m"),
        ("SCHEMA_REGISTRY_URL", "registry:8081", "write http://host:port"),
        ("SCHEMA_REGISTRY_URL", "http://registry:port", "write http://host:port"),
        ("FIELD_PRICE", "a..b", "path to it with dots"),
        ("FIELD_SYMBOL", "@record", "path to it with dots"),
        ("PRICE_SCALE", "19", "write 18 or less"),
        ("PRICE_SCALE", "-1", "write 0 or more"),
        ("PRICE_SCALE", "nine", "write a whole number"),
        ("WINDOW", "7m", "take 1s 5s 1m"),
        ("WINDOW", "1w", "write a number and s, m, h or d"),
        ("GRACE", "-5s", "250ms 5s 1m 1h 30d"),
        ("GRACE", "4000d", "write 0s to 3650d"),
        ("IDLE_TIMEOUT", "500ms", "write 1s to 3650d"),
        ("SERIES_TTL", "1m", "write 1h to 3650d"),
        ("COMMIT_INTERVAL", "6s", "write 0s to 5s"),
        ("MAX_FUTURE", "0s", "write 1s to 3650d"),
        ("ORDER", "time", "write 'event_time' or 'offset'"),
        ("LATE_POLICY", "keep", "write 'topic', 'drop' or 'correct'"),
        ("START", "now", "write 'earliest' or 'latest'"),
        ("KEY_FORMAT", "json", "write 'string' or 'avro'"),
        ("COMPRESSION", "brotli", "write 'none', 'gzip', 'snappy', 'lz4' or 'zstd'"),
        ("AUTO_CREATE_TOPICS", "maybe", "write on or off"),
        ("HTTP_PORT", "65536", "write 65535 or less"),
        ("LOG_LEVEL", "trace", "write 'debug', 'info', 'warning' or 'error'"),
        ("LOG_FORMAT", "xml", "write 'auto', 'json' or 'console'"),
    ],
)
def test_a_refusal_names_key_value_and_way_out(key: str, text: str, way_out: str) -> None:
    """Whoever reads the message knows what to change, where, and to what."""
    said = problem(**{key: text})
    assert said.startswith(f"BARENGINE_{key} is {text!r}: ")
    assert way_out in said


def test_files_are_read_where_they_are(tmp_path: Path) -> None:
    """A file key takes the path of a file that can be read, and nothing else."""
    schema = tmp_path / "tick.avsc"
    schema.write_text("{}")
    assert from_environ(INPUT_SCHEMA=str(schema)).input_schema == schema
    assert "Is a directory" in problem(INPUT_SCHEMA=str(tmp_path))


def test_security_words_are_taken_in_any_case() -> None:
    """sasl_ssl and SASL_SSL are the same."""
    settings = from_environ(
        SECURITY_PROTOCOL="sasl_ssl",
        SASL_MECHANISM="scram-sha-512",
        SASL_USERNAME="u",
        SASL_PASSWORD="p",
    )
    assert settings.security_protocol.sasl
    assert settings.security_protocol.tls
    assert settings.sasl_mechanism is SaslMechanism.SCRAM_SHA_512


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("http://u:p@h:1/x", "http://***@h:1/x"),
        ("http://u:p@ss@h", "http://***@h"),
        ("http://u:p/w@h", "http://***@h"),
        ("http://h:1", "http://h:1"),
        ("mail a@b", "mail a@b"),
    ],
)
def test_the_password_of_a_url_is_masked(url: str, masked: str) -> None:
    """User and password of a URL never show, however oddly they are written."""
    assert mask_url(url) == masked


def test_settings_do_not_change() -> None:
    """Settings are frozen: who holds them need not ask again."""
    with pytest.raises(ValueError, match="frozen"):
        Settings().price_scale = 2


def test_settings_made_by_hand_take_no_unknown_key() -> None:
    """A test or a tool that misspells a key is told as well."""
    with pytest.raises(ValueError, match="windw"):
        Settings.model_validate({"windw": "1m"})
