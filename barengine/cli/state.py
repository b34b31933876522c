"""``barengine state``: what the engine has stored beside the input log."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from barengine.cli.loop import run_async
from barengine.cli.state_repair import adopt, reset
from barengine.codec.page import decode_page_value
from barengine.demo.readback import log_ends
from barengine.engine.state import StateImage
from barengine.errors import ConfigurationError, UnreadableStateError
from barengine.kafka.admin import describe
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.state_reader import read_state
from barengine.kernel import BookStart
from barengine.model import NEVER, NS_PER_MS
from barengine.service.logs import configure
from barengine.settings import LogFormat, LogLevel, Settings, load_settings

_AT_ONCE: Final = 8
"""Partitions read side by side: each has a connection of its own."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look at what the engine has stored beside the input log, and mend it.",
)
app.command("reset")(reset)
app.command("adopt")(adopt)


@dataclass(frozen=True, slots=True)
class BrokerView:
    """Clocks of one broker, ISO 8601 in UTC; None: never set."""

    broker: str
    market_clock: str | None
    closed_through: str | None
    last_arrival: str | None


@dataclass(frozen=True, slots=True)
class PartitionView:
    """One partition as its state tells, beside its log. Offsets are of the input topic."""

    partition: int
    commit_offset: int | None
    """C; None: nothing is committed yet."""
    low_water: int | None
    """L."""
    seq: int | None
    began_whole: bool | None
    log_start: int
    log_end: int
    brokers: list[BrokerView]
    series_records: int
    books: dict[str, dict[str, str | None]]
    """By broker, since when it has whole roll-ups (by period) and bars that can be corrected
    (``corrections``); None: from the broker's first bar on."""
    pages: int
    """Series whose roll-ups, last prices and correctable bars are remembered."""
    open_rollups: int
    kept_bars: int
    """Bars that late ticks can still correct."""
    rejected_ranges: list[tuple[int, int]]
    """Half-open."""
    stored_windows: int
    """Windows that are stored in full, as they were when [L, C) had become too long."""
    fingerprint: dict[str, str]

    @property
    def replay(self) -> int | None:
        """C - L: records that a restart reads again."""
        if self.commit_offset is None or self.low_water is None:
            return None
        return self.commit_offset - self.low_water

    @property
    def lag(self) -> int:
        """Records that are not processed yet."""
        return self.log_end - (self.log_start if self.commit_offset is None else self.commit_offset)

    def as_json(self) -> dict[str, Any]:
        """Every field, and what is derived from them."""
        return asdict(self) | {"replay": self.replay, "lag": self.lag}


@app.command()
def show(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="YAML file of settings; the environment beats it."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs: a list of objects.")
    ] = False,
    partition: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="This partition alone.")
    ] = None,
) -> None:
    """Show what is committed: where a restart begins, and what it knows of every broker."""
    settings = load_settings(config, os.environ)
    configure(LogLevel.ERROR, LogFormat.CONSOLE)  # what fails is raised: it needs no log besides
    views = run_async(read_views(settings, partition))
    if as_json:
        typer.echo(json.dumps([view.as_json() for view in views], indent=2))
        return
    typer.echo(f"{settings.state_topic}, written beside {settings.input_topic}")
    for view in views:
        for line in text_of(view):
            typer.echo(line)
    for line in fingerprint_text(views):
        typer.echo(line)


async def read_views(settings: Settings, partition: int | None) -> list[PartitionView]:
    """Read the state topic, read committed, and the ends of the input topic.

    Raises:
        ConfigurationError: there is no such topic or partition.
        StateError: a record cannot be read.
        KafkaUnavailableError: no broker answers.
    """
    connection = ConnectionConfig.of(settings)
    topics = await describe(connection, [settings.state_topic, settings.input_topic])
    _check_topics(settings, topics.keys())
    ends = await log_ends(connection, settings.input_topic)
    count = min(topics[settings.state_topic].partitions, len(ends))
    if partition is not None and partition >= count:
        raise ConfigurationError(f"--partition is {partition}: there are 0 to {count - 1}")
    wanted = range(count) if partition is None else [partition]
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> PartitionView:
        async with room:
            records = await read_state(connection, settings.state_topic, number)
        return view_of(number, StateImage.read(records), *ends[number])

    return await asyncio.gather(*map(one, wanted))


def _check_topics(settings: Settings, found: Collection[str]) -> None:
    keys = "GROUP_ID, INPUT_TOPIC and CONTEXT"
    if settings.state_topic not in found:
        raise ConfigurationError(
            f"there is no topic {settings.state_topic} at {settings.bootstrap_servers}: no engine "
            f"with these {keys} has run there; set them as the engine has them"
        )
    if settings.input_topic not in found:
        raise ConfigurationError(
            f"there is no topic {settings.input_topic} at {settings.bootstrap_servers}, though "
            f"{settings.state_topic} is there: it was deleted"
        )


def view_of(partition: int, image: StateImage, log_start: int, log_end: int) -> PartitionView:
    """What a state image says, in words."""
    stored = image.partition
    return PartitionView(
        partition,
        stored.commit_offset if stored else None,
        stored.low_water if stored else None,
        stored.seq if stored else None,
        stored.began_whole if stored else None,
        log_start,
        log_end,
        [
            BrokerView(
                broker.broker,
                _iso(broker.clock_ns),
                _iso(broker.closed_through_ns),
                _iso(broker.arrival_wall_ns),
            )
            for _, broker in sorted(image.brokers.items())
        ],
        len(image.series),
        {name: _book_view(start) for name, start in sorted(image.books.items())},
        len(image.pages),
        *_count_bars(image),
        [pair for _, ranges in sorted(image.rejected.items()) for pair in ranges],
        sum(block.count for block in image.windows.values()),
        json.loads(stored.fingerprint) if stored else {},
    )


def _book_view(start: BookStart) -> dict[str, str | None]:
    since = {period: _iso(time_ns) for period, time_ns in start.begins.items()}
    if start.horizon_ns >= 0:
        since["corrections"] = _iso(start.since_ns)
    return since


def _count_bars(image: StateImage) -> tuple[int, int]:
    """Open roll-ups, and kept bars.

    Raises:
        UnreadableStateError: a page is damaged.
    """
    opened = 0
    for names, value in image.pages.items():
        try:
            *_, its_open = decode_page_value(*names, value)
        except ValueError as error:
            raise UnreadableStateError(f"the page of {' '.join(names)}: {error}") from error
        opened += len(its_open)
    return opened, len(image.kept)


def text_of(view: PartitionView) -> Iterator[str]:
    """The same for eyes."""
    yield ""
    log = f"log {view.log_start:,} to {view.log_end:,}, lag {view.lag:,}"
    if view.commit_offset is None or view.low_water is None:
        yield f"partition {view.partition}: nothing is committed; {log}"
        return
    yield (
        f"partition {view.partition}: commit {view.seq:,}, "
        f"processed up to C {view.commit_offset:,}; {log}"
    )
    yield f"  a restart reads {view.replay:,} records again, from L {view.low_water:,}"
    if view.low_water < view.log_start:
        yield f"  L is no longer in the log, which begins at {view.log_start:,}: it cannot go on"
        yield "  (see barengine state adopt)"
    if view.commit_offset > view.log_end:
        yield f"  C is beyond the log, which ends at {view.log_end:,}: it cannot go on"
        yield "  (see barengine state adopt)"
    yield from _broker_lines(view.brokers)
    rejected = sum(end - start for start, end in view.rejected_ranges)
    yield (
        f"  {view.series_records:,} series records; {len(view.rejected_ranges):,} rejected ranges "
        f"of {rejected:,} offsets; began {'at' if view.began_whole else 'behind'} the log's start"
    )
    if view.pages:
        yield (
            f"  {view.pages:,} pages of series: {view.open_rollups:,} open roll-ups, "
            f"{view.kept_bars:,} bars that late ticks can correct"
        )
        yield from _book_lines(view.books)
    if view.stored_windows:
        yield f"  {view.stored_windows:,} windows are stored in full (RESTORE_MAX)"


def _broker_lines(brokers: Sequence[BrokerView]) -> Iterator[str]:
    heading = BrokerView("broker", "market clock", "closed through", "last arrival")
    rows = [heading, *brokers]
    width = max(len(row.broker) for row in rows)
    for row in rows if brokers else ():
        yield (
            f"  {row.broker:<{width}} {row.market_clock or '-':<24} "
            f"{row.closed_through or '-':<20} {row.last_arrival or '-'}"
        )


def _book_lines(books: Mapping[str, Mapping[str, str | None]]) -> Iterator[str]:
    for broker, since in books.items():
        late = [f"{what} since {when}" for what, when in since.items() if when is not None]
        if late:
            yield f"  {broker}: {', '.join(late)}; older ones are not whole"


def fingerprint_text(views: Sequence[PartitionView]) -> Iterator[str]:
    """The settings that may not change, once for all partitions that have the same."""
    partitions: dict[str, list[str]] = {}
    for view in views:
        if view.fingerprint:
            text = "\n".join(f"  {name}: {value}" for name, value in view.fingerprint.items())
            partitions.setdefault(text, []).append(str(view.partition))
    for text, numbers in partitions.items():
        yield ""
        yield f"fingerprint of partition {', '.join(numbers)}:"
        yield text


def _iso(time_ns: int) -> str | None:
    """ISO 8601 in UTC, cut to the millisecond; None for a clock that was never set."""
    if time_ns == NEVER:
        return None
    moment = _EPOCH + timedelta(milliseconds=time_ns // NS_PER_MS)
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=precision).removesuffix("+00:00") + "Z"
