"""``barengine config``: what the settings are, where they come from, and whether they can work."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from barengine.cli.run import chosen_kernel
from barengine.service.logs import configure
from barengine.service.parts import parts
from barengine.settings import LogFormat, LogLevel, load_settings, load_with_origins
from barengine.settings.document import example, reference

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML file of settings; the environment beats it."),
]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Show, check and explain the settings.",
)


@app.command()
def show(
    config: ConfigFile = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs: value and origin by key.")
    ] = False,
) -> None:
    """Print every key with its value and where that comes from; secrets are not shown."""
    settings, origins = load_with_origins(config, os.environ)
    values = settings.public()
    if as_json:
        shown = {key: {"value": values[key], "origin": origins[key]} for key in values}
        typer.echo(json.dumps(shown, indent=2))
        return
    rows = [
        (key, "" if value is None else str(value), origins[key]) for key, value in values.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for key, value, origin in rows:
        typer.echo(f"{key:{widths[0]}}  {value:{widths[1]}}  {origin}")


@app.command()
def check(config: ConfigFile = None) -> None:
    """Say whether `barengine run` can work with these settings, without connecting anywhere.

    What the brokers and the registry hold is the business of `barengine infra plan`.
    """
    settings = load_settings(config, os.environ)
    configure(LogLevel.WARNING, LogFormat.CONSOLE)
    chosen_kernel(os.environ)
    parts(settings)
    typer.echo("the configuration can work")


@app.command()
def docs(
    commented: Annotated[
        bool, typer.Option("--example", help="A YAML file with every key commented instead.")
    ] = False,
) -> None:
    """Print the reference of all settings."""
    typer.echo(example() if commented else reference(), nl=False)
