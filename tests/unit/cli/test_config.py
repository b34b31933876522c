"""``barengine config``: what is set, whether it can work, and where it is written."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from barengine import cli
from barengine.settings import ENV_PREFIX, KEYS, Settings
from barengine.settings.document import example, reference

SECRET = "hunter2 in a drawer"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``barengine config`` with these arguments and settings: exit code, output, errors."""

    def command(*arguments: str, **keys: str) -> tuple[int, str, str]:
        for key, text in keys.items():
            monkeypatch.setenv(ENV_PREFIX + key, text)
        with pytest.raises(SystemExit) as ended:
            sys.exit(cli.main(["config", *arguments]))
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return command


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "barengine.yaml"
    path.write_text("window: 5m\ngrace: 1s\n")
    return path


def test_show_tells_value_and_origin(run: Run, config: Path) -> None:
    """Every key is one line: its value as a user writes it, and where it was set."""
    code, out, err = run("show", "--config", str(config), GRACE="2s")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert (code, err) == (0, "")
    assert list(rows) == list(KEYS)
    assert rows["window"] == ["5m", f"{config}:1"]
    assert rows["grace"] == ["2s", "environment", "BARENGINE_GRACE"]
    assert rows["order"] == ["event_time", "default"]


def test_show_for_programs(run: Run, config: Path) -> None:
    """As JSON, keys that are not set are null."""
    code, out, _ = run("show", "--json", "--config", str(config))
    shown = json.loads(out)
    assert code == 0
    assert {key: one["value"] for key, one in shown.items()} == Settings().public() | {
        "window": "5m",
        "grace": "1s",
        "config": str(config),
    }
    assert shown["window"]["origin"] == f"{config}:1"
    assert shown["sasl_password"] == {"value": None, "origin": "default"}


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_show_hides_secrets(run: Run, more: tuple[str, ...]) -> None:
    """A password, also one inside a URL, is ``***``; that it is set can be seen."""
    code, out, err = run(
        "show",
        *more,
        SECURITY_PROTOCOL="SASL_SSL",
        SASL_MECHANISM="PLAIN",
        SASL_USERNAME="u",
        SASL_PASSWORD=SECRET,
        SCHEMA_REGISTRY_URL=f"https://user:{SECRET}@registry:8081",
    )
    assert code == 0
    assert SECRET not in out + err
    assert "https://***@registry:8081" in out
    assert "environment BARENGINE_SASL_PASSWORD" in out


@pytest.mark.parametrize("command", ["show", "check"])
def test_what_cannot_work_is_2(run: Run, command: str) -> None:
    """Both say what `run` would say, all of it, and end as it would."""
    code, out, err = run(command, WINDOWS="1m", GRACE="5")
    assert (code, out) == (2, "")
    assert "BARENGINE_WINDOWS is not a key; did you mean BARENGINE_WINDOW?" in err
    assert "BARENGINE_GRACE is '5': this is no duration" in err


def test_check_agrees(run: Run, config: Path) -> None:
    """Settings that can work are 0."""
    assert run("check", "-c", str(config)) == (0, "the configuration can work\n", "")


def test_check_reads_what_the_settings_name(run: Run, tmp_path: Path) -> None:
    """A file that exists and is not what it should be is found before anything connects."""
    file = tmp_path / "file"
    file.write_text("{}")
    code, _, err = run("check", INPUT_SCHEMA=str(file))
    assert code == 2
    assert "BARENGINE_INPUT_SCHEMA" in err


def test_check_reads_certificates(run: Run, tmp_path: Path) -> None:
    """Those of the brokers and those of the registry."""
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    code, _, err = run("check", SECURITY_PROTOCOL="SSL", SSL_CAFILE=str(file))
    assert code == 2
    assert f"BARENGINE_SSL_CAFILE={file}" in err


def test_docs_are_the_pages(run: Run) -> None:
    """The reference, or the commented file, as they lie in the project."""
    assert run("docs") == (0, reference(), "")
    assert run("docs", "--example") == (0, example(), "")
