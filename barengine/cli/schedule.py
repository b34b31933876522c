"""``barengine schedule``: when markets trade, as the engine reads it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer

from barengine.cli.loop import run_async
from barengine.errors import ConfigurationError
from barengine.kafka.client import ConnectionConfig
from barengine.model import NS_PER_S, Period
from barengine.schedule import Market, Schedule, Session
from barengine.service.logs import configure
from barengine.service.schedule_load import checked, read_schedule, read_schedule_file
from barengine.settings import ENV_PREFIX, LogFormat, LogLevel, load_settings

_SHOWN_DAYS: Final = 14
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HEADING: Final = (
    "trading date",
    "open",
    "close",
    "open UTC",
    "close UTC",
    "length",
    "breaks",
    "note",
)

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="When markets trade, as the engine reads it."
)


@dataclass(frozen=True, slots=True)
class Day:
    """A trading date with its session, or without one for a reason."""

    date: date
    zone: ZoneInfo
    session: Session | None
    note: str

    def as_json(self) -> dict[str, Any]:
        """The day for programs; times in ISO 8601."""
        found = self.session
        breaks = [] if found is None else [[self._local(t) for t in pair] for pair in found.breaks]
        return {
            "trading_date": self.date.isoformat(),
            "weekday": f"{self.date:%a}",
            "open": None if found is None else self._local(found.open_ns).isoformat(),
            "close": None if found is None else self._local(found.close_ns).isoformat(),
            "open_utc": None if found is None else _utc(found.open_ns).isoformat(),
            "close_utc": None if found is None else _utc(found.close_ns).isoformat(),
            "length_seconds": None if found is None else _seconds(found),
            "breaks": [{"from": a.isoformat(), "to": b.isoformat()} for a, b in breaks],
            "note": self.note,
        }

    def as_row(self) -> tuple[str, ...]:
        """The day for eyes: local times as a schedule's YAML has them."""
        found, day = self.session, f"{self.date} {self.date:%a}"
        if found is None:
            return (day, "-", "-", "-", "-", "-", "", self.note)
        breaks = (f"{self._clock(start)}-{self._clock(end)}" for start, end in found.breaks)
        return (
            day,
            self._clock(found.open_ns),
            self._clock(found.close_ns),
            f"{_utc(found.open_ns):%Y-%m-%d %H:%M:%S}",
            f"{_utc(found.close_ns):%Y-%m-%d %H:%M:%S}",
            _length(found),
            " ".join(breaks),
            self.note,
        )

    def _local(self, time_ns: int) -> datetime:
        return _utc(time_ns).astimezone(self.zone)

    def _clock(self, time_ns: int) -> str:
        local = self._local(time_ns)
        days = (local.date() - self.date).days
        clock = f"{local:%H:%M:%S}".removesuffix(":00")
        if days == 1 and clock == "00:00":
            return "24:00"
        return f"{days:+d}d {clock}" if days else clock


@app.command()
def show(
    market: Annotated[str, typer.Argument(metavar="MARKET", help="As the schedule names it.")],
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First trading date; today (UTC)."),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Last one; two weeks later."),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            "--schedule", "-s", help="In the place of SCHEDULE: a YAML file, topic: or exchange:."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="YAML file of settings; the environment beats it."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs: a list of objects.")
    ] = False,
) -> None:
    """Print the sessions of a market, and the holidays between them."""
    begin = datetime.now(UTC).date() if first is None else first.date()
    end = begin + timedelta(days=_SHOWN_DAYS - 1) if last is None else last.date()
    if end < begin:
        raise ConfigurationError(f"--to {end} is before --from {begin}; give them in order")
    found = _market(_schedule(config, schedule), market)
    days = list(days_of(found, begin, end))
    if as_json:
        typer.echo(json.dumps([day.as_json() for day in days], indent=2))
        return
    typer.echo(f"{found.name}, local times of {found.zone}")
    for line in _table([day.as_row() for day in days]):
        typer.echo(line)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML of a schedule.")],
    window: Annotated[
        str, typer.Option(envvar=ENV_PREFIX + "WINDOW", help="The WINDOW that it must fit.")
    ] = "1m",
) -> None:
    """Check a schedule's file: what it says, and that its sessions fit the window."""
    try:
        period = Period.parse(window)
    except ValueError as error:
        raise ConfigurationError(f"--window: {error}") from None
    schedule = checked(read_schedule_file(file), period)
    default = "none" if schedule.default is None else schedule.default
    typer.echo(f"{file} is right, for a window of {period}:")
    for name, market in schedule.markets.items():
        brokers = sorted(broker for broker, its in schedule.brokers.items() if its == name)
        typer.echo(f"  {name}, {market.zone}: {', '.join(brokers) or 'no broker by name'}")
    typer.echo(f"  market of every other broker: {default}")


def days_of(market: Market, first: date, last: date) -> Iterator[Day]:
    """Every date from first to last that has a session, or has none for a reason."""
    zone = ZoneInfo(market.zone)
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        session, note = market.session_on(day), market.calendar.note(day)
        if session is not None or note:
            yield Day(day, zone, session, note)


def _schedule(config: Path | None, text: str | None) -> Schedule:
    given = {} if text is None else {f"{ENV_PREFIX}SCHEDULE": text}
    settings = load_settings(config, {**os.environ, **given})
    if settings.schedule is None:
        raise ConfigurationError(f"{ENV_PREFIX}SCHEDULE is not set; set it, or give --schedule")
    configure(LogLevel.ERROR, LogFormat.CONSOLE)  # what fails is raised: it needs no log besides
    return run_async(read_schedule(settings, ConnectionConfig.of(settings)))


def _market(schedule: Schedule, name: str) -> Market:
    if name not in schedule.markets:
        there = ", ".join(schedule.markets) or "none"
        raise ConfigurationError(f"the schedule has no market {name!r}; there are: {there}")
    return schedule.markets[name]


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    lines = [_HEADING, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEADING))]
    for line in lines:
        yield "  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)).rstrip()


def _utc(time_ns: int) -> datetime:
    return _EPOCH + timedelta(seconds=time_ns // NS_PER_S)


def _length(session: Session) -> str:
    minutes, seconds = divmod(_seconds(session), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}" + (f":{seconds:02}" if seconds else "")


def _seconds(session: Session) -> int:
    return (session.close_ns - session.open_ns) // NS_PER_S
