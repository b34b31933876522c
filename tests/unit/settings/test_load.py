from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from barengine.errors import ConfigurationError
from barengine.model import NS_PER_S
from barengine.settings import Settings, load_settings, load_with_origins
from tests.unit.settings.loading import environ, from_environ, problem, problems


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "barengine.yaml"


def test_the_environment_beats_the_file(config: Path) -> None:
    """A key in both is taken from the environment; a key in one from there."""
    config.write_text("window: 5m\ngrace: 1s\n")
    settings = load_settings(config, environ(WINDOW="1h"))
    assert settings.period.name == "1h"
    assert settings.grace_ns == NS_PER_S


def test_every_key_has_an_origin(config: Path) -> None:
    """Variable, line of the file, or default; what names the file has one, too."""
    config.write_text("# mine\nwindow: 5m\ngrace: 1s\norder:\n")
    settings, origins = load_with_origins(config, environ(GRACE="2s"))
    assert origins.keys() == settings.public().keys()
    assert {key: origin for key, origin in origins.items() if origin != "default"} == {
        "window": f"{config}:2",
        "grace": "environment BARENGINE_GRACE",
        "config": "--config",
    }
    by_variable = load_with_origins(None, environ(CONFIG=str(config)))
    assert by_variable.origins["config"] == "environment BARENGINE_CONFIG"


def test_a_key_is_the_same_in_any_case(config: Path) -> None:
    """``WINDOW`` and ``window`` are one key, in the file as in the environment."""
    config.write_text("WINDOW: 5m\nGrace: 1s\n")
    settings = load_settings(config, {"BARENGINE_order": "offset"})
    assert settings.public() == Settings().public() | {
        "window": "5m",
        "grace": "1s",
        "order": "offset",
        "config": str(config),
    }


def test_the_environment_can_name_the_file(config: Path) -> None:
    """BARENGINE_CONFIG names the file where no argument does."""
    config.write_text("window: 5m\n")
    assert from_environ(CONFIG=str(config)).period.name == "5m"


def test_an_argument_beats_the_named_file(config: Path, tmp_path: Path) -> None:
    """``--config`` wins over BARENGINE_CONFIG."""
    config.write_text("window: 5m\n")
    settings = load_settings(config, environ(CONFIG=str(tmp_path / "missing.yaml")))
    assert settings.period.name == "5m"
    assert settings.config == config


def test_yaml_values_are_taken_as_written(config: Path) -> None:
    """YAML's own idea of ``off``, ``on`` and ``007`` does not come between."""
    config.write_text("idle_timeout: off\nauto_create_topics: on\ngroup_id: 007\n")
    settings = load_settings(config, {})
    assert settings.idle_timeout_ns is None
    assert settings.auto_create_topics is True
    assert settings.group_id == "007"


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "window:\ngrace: ~\norder: ''\n"])
def test_an_empty_value_stands_for_the_default(config: Path, text: str) -> None:
    """An empty file, or a key without a value, changes nothing."""
    config.write_text(text)
    assert load_settings(config, {}).public() == Settings().public() | {"config": str(config)}


def test_an_empty_variable_beats_the_file_too(config: Path) -> None:
    """An empty variable takes a key back to its default."""
    config.write_text("window: 5m\n")
    assert load_settings(config, environ(WINDOW="")).period.name == "1m"


def test_every_problem_is_told_at_once(config: Path) -> None:
    """One run shows all there is to repair: unknown, unusable and contradicting keys."""
    config.write_text("windos: 1m\ngrace: 5\nrollups: 90s\n")
    found = problems(
        config, PRICE_SCALE="99", BOGUS="1", INPUT_FORMAT="json", SCHEMA_REGISTRY_URL="http://r:1"
    )
    assert found == [
        f"`windos` in {config} (line 1) is not a key; did you mean window?",
        "BARENGINE_BOGUS is not a key; remove it",
        "BARENGINE_PRICE_SCALE is '99': too large; write 18 or less",
        f"`grace` in {config} (line 2) is '5': this is no duration; write a number and a unit: "
        "250ms 5s 1m 1h 30d",
        "BARENGINE_INPUT_FORMAT is 'json' and BARENGINE_SCHEMA_REGISTRY_URL is 'http://r:1': "
        "JSON is read without; remove one",
        f"`rollups` in {config} (line 3) is '90s' and BARENGINE_WINDOW is '1m' (the default): 90s "
        "is not made of whole 1m bars; take a multiple, or remove it",
    ]


def test_a_wrong_value_hides_no_contradiction_of_others() -> None:
    """A contradiction is told only where every key in it is valid by itself."""
    found = problems(
        SECURITY_PROTOCOL="SASL",
        SASL_USERNAME="u",
        INPUT_FORMAT="json",
        SCHEMA_REGISTRY_URL="http://r:1",
    )
    assert len(found) == 2
    assert found[0].startswith("BARENGINE_SECURITY_PROTOCOL is 'SASL': write")
    assert found[1].startswith("BARENGINE_INPUT_FORMAT is 'json' and ")


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("WINDOWS", "BARENGINE_WINDOW"),
        ("IDLE_TIMOUT", "BARENGINE_IDLE_TIMEOUT"),
        ("BOOTSTRAP_SERVER", "BARENGINE_BOOTSTRAP_SERVERS"),
    ],
)
def test_a_misspelt_variable_is_an_error_with_a_suggestion(key: str, meant: str) -> None:
    """An unknown variable of ours is never ignored."""
    assert problem(**{key: "1"}) == f"BARENGINE_{key} is not a key; did you mean {meant}?"


@pytest.mark.parametrize("key", ["idle-timeout", "BARENGINE_IDLE_TIMEOUT"])
def test_a_misspelt_key_of_the_file_is_an_error_with_a_suggestion(config: Path, key: str) -> None:
    """An unknown key of the file is never ignored, and the suggestion is written as in a file."""
    config.write_text(f"\n{key}: 5s\n")
    where = f"`{key}` in {config} (line 2)"
    assert problem(config) == f"{where} is not a key; did you mean idle_timeout?"


def test_other_variables_are_none_of_our_business() -> None:
    """Variables without our prefix, the kernel switch and Kubernetes' service links are no keys."""
    service_links = {
        "BARENGINE_SERVICE_HOST": "10.0.0.1",
        "BARENGINE_SERVICE_PORT": "8080",
        "BARENGINE_SERVICE_PORT_HTTP": "8080",
        "BARENGINE_PORT": "tcp://10.0.0.1:8080",
        "BARENGINE_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "BARENGINE_PORT_8080_TCP_ADDR": "10.0.0.1",
        "BARENGINE_METRICS_PORT": "tcp://10.0.0.1:8080",
    }
    others = {"HOME": "/", "BARENGINES": "1", "WINDOW": "x", "BARENGINE_KERNEL": "pure"}
    assert load_settings(None, service_links | others) == Settings()


def test_a_key_given_twice_is_refused(config: Path) -> None:
    """YAML would silently take the last."""
    config.write_text("window: 1m\nWINDOW: 5m\n")
    assert problem(config) == f"`WINDOW` in {config} (line 2) is given twice; remove one"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- window", "holds no keys"),
        ("just words", "holds no keys"),
        ("window: [1m, 5m]", "`window` in {config} (line 1) has several values; write one"),
        ("? [a]\n: b", "a key in {config} (line 1) is no word"),
        ("a: b: c", "{config} (line 1) is not YAML"),
        ("window: 1m\n  grace: 1s", "{config} (line 2) is not YAML"),
        ("window: 1m\n---\ngrace: 1s", "{config} (line 2) is not YAML"),
        ("\x07", "{config} is not YAML"),
        ("config: other.yaml", "`config` in {config} (line 1) is 'other.yaml': a file cannot"),
    ],
)
def test_a_file_that_is_no_set_of_keys_is_refused(config: Path, text: str, said: str) -> None:
    """A broken file is a message with its line, not a traceback."""
    config.write_text(text)
    assert said.format(config=config) in problem(config)


def test_a_file_that_cannot_be_read_is_refused_by_who_named_it(config: Path) -> None:
    """A missing file names the option or the variable to repair; so does one that is no text."""
    assert problem(config).startswith(f"--config is {str(config)!r}: cannot be read (No such file")
    assert problem(CONFIG=str(config)).startswith(f"BARENGINE_CONFIG is {str(config)!r}: cannot")
    config.write_bytes(b"\xff\xfe\xff")
    assert "not UTF-8" in problem(config)


def test_a_broken_file_hides_no_problem_of_the_environment(config: Path) -> None:
    """Also then all is told at once."""
    assert len(problems(config, WINDOW="7m")) == 2


SECRET = "hunter2-and-more"


@pytest.mark.parametrize(
    "keys",
    [
        {"SASL_PASSWORD": SECRET},
        {"SASL_PASWORD": SECRET},
        {"SCHEMA_REGISTRY_URL": f"ftp://user:{SECRET}@host"},
        {"SCHEMA_REGISTRY_URL": f"http://user:{SECRET}@host", "INPUT_FRAMING": "none"},
    ],
)
def test_no_error_shows_a_secret(keys: dict[str, str]) -> None:
    """Neither message nor traceback holds a password, misspelt keys and URLs included."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None, environ(**keys))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("text", [f"sasl_password: {SECRET}: x", f"sasl_password: *{SECRET}"])
def test_no_error_about_a_file_shows_a_secret(config: Path, text: str) -> None:
    """What YAML says about a broken line is not repeated: it would quote it."""
    config.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(config, {})
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_no_view_of_settings_shows_a_secret() -> None:
    """repr, str and public() mask passwords; the program itself can read them."""
    settings = from_environ(
        SECURITY_PROTOCOL="SASL_SSL",
        SASL_MECHANISM="PLAIN",
        SASL_USERNAME="u",
        SASL_PASSWORD=f" {SECRET} ",
        SCHEMA_REGISTRY_URL=f"https://user:{SECRET}@registry",
    )
    assert SECRET not in f"{settings!r} {settings} {settings.public()}"
    assert settings.public()["sasl_password"] == "***"
    assert settings.public()["schema_registry_url"] == "https://***@registry"
    assert settings.sasl_password is not None
    assert settings.sasl_password.get_secret_value() == f" {SECRET} "
