"""The market schedule of a running engine: read at start, replaced when a new one is good."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog

from barengine.errors import ConfigurationError
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.follow import TopicFollower
from barengine.model import Period
from barengine.schedule import Schedule
from barengine.service.metrics import Metrics
from barengine.service.schedule_load import (
    check_market,
    checked,
    of_exchanges,
    read_schedule_file,
)
from barengine.service.schedule_topic import Refusal, ScheduleBook
from barengine.settings import ScheduleKind, Settings

log = structlog.get_logger(__name__)


class ScheduleSource(Protocol):
    """Where the schedule comes from. Made by :func:`open_schedule`."""

    @property
    def current(self) -> Schedule:
        """The one in force."""

    async def poll(self) -> bool:
        """Look for another one; a bad one is refused with a log line, and the old one stays.

        Returns:
            Whether ``current`` is another one now.

        Raises:
            ConfigurationError: a topic may not be read any more.
            KafkaUnavailableError: no answer; the next poll may have one.
        """

    async def close(self) -> None:
        """Let go of connections."""


async def open_schedule(
    settings: Settings, connection: ConnectionConfig, metrics: Metrics | None = None
) -> ScheduleSource | None:
    """Read the schedule that the settings name; None where they name none.

    Args:
        settings: of the run; every session must fit their window.
        connection: for a topic.
        metrics: that count new versions.

    Raises:
        ConfigurationError: it cannot be read, or cannot work.
        KafkaUnavailableError: the topic could not be read.
    """
    wanted, topic = settings.schedule, settings.schedule_topic
    if wanted is None:
        return None
    if topic is not None:
        source = TopicSource(TopicFollower(connection, topic), settings.period, metrics)
        try:
            await source.start()
        except BaseException:
            await source.close()
            raise
        return source
    if wanted.kind is ScheduleKind.FILE:
        return await asyncio.to_thread(FileSource, Path(wanted.name), settings.period, metrics)
    return FixedSource(await asyncio.to_thread(checked, of_exchanges(wanted), settings.period))


class FixedSource:
    """A schedule that stays as it is, such as a library's: it changes with the installation."""

    def __init__(self, schedule: Schedule) -> None:
        self.current = schedule

    async def poll(self) -> bool:
        """Never another one."""
        return False

    async def close(self) -> None:
        """Nothing to let go of."""


class FileSource:
    """A YAML file that is read again when it is another file, or written since.

    Args:
        path: of the file.
        period: the window that sessions must fit.
        metrics: that count new versions.

    Raises:
        ConfigurationError: it cannot be read, or cannot work.
    """

    def __init__(self, path: Path, period: Period, metrics: Metrics | None = None) -> None:
        self._path = path
        self._period = period
        self._metrics = metrics
        self._seen = _stamp(path)
        self.current = self._read()

    async def poll(self) -> bool:
        """Read the file if it has changed."""
        stamp = _stamp(self._path)
        if stamp == self._seen:
            return False
        self._seen = stamp  # before reading: what is written meanwhile is found at the next poll
        try:
            new = await asyncio.to_thread(self._read)
        except ConfigurationError as error:
            _refused(self._metrics, str(self._path), error)
            return False
        if new == self.current:
            return False
        self.current = new
        _applied(self._metrics, str(self._path), new)
        return True

    async def close(self) -> None:
        """Nothing to let go of."""

    def _read(self) -> Schedule:
        return checked(read_schedule_file(self._path), self._period)


class TopicSource:
    """A topic with a document for each market; :class:`ScheduleBook` says what is in force.

    Args:
        follower: of the topic.
        period: the window that sessions must fit.
        metrics: that count new versions.
    """

    def __init__(
        self, follower: TopicFollower, period: Period, metrics: Metrics | None = None
    ) -> None:
        self._follower = follower
        self._metrics = metrics
        self._book = ScheduleBook(follower.topic, partial(check_market, period=period))

    @property
    def current(self) -> Schedule:
        """The one in force."""
        return self._book.schedule

    async def start(self) -> None:
        """Read the topic to its end.

        Raises:
            ConfigurationError: the topic does not fit, or of something it holds only what cannot
                work.
            KafkaUnavailableError: it could not be read.
        """
        records = await self._follower.start()
        self._refuse(await asyncio.to_thread(self._book.begin, records))

    async def poll(self) -> bool:
        """Take what has come, all of it at once."""
        records = await self._follower.poll()
        if not records:
            return False
        before = self.current
        self._refuse(await asyncio.to_thread(self._book.take, records))
        if self.current == before:
            return False
        _applied(self._metrics, self._follower.topic, self.current)
        return True

    async def close(self) -> None:
        """Stop reading."""
        await self._follower.stop()

    def _refuse(self, refusals: Iterable[Refusal]) -> None:
        for one in refusals:
            _refused(self._metrics, one.place, one.error)


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _applied(metrics: Metrics | None, source: str, schedule: Schedule) -> None:
    if metrics is not None:
        metrics.schedule_reloaded(applied=True)
    log.info("schedule_applied", source=source, fingerprint=schedule.fingerprint[:12])


def _refused(metrics: Metrics | None, source: str, error: ConfigurationError) -> None:
    if metrics is not None:
        metrics.schedule_reloaded(applied=False)
    log.error("schedule_refused", source=source, problems=list(error.problems))
