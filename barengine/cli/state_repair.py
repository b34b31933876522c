"""``barengine state reset`` and ``adopt``: the ways out of a state that cannot go on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from barengine.cli.loop import run_async
from barengine.engine.repair import Plan
from barengine.errors import ConfigurationError
from barengine.service.logs import configure
from barengine.service.repair import Place, Planner, Situation, Workshop
from barengine.settings import LogFormat, LogLevel, Settings, load_settings

_ENDS = ("earliest", "latest")

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML file of settings; the environment beats it."),
]
Partition = Annotated[int | None, typer.Option(min=0, metavar="N", help="This partition alone.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def reset(
    config: Config = None,
    partition: Partition = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="earliest, latest, an offset (with --partition), or a time such as "
            "2026-09-21T14:00 (UTC, Kafka's timestamps); by default what START says.",
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """Forget the stored state and begin anew. Stop every engine of the group first.

    Bars that were written already from there on are written a second time: none is ever deleted.
    """
    settings = load_settings(config, os.environ)
    place = read_place(to or settings.start)
    if isinstance(place, int) and partition is None:
        raise ConfigurationError(f"--to {to} is an offset of one partition: add --partition N")
    _run(settings, partition, place, yes, anew=True)


def adopt(
    config: Config = None,
    partition: Partition = None,
    to: Annotated[
        str,
        typer.Option(
            metavar="END", help="Where to begin if the topic was made anew: earliest or latest."
        ),
    ] = "earliest",
    yes: Yes = False,
) -> None:
    """Accept what the engine refused and go on. Stop every engine of the group first.

    What is closed stays closed, so no bar is written twice; bars that may lack ticks are marked
    partial.
    """
    settings = load_settings(config, os.environ)
    if to not in _ENDS:
        raise ConfigurationError(f"--to is {to!r}: write {' or '.join(_ENDS)}")
    _run(settings, partition, to, yes, anew=False)


def read_place(text: str) -> Place:
    """``earliest``, ``latest``, an offset, or a time in ISO 8601, UTC where it does not say.

    Raises:
        ConfigurationError: it is none of these.
    """
    if text in _ENDS:
        return text
    if text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"--to is {text!r}: write earliest, latest, an offset, or a time such as "
            "2026-09-21T14:00"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _run(settings: Settings, partition: int | None, place: Place, yes: bool, *, anew: bool) -> None:
    configure(LogLevel.ERROR, LogFormat.CONSOLE)  # what fails is raised: it needs no log besides
    run_async(_repair(settings, partition, place, yes, anew=anew))


async def _repair(
    settings: Settings, partition: int | None, place: Place, yes: bool, *, anew: bool
) -> None:
    async with Workshop.opened(settings) as workshop:
        if partition is not None and partition >= workshop.partitions:
            raise ConfigurationError(
                f"--partition is {partition}: there are 0 to {workshop.partitions - 1}"
            )
        found = [await workshop.look(number) for number in range(workshop.partitions)]
        wanted = found if partition is None else [found[partition]]
        began = any(one.began for one in found)
        work: list[tuple[Situation, Planner, Plan]] = []
        for situation in wanted:
            offset = await workshop.resolve(place, situation)
            planner = (
                workshop.resetting(offset)
                if anew
                else workshop.adopting(offset, others_began=began)
            )
            plan = planner(situation)
            if plan is not None:
                work.append((situation, planner, plan))
        if not work:
            typer.echo("nothing to adopt: the engine can go on from this state")
            return
        _announce(settings, work, anew=anew)
        if not yes:
            typer.confirm("Do it?", abort=True)
        for situation, planner, plan in work:
            await workshop.carry_out(situation.partition, plan, planner)
            typer.echo(
                f"partition {situation.partition}: done, goes on at offset "
                f"{plan.commit_offset:,} (commit {plan.seq:,})"
            )


def _announce(
    settings: Settings, work: Sequence[tuple[Situation, Any, Plan]], *, anew: bool
) -> None:
    typer.echo(f"{settings.state_topic}, written beside {settings.input_topic}")
    for situation, _, plan in work:
        typer.echo(f"partition {situation.partition}:")
        for sentence in plan.says:
            typer.echo(f"  {sentence}")
    if anew:
        typer.echo(
            f"Nothing is deleted from {settings.bar_topic}: to have each bar once, take another "
            "CONTEXT instead, or delete the output topics and make them anew"
        )
