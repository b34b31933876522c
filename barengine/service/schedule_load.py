"""Reading a market schedule from wherever the settings say it is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from barengine.errors import ConfigurationError
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.follow import TopicFollower
from barengine.model import NS_PER_S, Period
from barengine.schedule import (
    Market,
    Schedule,
    check_alignment,
    exchange_schedule,
    parse_schedule,
)
from barengine.service.schedule_topic import ScheduleBook
from barengine.settings import ScheduleFrom, ScheduleKind, Settings

_CHECKED: Final = (1990, 2050)
"""Years whose sessions must fit the window: those that ticks are likely from. A tenth of a second
a market."""


async def read_schedule(settings: Settings, connection: ConnectionConfig) -> Schedule:
    """The schedule that the settings name, as it is now and with any window; empty for none.

    What a topic holds beside it that cannot work is passed over, as the engine does.

    Raises:
        ConfigurationError: it cannot be read.
        KafkaUnavailableError: the topic could not be read.
    """
    wanted, topic = settings.schedule, settings.schedule_topic
    if wanted is None:
        return Schedule()
    if topic is not None:
        follower = TopicFollower(connection, topic)
        try:
            book = ScheduleBook(topic)
            book.begin(await follower.start())
            return book.schedule
        finally:
            await follower.stop()
    if wanted.kind is ScheduleKind.FILE:
        return read_schedule_file(Path(wanted.name))
    return of_exchanges(wanted)


def read_schedule_file(path: Path) -> Schedule:
    """Read one YAML file.

    Raises:
        ConfigurationError: with every problem there is.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(
            f"the schedule {path} cannot be read ({why}); name a YAML file"
        ) from None
    return parse_schedule(text, str(path))


def checked(schedule: Schedule, period: Period) -> Schedule:
    """The schedule, if the sessions of the years that matter begin and end where buckets do.

    Raises:
        ConfigurationError: with the first that does not, of each market.
    """
    first, last = (int(datetime(y, 1, 1, tzinfo=UTC).timestamp()) * NS_PER_S for y in _CHECKED)
    check_alignment(schedule, period.length_ns, first, last)
    return schedule


def check_market(market: Market, period: Period) -> None:
    """The same of one market.

    Raises:
        ConfigurationError: with the first that does not.
    """
    checked(Schedule({market.name: market}), period)


def of_exchanges(wanted: ScheduleFrom) -> Schedule:
    """The schedule of ``exchange:``.

    Raises:
        ConfigurationError: as :func:`barengine.schedule.exchange_schedule`.
    """
    return exchange_schedule(wanted.name or None, dict(wanted.brokers))
