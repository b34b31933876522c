"""What ``barengine infra`` does once its options are read: ask, do, print."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.text import Text

from barengine.errors import BarengineError
from barengine.infra import apply as work
from barengine.infra.apply import Done, Plan, Target
from barengine.infra.history import History
from barengine.infra.metrics import InfraMetrics
from barengine.infra.model import LeftAlone, Resource
from barengine.infra.show import Line, done_json, done_line

STDOUT: Final = Path("-")
"""A metrics file that is none: where nothing can be written, a log still can be read."""


async def ask(target: Target, wait_s: float) -> Plan:
    """Wait until everything answers, and compare.

    Raises:
        BarengineError: no answer, or not allowed.
    """
    async with _history(target, wait_s) as history:
        return await work.plan(target, history)


@dataclass(slots=True)
class _Report:
    """What an apply has done so far."""

    metrics: InfraMetrics
    as_json: bool
    applied: list[Done] = field(default_factory=list)
    skipped: int = 0
    left_alone: list[LeftAlone] = field(default_factory=list)
    error: str | None = None

    def add(self, one: Done | Resource | LeftAlone) -> None:
        match one:
            case Done():
                self.metrics.applied(one.step.resource.kind, one.seconds)
                self.applied.append(one)
                if not self.as_json:
                    show([done_line(one)])
            case Resource():
                self.metrics.skipped(one.kind)
                self.skipped += 1
            case LeftAlone():
                self.left_alone.append(one)

    def json(self, context: str) -> str:
        said = {
            "context": context,
            "applied": [done_json(one) for one in self.applied],
            "skipped": self.skipped,
            "left_alone": [left._asdict() for left in self.left_alone],
            "error": self.error,
        }
        return json.dumps(said, indent=2)

    def line(self, seconds: float) -> Line:
        left = len(self.left_alone)
        rest = f", {left} left alone (plan shows why)" if left else ""
        return Line(
            f"{len(self.applied)} applied, {self.skipped} were right{rest}; {seconds:.1f} s"
        )


async def do(target: Target, wait_s: float, metrics_file: Path | None, as_json: bool) -> None:
    """Wait until everything answers, do every step, and say so as it is done.

    Raises:
        BarengineError: a step failed; those before it are done.
    """
    report = _Report(InfraMetrics(target.settings.context), as_json)
    began = time.monotonic()
    try:
        async with _history(target, wait_s) as history, aclosing(work.apply(target, history)) as on:
            async for one in on:
                report.add(one)
    except BarengineError as error:
        report.error = str(error)
        raise
    finally:
        # whoever reads them wants most to know what was done before a step failed
        if as_json:
            typer.echo(report.json(target.settings.context))
        if metrics_file is not None:
            _write(report.metrics, metrics_file)
    if not as_json:
        show([report.line(time.monotonic() - began)])


def _write(metrics: InfraMetrics, path: Path) -> None:
    if path == STDOUT:
        typer.echo(metrics.text(), nl=False)
    else:
        metrics.write(path)


@asynccontextmanager
async def _history(target: Target, wait_s: float) -> AsyncIterator[History]:
    try:
        await work.wait_until_up(target, lambda why: typer.echo(why, err=True), wait_s)
        async with History(target.settings, target.connection) as history:
            yield history
    finally:
        if target.registry is not None:
            await target.registry.close()


def show(lines: Iterable[Line]) -> None:
    """In colours on a terminal, plain elsewhere and where NO_COLOR is set."""
    console = Console(highlight=False)
    for line in lines:
        console.print(Text(line.text, style=line.style), soft_wrap=True)
