"""``barengine infra``: what must stand in the cluster, compared with what does, and made."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from barengine.cli.infra_work import STDOUT, ask, do, show
from barengine.cli.loop import run_async
from barengine.errors import ConfigurationError
from barengine.infra import ksqldb, rights, strimzi
from barengine.infra.apply import Target
from barengine.infra.ksqldb_client import KsqlDb
from barengine.infra.show import Line, plan_json, plan_lines
from barengine.infra.topics import Sizes, desired
from barengine.kafka.acls import Acl
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.registry import SchemaRegistry
from barengine.kafka.topic import BROKER_DEFAULT, Role
from barengine.model import NS_PER_S
from barengine.service.logs import configure
from barengine.settings import LogFormat, LogLevel, Settings, load_settings, parse_duration

TO_DO: Final = 3
"""Exit code of a plan in which there is something to do."""


class Output(StrEnum):
    """What a plan is printed as."""

    DIFF = "diff"
    JSON = "json"
    STRIMZI = "strimzi"
    KSQLDB = "ksqldb"
    ACLS = "acls"


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Make topics, schemas and rights what the engine needs. Nothing shrinks, nothing goes.",
)

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML file of settings; the environment beats it."),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one object.")]
Partitions = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Of an input topic that is made (4); the others follow it."
    ),
]
Replication = Annotated[
    int | None,
    typer.Option(
        "--replication-factor",
        min=1,
        metavar="N",
        help="Of topics that are made; else the broker's.",
    ),
]
Principal = Annotated[
    str | None,
    typer.Option(
        metavar="User:NAME", help="Whom the service logs in as (User:barengine), for its rights."
    ),
]
Acls = Annotated[
    bool, typer.Option("--acls", help="Compare the rights of --principal too, and give them.")
]
KsqlDbUrl = Annotated[
    str | None,
    typer.Option(
        "--ksqldb-url",
        envvar="KSQLDB_URL",
        metavar="URL",
        help="ksqlDB server that shall have streams and tables of bars.",
    ),
]
Wait = Annotated[
    str, typer.Option(metavar="TIME", help="How long to wait for what does not answer yet.")
]


@app.command()
def plan(
    config: Config = None,
    as_json: AsJson = False,
    output: Annotated[
        Output,
        typer.Option(
            help="diff and json compare with the cluster; strimzi, ksqldb and acls ask nobody: "
            "they print resources, statements and commands for others to apply."
        ),
    ] = Output.DIFF,
    partitions: Partitions = None,
    replication_factor: Replication = None,
    principal: Principal = None,
    acls: Acls = False,
    ksqldb_url: KsqlDbUrl = None,
    strimzi_cluster: Annotated[
        str, typer.Option(metavar="NAME", help="The Kafka resource, with --output strimzi.")
    ] = "kafka",
    wait: Wait = "60s",
) -> None:
    """Show what differs, and change nothing. Exit code 3: there is something to do."""
    settings = _settings(config)
    sizes = Sizes(partitions, replication_factor or BROKER_DEFAULT)
    compared = _principal(principal, acls)
    wanted = _rights(settings, sizes, principal)
    output = _chosen(output, as_json)
    if output in _OFFLINE:
        typer.echo(_offline(output, settings, sizes, wanted, strimzi_cluster), nl=False)
        return
    target = _target(settings, sizes, compared, ksqldb_url)
    found = run_async(ask(target, _seconds(wait)))
    if output is Output.JSON:
        about = {"context": settings.context, **plan_json(found)}
        typer.echo(json.dumps(about | {"acls": [*rights.commands(settings, wanted)]}, indent=2))
    else:
        show(plan_lines(found))
        if not acls:
            show([Line(""), Line("the rights of the service (--acls compares and gives them):")])
            show(Line(f"  {command}") for command in rights.commands(settings, wanted))
    if found.findings.steps:
        raise typer.Exit(TO_DO)


@app.command()
def apply(
    config: Config = None,
    as_json: AsJson = False,
    partitions: Partitions = None,
    replication_factor: Replication = None,
    principal: Principal = None,
    acls: Acls = False,
    ksqldb_url: KsqlDbUrl = None,
    metrics_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write metrics there, for the node exporter's textfile collector; - prints them.",
        ),
    ] = None,
    wait: Wait = "60s",
) -> None:
    """Do what plan shows. A second time does nothing; half done, it goes on."""
    settings = _settings(config)
    sizes = Sizes(partitions, replication_factor or BROKER_DEFAULT)
    target = _target(settings, sizes, _principal(principal, acls), ksqldb_url)
    if as_json and metrics_file == STDOUT:
        raise ConfigurationError("--json and --metrics-file -: both are the output; remove one")
    run_async(do(target, _seconds(wait), metrics_file, as_json))


# -- what is asked for -------------------------------------------------------------------------


def _settings(config: Path | None) -> Settings:
    settings = load_settings(config, os.environ)
    configure(LogLevel.ERROR, LogFormat.CONSOLE)  # what fails is raised: it needs no log besides
    return settings


def _chosen(output: Output, as_json: bool) -> Output:
    if as_json and output in _OFFLINE:
        raise ConfigurationError(f"--json and --output {output}: remove one")
    return Output.JSON if as_json else output


def _seconds(wait: str) -> float:
    try:
        return parse_duration(wait) / NS_PER_S
    except ValueError as error:
        raise ConfigurationError(f"--wait {wait}: {error}") from error


def _principal(principal: str | None, acls: bool) -> str | None:
    """Whose rights are compared, if any."""
    if principal is not None and not all(principal.partition(":")):
        raise ConfigurationError(f"--principal {principal}: write its type too: User:{principal}")
    if acls and principal is None:
        raise ConfigurationError("--acls: whose? write --principal User:NAME")
    return principal if acls else None


def _rights(settings: Settings, sizes: Sizes, principal: str | None) -> list[Acl]:
    return rights.rights(settings, desired(settings, sizes), principal or rights.SERVICE)


def _target(
    settings: Settings, sizes: Sizes, principal: str | None, ksqldb_url: str | None
) -> Target:
    return Target(
        settings,
        ConnectionConfig.of(settings),
        SchemaRegistry.of(settings),
        None if ksqldb_url is None else KsqlDb(ksqldb_url),
        sizes,
        principal,
    )


# -- without a broker --------------------------------------------------------------------------

_OFFLINE: Final = (Output.STRIMZI, Output.KSQLDB, Output.ACLS)


def _offline(
    output: Output, settings: Settings, sizes: Sizes, wanted: list[Acl], cluster: str
) -> str:
    specs = desired(settings, sizes)
    match output:
        case Output.STRIMZI:
            if sizes.partitions is None:  # then nothing was said of the input: it is another's
                specs = [spec for spec in specs if spec.role is not Role.INPUT]
            return strimzi.resources(specs, wanted, strimzi.Owner(cluster, settings))
        case Output.KSQLDB:
            return "\n\n".join(one.text for one in ksqldb.statements(settings, specs)) + "\n"
        case _:
            return "\n".join(rights.commands(settings, wanted)) + "\n"
