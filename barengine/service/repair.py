"""The state of stopped engines: look at it, and replace it, one transaction a partition."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from barengine.engine.partition import LogRange
from barengine.engine.repair import Plan, Records, newest_seq, plan_adopt, plan_begin, plan_reset
from barengine.engine.state import StateImage
from barengine.errors import (
    ConfigurationError,
    StateError,
    TaskMovedError,
    UnreadableStateError,
)
from barengine.kafka.admin import group_members
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.group_admin import GroupAdmin
from barengine.kafka.output import OutRecord, build_records
from barengine.kafka.sink import OutBatch, TransactionalSink
from barengine.kafka.state_reader import read_state
from barengine.model import NS_PER_MS
from barengine.naming import transactional_id
from barengine.service.group_offset import GroupOffset, parse, tag
from barengine.service.parts import parts
from barengine.service.topics import Topics, prepare
from barengine.service.wiring import fingerprint, wall_ns
from barengine.settings import Settings

_BATCH_BYTES = 256 * 1024

Place = str | int | datetime
"""``earliest``, ``latest``, an offset, or a time."""


@dataclass(frozen=True, slots=True)
class Situation:
    """One partition as it is."""

    partition: int
    records: Records
    log: LogRange
    stable_end: int
    group: GroupOffset | None

    @property
    def seq(self) -> int:
        """The largest that any commit is known to have had."""
        tagged = 0 if self.group is None else self.group.seq or 0
        return max(newest_seq(self.records), tagged)

    @property
    def began(self) -> bool:
        """Whether an engine of this group has committed this partition before."""
        tagged = self.group is not None and not self.group.foreign
        return tagged or any(value is not None for _, value in self.records)


Planner = Callable[[Situation], Plan | None]


class Workshop:
    """Access to the state while no engine of the group runs. Made by :meth:`opened`."""

    def __init__(
        self,
        settings: Settings,
        connection: ConnectionConfig,
        topics: Topics,
        group: GroupAdmin,
        schema: str | None,
    ) -> None:
        self.partitions = topics.partitions
        self._settings = settings
        self._connection = connection
        self._topics = topics
        self._group = group
        self._fingerprint = fingerprint(settings, topics.partitions, schema)

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: Settings) -> AsyncIterator[Workshop]:
        """Check the topics as the engine does, and that no member is in the group.

        Raises:
            ConfigurationError: a topic is missing or does not fit; not allowed; a file that the
                settings name cannot be used.
            StateError: an engine runs.
            KafkaUnavailableError: no answer.
        """
        connection, _, schemas = parts(settings)
        topics = await prepare(settings, connection)
        await _insist_on_no_members(settings, connection)
        async with GroupAdmin.connected(
            connection, settings.group, settings.input_topic, topics.partitions
        ) as group:
            yield cls(settings, connection, topics, group, schemas.digest)

    async def look(self, partition: int) -> Situation:
        """Read one partition's state, log and group offset."""
        start, stable, high = await self._group.ends(partition)
        return Situation(
            partition,
            await read_state(self._connection, self._settings.state_topic, partition),
            LogRange(start, high),
            stable,
            parse(await self._group.committed(partition)),
        )

    async def resolve(self, place: Place, situation: Situation) -> int:
        """The offset of a place in one partition.

        Raises:
            ConfigurationError: the log does not have that offset.
        """
        log = situation.log
        if isinstance(place, datetime):
            time_ms = int(place.timestamp() * 1000)
            found = await self._group.offset_at(situation.partition, time_ms)
            return situation.stable_end if found is None else found
        if isinstance(place, str):
            return log.start if place == "earliest" else situation.stable_end
        if not log.start <= place <= log.end:
            raise ConfigurationError(
                f"--to {place}: partition {situation.partition} has the offsets {log.start} to "
                f"{log.end}"
            )
        return place

    def resetting(self, offset: int) -> Planner:
        """Plans a reset to that offset."""

        def plan(now: Situation) -> Plan:
            return plan_reset(now.records, offset, now.seq, self._fingerprint, whole=offset == 0)

        return plan

    def adopting(self, anew_at: int, *, others_began: bool) -> Planner:
        """Plans an adoption.

        Args:
            anew_at: where to begin in a log that ends before C.
            others_began: other partitions have a state, so this one without is new.
        """

        def plan(now: Situation) -> Plan | None:
            try:
                image = StateImage.read(now.records)
            except UnreadableStateError as error:
                raise UnreadableStateError(
                    f"partition {now.partition}: {error}; nothing of it can be adopted: run "
                    f"`barengine state reset --partition {now.partition}`"
                ) from error
            if image.partition is not None:
                return plan_adopt(image, now.log, self._fingerprint, now.group, anew_at)
            if now.group is None and not others_began:
                return None
            offset = now.log.start if now.group is None else now.group.offset
            inside = min(max(offset, now.log.start), now.log.end)
            return plan_begin(inside, now.seq, self._fingerprint)

        return plan

    async def carry_out(self, partition: int, plan: Plan, planner: Planner) -> None:
        """Fence, insist that the plan is still the right one, write it, set the group's offset.

        Raises:
            StateError: an engine runs, or something has changed since the plan was made.
        """
        await _insist_on_no_members(self._settings, self._connection)
        sink = self._sink(partition)
        try:
            await sink.fence()
            if not _same(planner(await self.look(partition)), plan):
                raise StateError(f"partition {partition} has changed meanwhile: run it again")
            await sink.commit(self._batches(partition, plan))
        except TaskMovedError as error:
            raise StateError(
                f"partition {partition}: an engine has taken it over meanwhile: stop it, run again"
            ) from error
        finally:
            await sink.discard()
        await self._group.commit({partition: (plan.commit_offset, tag(plan.seq))})

    def _sink(self, partition: int) -> TransactionalSink:
        settings = self._settings
        name = transactional_id(
            settings.context, settings.group_id, settings.input_topic_bare, partition
        )
        return TransactionalSink(self._connection, name, settings.compression)

    def _batches(self, partition: int, plan: Plan) -> list[OutBatch]:
        topic, wall_ms = self._settings.state_topic, wall_ns() // NS_PER_MS
        records = [OutRecord(key, value, (), wall_ms) for key, value in plan.records]
        return [OutBatch(topic, partition, one) for one in build_records(records, _BATCH_BYTES)]


def _same(now: Plan | None, then: Plan) -> bool:
    """Whether the same is written; in words a plan may differ, because the log grows."""
    return now is not None and (now.commit_offset, now.seq, now.records) == (
        then.commit_offset,
        then.seq,
        then.records,
    )


async def _insist_on_no_members(settings: Settings, connection: ConnectionConfig) -> None:
    members = await group_members(connection, settings.group)
    if members:
        raise StateError(
            f"the group {settings.group} has members: {', '.join(members)}. Stop every engine of "
            "this group first; one with GROUP_INSTANCE_ID, or killed, counts until its session "
            "time-out has passed"
        )
