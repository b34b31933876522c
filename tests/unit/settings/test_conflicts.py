from __future__ import annotations

from pathlib import Path

import pytest

from barengine.model import Framing
from tests.unit.settings.loading import from_environ, problem, problems

SASL = {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "PLAIN", "SASL_USERNAME": "u"}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "some.file"
    path.write_text("{}")
    return str(path)


def test_json_has_no_schema(file: str) -> None:
    """INPUT_FORMAT=json excludes a registry, a local schema and a frame."""
    assert "BARENGINE_INPUT_SCHEMA" in problem(INPUT_FORMAT="json", INPUT_SCHEMA=file)
    assert "BARENGINE_SCHEMA_REGISTRY_URL is 'http://r:1'" in problem(
        INPUT_FORMAT="json", SCHEMA_REGISTRY_URL="http://r:1"
    )
    assert "JSON has no frame" in problem(INPUT_FORMAT="json", INPUT_FRAMING="confluent")


def test_json_alone_is_read_without_a_frame() -> None:
    """The default of INPUT_FRAMING is one for Avro; JSON needs no second key."""
    assert from_environ(INPUT_FORMAT="json").framing is Framing.NONE
    assert from_environ(INPUT_FORMAT="json", INPUT_FRAMING="none").framing is Framing.NONE
    assert from_environ().framing is Framing.CONFLUENT


def test_a_registry_needs_frames_and_no_local_schema(file: str) -> None:
    """The schema comes from one place, and from a registry by the id in the frame."""
    said = problem(INPUT_FRAMING="none", SCHEMA_REGISTRY_URL="http://r:1")
    assert "no schema id to ask for" in said
    assert "remove the other" in problem(INPUT_SCHEMA=file, SCHEMA_REGISTRY_URL="http://r:1")


def test_sasl_needs_mechanism_user_and_password() -> None:
    """Every key of SASL that is missing is told."""
    assert problems(SECURITY_PROTOCOL="SASL_SSL") == [
        f"BARENGINE_SECURITY_PROTOCOL is 'SASL_SSL' and BARENGINE_{key} is not set: "
        "SASL needs it; set it"
        for key in ("SASL_MECHANISM", "SASL_USERNAME", "SASL_PASSWORD")
    ]
    assert from_environ(**SASL, SASL_PASSWORD="p").sasl_username == "u"


def test_sasl_keys_need_sasl() -> None:
    """A password that would not be used is not silently ignored."""
    said = problem(SASL_PASSWORD="p")
    assert said.startswith("BARENGINE_SECURITY_PROTOCOL is 'PLAINTEXT' (the default) and ")
    assert "BARENGINE_SASL_PASSWORD is ***: it would not be used" in said


def test_tls_keys_need_tls(file: str) -> None:
    """Certificates that would not be used are not silently ignored."""
    assert "it would not be used" in problem(SSL_CAFILE=file)
    assert from_environ(SSL_CAFILE=file, SECURITY_PROTOCOL="SSL").ssl_cafile == Path(file)


def test_a_key_file_needs_its_certificate(file: str) -> None:
    """A certificate may hold its key; a key alone is nothing."""
    assert "needs its certificate" in problem(SSL_KEYFILE=file, SECURITY_PROTOCOL="SSL")
    assert from_environ(SSL_CERTFILE=file, SECURITY_PROTOCOL="SSL").ssl_keyfile is None


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"OUTPUT_TOPIC": "ticks"}, "bars would be read as ticks"),
        ({"INPUT_TOPIC": "bar_1m"}, "bars would be read as ticks"),
        ({"INPUT_TOPIC": "bar_1m", "CONTEXT": "eu"}, "bars would be read as ticks"),
        ({"OUTPUT_TOPIC": "tick_late"}, "takes the late ticks"),
        ({"OUTPUT_TOPIC": "tick_dead"}, "takes the dead letters"),
        ({"INPUT_TOPIC": "tick_late"}, "takes the late ticks"),
        ({"INPUT_TOPIC": "tick_dead"}, "takes the dead letters"),
        ({"OUTPUT_TOPIC": "barengine.ticks.state"}, "that is the state topic"),
        ({"INPUT_TOPIC": "t" * 240}, "Kafka takes 249"),
        ({"CONTEXT": "c" * 248}, "Kafka takes 249"),
    ],
)
def test_topics_are_five_different_ones(keys: dict[str, str], said: str) -> None:
    """Input, bars, late, dead and state never share a topic, and every name fits Kafka."""
    assert any(said in each for each in problems(**keys))


def test_names_are_in_their_context() -> None:
    """A context goes before every topic and the group, once."""
    settings = from_environ(CONTEXT="eu", WINDOW="5m", GROUP_ID="g", INPUT_TOPIC="t")
    assert settings.input_topic == "eu.t"
    assert settings.bar_topic == "eu.bar_5m"
    assert settings.late_topic == "eu.tick_late"
    assert settings.dead_topic == "eu.tick_dead"
    assert settings.group == "eu.g"
    assert settings.state_topic == "eu.g.eu.t.state"


def test_without_a_context_names_are_bare() -> None:
    """No context, no prefix."""
    settings = from_environ()
    assert settings.input_topic == "ticks"
    assert settings.bar_topic == "bar_1m"
    assert settings.group == "barengine"
    assert settings.state_topic == "barengine.ticks.state"


def test_an_output_topic_may_be_one_name() -> None:
    """{period} need not be in OUTPUT_TOPIC."""
    assert from_environ(OUTPUT_TOPIC="candles").bar_topic == "candles"


REGISTRY = {"SCHEMA_REGISTRY_URL": "https://r:1"}
LOGIN = {"SCHEMA_REGISTRY_USERNAME": "u", "SCHEMA_REGISTRY_PASSWORD": "p"}


def test_keys_of_the_registry_need_one(file: str) -> None:
    """What would not be used is not silently ignored."""
    for key, text in (
        ("SCHEMA_REGISTRY_USERNAME", "u"),
        ("SCHEMA_REGISTRY_PASSWORD", "p"),
        ("SCHEMA_REGISTRY_CAFILE", file),
        ("SUBJECT_STRATEGY", "record"),
    ):
        said = problem(**{key: text})
        assert said.startswith("BARENGINE_SCHEMA_REGISTRY_URL is not set and")
        assert f"BARENGINE_{key} is" in said
    assert from_environ(SUBJECT_STRATEGY="topic").subject_strategy == "topic"


@pytest.mark.parametrize("missing", LOGIN)
def test_a_login_is_user_and_password(missing: str) -> None:
    """One of them alone is told with the other; both together can be used."""
    given = {key: text for key, text in LOGIN.items() if key != missing}
    said = problem(**REGISTRY, **given)
    assert f"BARENGINE_{missing} is not set" in said
    assert "one needs the other; set both" in said
    assert from_environ(**REGISTRY, **LOGIN).schema_registry_username == "u"


def test_a_login_is_given_once() -> None:
    """Not in the URL and beside it; neither is shown."""
    said = problem(**LOGIN, SCHEMA_REGISTRY_URL="https://other:hidden@r:1")
    assert "both name a user; remove the one in the URL" in said
    assert "hidden" not in said


def test_a_colon_ends_a_user_name() -> None:
    """Basic authentication would take the rest for the password."""
    assert "allows no ':'" in problem(**REGISTRY, **LOGIN | {"SCHEMA_REGISTRY_USERNAME": "u:v"})


def test_certificates_need_https(file: str) -> None:
    """For plain http they would not be used, and a key is nothing without its certificate."""
    said = problem(SCHEMA_REGISTRY_URL="http://r:1", SCHEMA_REGISTRY_CAFILE=file)
    assert "write an https URL" in said
    assert "needs its certificate" in problem(**REGISTRY, SCHEMA_REGISTRY_KEYFILE=file)
    both = {"SCHEMA_REGISTRY_CERTFILE": file, "SCHEMA_REGISTRY_KEYFILE": file}
    assert from_environ(**REGISTRY, **both).schema_registry_keyfile == Path(file)


def test_heartbeats_of_feeds_need_flat_bars_of_a_broker() -> None:
    """Nothing else has a cause; and their topic is one of its own."""
    flat = {"CONTINUOUS": "1m", "FEED_HEARTBEATS": "beats"}
    assert from_environ(**flat, CONTEXT="dev").heartbeat_topic == "dev.beats"
    assert from_environ().heartbeat_topic is None
    assert "set CONTINUOUS, or remove it" in problem(FEED_HEARTBEATS="beats")
    assert "each series goes by its own clock" in problem(**flat, WATERMARK="series")
    said = "ticks holds something else; name a topic of its own"
    assert said in problem(**flat | {"FEED_HEARTBEATS": "ticks"})
    both = {"SCHEDULE": "topic:beats"}
    assert "beats holds something else" in problem(**flat, **both)
