"""The command line. A command's module is imported when the command is used, not before.

Exit codes: 0 done, 2 the configuration cannot work (or the command line is wrong), 1 any other
failure, 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from barengine import __version__
from barengine.errors import BarengineError, ConfigurationError

FAILED: Final = 1
MISCONFIGURED: Final = 2

_COMMANDS: Final = {
    "run": "barengine.cli.run:run",
    "demo": "barengine.cli.demo:demo",
    "kafka": "barengine.cli.kafka:kafka",
    "schedule": "barengine.cli.schedule:app",
    "state": "barengine.cli.state:app",
    "config": "barengine.cli.config:app",
    "infra": "barengine.cli.infra:app",
    "health": "barengine.cli.health:health",
}
"""Command -> module and the function, or the typer app of sub-commands, in it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, ``sys.argv`` by default.

    Returns:
        The exit code, where the command line itself does not end the process by SystemExit.
    """
    command = get_command(_app())
    try:
        command.main(args=None if arguments is None else list(arguments), prog_name="barengine")
    except ConfigurationError as error:
        _say("barengine cannot run with this configuration:")
        for problem in error.problems:
            _say(f"  {problem}")
        return MISCONFIGURED
    except BarengineError as error:
        _say(f"barengine: {error}")
        return FAILED
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr)


class _Commands(TyperGroup):
    """The commands, each loaded when it is asked for. The types of click are not public here."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return _load(cmd_name) if cmd_name in _COMMANDS else None


def _load(name: str) -> Any:
    module, _, attribute = _COMMANDS[name].partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = name
        return group
    one = typer.Typer(add_completion=False)
    one.command(name)(found)
    return get_command(one)


def _app() -> typer.Typer:
    app = typer.Typer(cls=_Commands, add_completion=False, no_args_is_help=True)
    app.callback()(_options)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"barengine {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Turn market ticks in Apache Kafka into finalized OHLC bars, exactly once."""
