from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest
import typer

from barengine import __version__, cli
from barengine.errors import ConfigurationError, LocalKafkaError, StateError

Give = Callable[[object], None]


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> Give:
    """Make what is given the command ``probe``, the only one."""

    def replace(command: object) -> None:
        module = ModuleType("probe_command")
        module.__dict__["probe"] = command
        monkeypatch.setitem(sys.modules, "probe_command", module)
        monkeypatch.setattr(cli, "_COMMANDS", {"probe": "probe_command:probe"})

    return replace


def code_of(*arguments: str) -> int:
    """Run a command line as the process would, and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        sys.exit(cli.main(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def raising(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


def test_a_command_that_ends_well_is_0(give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    """Done is exit code 0, with options passed on and nothing on standard error."""

    def command(name: str = "x") -> None:
        typer.echo(name)

    give(command)
    assert code_of("probe", "--name", "ticks") == 0
    assert capsys.readouterr() == ("ticks\n", "")


def test_configuration_errors_are_2(give: Give, capsys: pytest.CaptureFixture[str]) -> None:
    """Every problem is a line under a header, without a traceback."""
    give(raising(ConfigurationError("BARENGINE_A is 1: write 2", "BARENGINE_B is 3: write 4")))
    assert code_of("probe") == 2
    assert capsys.readouterr() == (
        "",
        "barengine cannot run with this configuration:\n"
        "  BARENGINE_A is 1: write 2\n"
        "  BARENGINE_B is 3: write 4\n",
    )


@pytest.mark.parametrize("family", [StateError, LocalKafkaError])
def test_other_errors_of_ours_are_1(
    give: Give, capsys: pytest.CaptureFixture[str], family: type[Exception]
) -> None:
    """A failure is its message, without a traceback."""
    give(raising(family("state and log do not fit")))
    assert code_of("probe") == 1
    assert capsys.readouterr() == ("", "barengine: state and log do not fit\n")


def test_a_defect_keeps_its_traceback(give: Give) -> None:
    """What barengine did not raise on purpose is not dressed up: Python shows it, exit code 1."""
    give(raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main(["probe"])


def test_ctrl_c_is_130(give: Give) -> None:
    """A command that does not take Ctrl-C itself ends as a shell expects."""
    give(raising(KeyboardInterrupt()))
    assert code_of("probe") == 130


def test_a_command_may_choose_its_exit_code(give: Give) -> None:
    """typer.Exit passes through."""
    give(raising(typer.Exit(3)))
    assert code_of("probe") == 3


def test_a_typer_app_is_a_command_with_sub_commands(
    give: Give, capsys: pytest.CaptureFixture[str]
) -> None:
    """``barengine state show``: also where there is one sub-command only."""
    app = typer.Typer()

    @app.command()
    def show(partition: int) -> None:
        typer.echo(f"partition {partition}")

    give(app)
    assert code_of("probe", "show", "3") == 0
    assert capsys.readouterr().out == "partition 3\n"


@pytest.mark.parametrize("arguments", [["prob"], ["probe", "--nme", "x"], ["probe", "more"]])
def test_a_wrong_command_line_is_2(
    give: Give, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """An unknown command, option or argument shows the usage on standard error."""

    def command(name: str = "x") -> None:
        raise AssertionError(name)

    give(command)
    assert code_of(*arguments) == 2
    assert "Usage: barengine" in capsys.readouterr().err


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """``barengine --version`` says which one this is."""
    assert code_of("--version") == 0
    assert capsys.readouterr().out == f"barengine {__version__}\n"


def test_without_a_command_the_help_is_shown(
    give: Give, capsys: pytest.CaptureFixture[str]
) -> None:
    """``barengine`` alone tells what there is, with a line about each command."""

    def command() -> None:
        """Do the one thing."""

    give(command)
    code_of()
    assert "Do the one thing." in "".join(capsys.readouterr())
    assert code_of("--help") == 0
    assert "Do the one thing." in capsys.readouterr().out


def test_a_command_is_imported_only_when_it_is_used() -> None:
    """``barengine --version`` and the engine need neither Kafka's client nor the web server."""
    heavy = ("aiokafka", "starlette", "uvicorn", "jgo", "barengine.settings")
    script = (
        "import sys; from barengine.cli import main\n"
        "try: main(['--version'])\n"
        f"finally: print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_module_is_the_command() -> None:
    """``python -m barengine`` is ``barengine``."""
    done = subprocess.run(
        [sys.executable, "-m", "barengine", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == f"barengine {__version__}\n"
