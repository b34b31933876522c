"""Which brokers' feeds live, as a topic of heartbeats says: it tells quiet from down."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import structlog

from barengine.errors import ConfigurationError, KafkaUnavailableError
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.follow import Record, TopicFollower
from barengine.model import NEVER, NS_PER_MS
from barengine.service.wiring import wall_ns
from barengine.settings import Settings

log = structlog.get_logger(__name__)

_BACK_NS: Final = 3600 * 10**9
"""Heartbeats of so long before the start are read. Bars that are caught up from further back go
by their ticks."""

_STRETCHES: Final = 1000
"""Stretches of life that are remembered of a broker: one for each time that it was down."""

_STATUS: Final = ("up", "down")


@dataclass(slots=True)
class _Life:
    """Stretches in which one broker's heartbeats came, none further behind another than the
    time-out; each may end with a word that the feed is down. Times in ns, NEVER where unset."""

    begins: list[int] = field(default_factory=list)
    lasts: list[int] = field(default_factory=list)
    downs: list[int] = field(default_factory=list)
    newest_ns: int = NEVER

    def heard(self, time_ns: int, down: bool, timeout_ns: int) -> None:
        """Take a heartbeat; one from before the newest says nothing any more."""
        if time_ns < self.newest_ns:
            return
        self.newest_ns = time_ns
        goes_on = bool(self.begins) and self.downs[-1] == NEVER
        if down and self.begins:
            self.downs[-1] = time_ns if goes_on else self.downs[-1]
        elif down:
            self._begin(time_ns, NEVER, time_ns)
        elif goes_on and time_ns - self.lasts[-1] <= timeout_ns:
            self.lasts[-1] = time_ns
        else:
            self._begin(time_ns, time_ns, NEVER)

    def _begin(self, begin_ns: int, last_ns: int, down_ns: int) -> None:
        for times, time_ns in (
            (self.begins, begin_ns),
            (self.lasts, last_ns),
            (self.downs, down_ns),
        ):
            times.append(time_ns)
            del times[:-_STRETCHES]


class Heartbeats:
    """What is known of every broker's feed. It moves no clock and closes nothing.

    Args:
        timeout_ns: FEED_TIMEOUT.
    """

    def __init__(self, timeout_ns: int) -> None:
        self._timeout_ns = timeout_ns
        self._lives: dict[str, _Life] = {}

    def heard(self, broker: str, time_ns: int, *, down: bool) -> None:
        """Take one heartbeat."""
        self._lives.setdefault(broker, _Life()).heard(time_ns, down, self._timeout_ns)

    def __call__(self, broker: str, before_ns: int) -> tuple[int, int]:
        """The newest sign of life before a time, exact to the time-out, and since when the feed is
        said to be down by then; NEVER for none."""
        life = self._lives.get(broker)
        place = -1 if life is None else bisect_left(life.begins, before_ns) - 1
        if life is None or place < 0:
            return NEVER, NEVER
        down_ns = life.downs[place]
        return min(life.lasts[place], before_ns), down_ns if down_ns < before_ns else NEVER


def read_heartbeat(record: Record, newest_ns: int) -> tuple[str, int, bool]:
    """Broker, time in ns, and whether it is down.

    Raises:
        ValueError: it is none, or later than ``newest_ns``; says what is wrong, and what is right.
    """
    broker = (record.key or b"").decode("utf-8")
    if not broker:
        raise ValueError("the key is empty; write the broker's name")
    found = json.loads(record.value or b"")
    if not isinstance(found, dict) or found.get("status") not in _STATUS:
        raise ValueError('the value is no {"status": "up"} or {"status": "down"}; write one')
    time_ms = found.get("time")
    if time_ms is None:
        time_ms = record.time_ms
    if type(time_ms) is not int or not 0 <= time_ms * NS_PER_MS <= newest_ns:
        raise ValueError(
            f"`time` is {str(time_ms)[:40]}; write ms since 1970, not ahead of the clock, or none"
        )
    return broker, time_ms * NS_PER_MS, found["status"] == "down"


class HeartbeatSource:
    """The topic, read and followed into :class:`Heartbeats`.

    Args:
        refused: told how many more could not be read.
    """

    def __init__(
        self,
        settings: Settings,
        connection: ConnectionConfig,
        topic: str,
        refused: Callable[[int], None] | None = None,
    ) -> None:
        self.heartbeats: Final = Heartbeats(settings.feed_timeout_ns)
        self._follower = TopicFollower(connection, topic)
        self._max_future_ns = settings.max_future_ns
        self._refused = refused

    async def start(self) -> None:
        """Read those of the last hour.

        Raises:
            ConfigurationError: there is no such topic, or it may not be read.
            KafkaUnavailableError: it could not be read.
        """
        since_ms = (wall_ns() - _BACK_NS) // NS_PER_MS
        self._take(await self._follower.start(since_ms=since_ms))

    async def poll(self) -> None:
        """Take what has come. Nothing that goes wrong ends anything: a cause is all that hangs on
        it."""
        try:
            self._take(await self._follower.poll())
        except (KafkaUnavailableError, ConfigurationError) as error:
            log.warning("heartbeats_not_read", error=str(error))

    async def close(self) -> None:
        """Stop reading."""
        await self._follower.stop()

    def _take(self, records: Iterable[Record]) -> None:
        newest_ns = wall_ns() + self._max_future_ns
        refused = 0
        for record in records:
            if record.value is None:
                continue  # a tombstone says nothing
            try:
                broker, time_ns, down = read_heartbeat(record, newest_ns)
            except (ValueError, RecursionError) as error:  # of UTF-8 and of JSON, too
                refused += 1
                if refused == 1:  # a producer that is wrong is wrong every second
                    place = f"partition {record.partition}, offset {record.offset}"
                    place = f"topic {self._follower.topic}, {place}"
                    log.warning("heartbeat_refused", place=place, problem=str(error))
                continue
            self.heartbeats.heard(broker, time_ns, down=down)
        if refused and self._refused is not None:
            self._refused(refused)
