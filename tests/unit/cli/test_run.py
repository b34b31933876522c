from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from barengine import cli
from barengine.cli import run as command
from barengine.errors import BarengineError, ConfigurationError
from barengine.settings import Settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("BARENGINE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("BARENGINE_KERNEL", "pure")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Put back what a run configures for the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Settings, str]]:
    """What was given to the service, instead of running it."""
    calls: list[tuple[Settings, str]] = []

    async def serve(settings: Settings, kernel: str) -> None:
        calls.append((settings, kernel))

    monkeypatch.setattr(command, "serve", serve)
    return calls


@pytest.mark.parametrize("option", ["--config", "-c"])
def test_run_serves_with_file_and_environment(
    served: list[tuple[Settings, str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    option: str,
) -> None:
    """``barengine run --config FILE`` reads both, and gives the service what they say."""
    config = tmp_path / "b.yaml"
    config.write_text("window: 5m\ngrace: 1s\n")
    monkeypatch.setenv("BARENGINE_WINDOW", "1h")
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", option, str(config)])
    assert ended.value.code == 0
    ((settings, kernel),) = served
    assert (settings.period.name, settings.grace_ns, kernel) == ("1h", 10**9, "pure")


def test_run_configures_the_logs_first(
    served: list[tuple[Settings, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """LOG_LEVEL holds from the service's first line on."""
    monkeypatch.setenv("BARENGINE_LOG_LEVEL", "error")
    command.run(None)
    assert served
    assert logging.getLogger().level == logging.ERROR


def test_wrong_settings_end_before_anything_is_started(
    served: list[tuple[Settings, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, every problem, and no service."""
    monkeypatch.setenv("BARENGINE_WINDOW", "7m")
    monkeypatch.setenv("BARENGINE_GRACES", "1s")
    assert cli.main(["run"]) == 2
    header, *problems = capsys.readouterr().err.splitlines()
    assert "configuration" in header
    assert len(problems) == 2
    assert served == []


def test_the_compiled_kernel_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unset or empty BARENGINE_KERNEL is ``compiled``."""
    asked: list[str] = []
    monkeypatch.setattr(command, "kernel_class", asked.append)
    assert command.chosen_kernel({}) == "compiled"
    assert command.chosen_kernel({"BARENGINE_KERNEL": ""}) == "compiled"
    assert asked == ["compiled", "compiled"]


def test_there_are_two_kernels() -> None:
    """Any other word in BARENGINE_KERNEL is a configuration error."""
    with pytest.raises(ConfigurationError, match="BARENGINE_KERNEL is 'fast': write compiled or"):
        command.chosen_kernel({"BARENGINE_KERNEL": "fast"})


def test_a_missing_extension_is_told_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """No silent fall-back to the slow kernel: the message says how to choose it on purpose."""

    def missing(name: str) -> None:
        raise ImportError(f"no {name}")

    monkeypatch.setattr(command, "kernel_class", missing)
    with pytest.raises(BarengineError, match="set BARENGINE_KERNEL=pure"):
        command.chosen_kernel({})


def test_a_book_that_does_not_fit_is_told_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A half-built installation ends at once, and does not fail in each recovery for ever."""

    def stale(kernel: object) -> None:
        raise ImportError("cannot import name AHEAD")

    monkeypatch.setattr(command, "book_class", stale)
    with pytest.raises(BarengineError, match=r"AHEAD.*install barengine again"):
        command.chosen_kernel({})
