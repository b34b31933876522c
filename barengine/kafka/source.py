"""The input topic as a member of a consumer group: fetches in, positions and silence out."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.structs import TopicPartition

from barengine.errors import (
    BarengineError,
    BrokenClientError,
    KafkaUnavailableError,
    OffsetOutOfRangeError,
    TaskMovedError,
)
from barengine.kafka import offsets as ends
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.closing import stop_consumer
from barengine.kafka.fetch import GRACE_NS, FetchHook
from barengine.kafka.group import (
    Listener,
    commit_offsets,
    committed_offset,
    count_heartbeats,
    keep_member_id,
)
from barengine.kafka.patience import ANSWER_MS, answer_in_time
from barengine.kafka.raw import Fetch, end_of_log
from barengine.kafka.silence import PartitionWatch
from barengine.kafka.translate import translate
from barengine.model import NS_PER_MS

_NOWHERE: Final = 0
"""Position of a partition between its assignment and its first seek; it is paused as long, but
one without a position would be looked up in the group's offsets."""

_JOIN_SLACK_MS: Final = 10_000
"""A join is answered when all members are there, at most a rebalance timeout later."""

_BEATS: Final = 6
"""Heartbeats in a session. A member learns of a rebalance by its next one, whatever the reason for
it: with the usual three that alone takes 2 s of a session time-out of 6 s."""

_POLL_SLACK_S: Final = 0.1
"""aiokafka's own timeout comes first: cut off from outside, it leaves a future behind."""


class Source:
    """One member of the group, consuming one topic.

    Every partition is paused when it is assigned: ``seek`` and then ``resume`` it. Rebalances are
    eager: all partitions are revoked, and those that stay are assigned again.

    Args:
        on_assigned: called with the partitions of each new assignment. aiokafka sends no
            heartbeat meanwhile, so it must only take note and return.
        on_revoked: awaited with the partitions before each rebalance (not by ``stop``); the
            group waits for it, at most ``rebalance_timeout_ms``.
        max_partition_fetch_bytes: most bytes of one :class:`Fetch`, unless a batch is larger.
        fetch_max_bytes: most bytes of one answer for all partitions. It is taken in at a stretch,
            some milliseconds for each MiB: what that leaves out comes with the next answer.
    """

    def __init__(
        self,
        connection: ConnectionConfig,
        topic: str,
        group_id: str,
        *,
        on_assigned: Callable[[set[int]], None],
        on_revoked: Callable[[set[int]], Awaitable[None]],
        group_instance_id: str | None = None,
        session_timeout_ms: int = 6_000,
        rebalance_timeout_ms: int = 30_000,
        max_partition_fetch_bytes: int = 1024 * 1024,
        fetch_max_bytes: int = 8 * 1024 * 1024,
        fetch_max_wait_ms: int = 500,
    ) -> None:
        self.topic = topic
        self.heartbeats = 0
        """Heartbeats that the group has answered without asking us to join again."""
        self.heard_ns: int | None = None
        """Wall time up to which this member was in touch with the cluster, as answered heartbeats
        tell, and fetches between them; None: before the first heartbeat."""
        self.generation = 0
        """How many assignments there have been."""
        self._connection = connection
        self._on_assigned = on_assigned
        self._listener = Listener(on_revoked, self._assigned)
        # aiokafka keeps a member's last assignment on the assignor's class: one class each.
        self._assignor: Any = type("Sticky", (StickyPartitionAssignor,), {})
        self._options: dict[str, Any] = {
            "group_id": group_id,
            "group_instance_id": group_instance_id,
            "session_timeout_ms": session_timeout_ms,
            "heartbeat_interval_ms": session_timeout_ms // _BEATS,
            "rebalance_timeout_ms": rebalance_timeout_ms,
            "request_timeout_ms": ANSWER_MS,
            "max_partition_fetch_bytes": max_partition_fetch_bytes,
            "fetch_max_bytes": fetch_max_bytes,
            "fetch_max_wait_ms": fetch_max_wait_ms,
            # It moves the fewest partitions, and each one moved is a recovery.
            "partition_assignment_strategy": (self._assignor,),
            "isolation_level": "read_committed",
            "auto_offset_reset": "none",
            "enable_auto_commit": False,
        }
        self._gap_ns = fetch_max_wait_ms * NS_PER_MS + GRACE_NS
        self._join_s = (rebalance_timeout_ms + _JOIN_SLACK_MS) / 1000
        self._consumer: Any = None
        self._hook: FetchHook | None = None
        self._placed: set[int] = set()

    def __repr__(self) -> str:
        return f"<Source {self.topic} generation={self.generation} assigned={self.assigned}>"

    # -- life ------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect and begin to join the group; the assignment comes by ``on_assigned``.

        Raises:
            KafkaUnavailableError, ConfigurationError: no connection.
            RuntimeError: an aiokafka that the fetch hook does not know.
        """
        self._consumer = AIOKafkaConsumer(**self._connection.kwargs(), **self._options)
        try:
            await self._consumer.start()
            answer_in_time(self._consumer._client, self._join_s)
            self._hook = FetchHook(self._consumer, on_answer=self._fetched)
        except BaseException as error:
            await self.stop()
            if isinstance(error, kafka.KafkaError):
                raise translate(error, f"connecting to read {self.topic}") from error
            raise
        count_heartbeats(self._consumer._coordinator, self._member)
        if self._options["group_instance_id"] is not None:
            keep_member_id(self._consumer._coordinator, self._options["group_instance_id"])
        self._consumer.subscribe([self.topic], listener=self._listener)

    async def stop(self) -> None:
        """Leave the group (a static member just goes) and close. Revokes nothing. Idempotent."""
        if self._consumer is not None:
            await stop_consumer(self._consumer)
            self._consumer = None

    def _heartbeat(self) -> None:
        self.heartbeats += 1

    def _member(self, asked_ns: int) -> None:
        """Of the group, when it was asked."""
        self.heard_ns = asked_ns
        self._heartbeat()

    def _fetched(self) -> None:
        """Behind a gap only a heartbeat counts again: after an outage the log may answer before
        the group has said that the session is over."""
        now_ns = time.time_ns()
        if self.heard_ns is not None and now_ns - self.heard_ns <= self._gap_ns:
            self.heard_ns = now_ns

    def _assigned(self, partitions: set[int]) -> None:
        """aiokafka fetches already while this runs, so it places the partitions first."""
        self.generation += 1
        self._placed.clear()
        self._assignor.on_generation_assignment(self._consumer._coordinator.generation)
        for partition in partitions:
            self._consumer.pause(self._tp(partition))
            self._consumer.seek(self._tp(partition), _NOWHERE)
            self._watch(partition).restart()
        self._on_assigned(partitions)

    # -- fetches ---------------------------------------------------------------------------

    async def poll(self, timeout_s: float) -> list[Fetch]:
        """What has arrived for partitions not paused; waits for something at most so long.

        Raises:
            OffsetOutOfRangeError: the log does not hold a partition's position (it is paused).
            ConfigurationError: not allowed to read the topic or to be in the group.
            KafkaUnavailableError: anything else that the brokers say.
            BrokenClientError: a background task of the client has ended; polling again is no use.
            Exception: what ``on_assigned`` or ``on_revoked`` has raised.
        """
        self._raise_failures()
        try:
            async with asyncio.timeout(timeout_s + _POLL_SLACK_S):
                fetched = await self._consumer.getmany(timeout_ms=int(timeout_s * 1000))
        except TimeoutError:  # a rebalance: getmany waits for its end however long
            return []
        except (kafka.KafkaError, kafka.ConsumerStoppedError) as error:
            self._raise_failures()
            problem = self._problem(error)
            if problem is None:
                return []
            raise problem from error
        return [fetch for fetches in fetched.values() for fetch in fetches]

    def _raise_failures(self) -> None:
        error = self._listener.take_error()
        if error is not None:
            raise error
        if self._consumer is None:
            raise RuntimeError(f"the source of {self.topic} is not started")
        coordinator = self._consumer._coordinator
        _insist_on(self._consumer._fetcher.error_future, f"reading {self.topic}")
        _insist_on(coordinator._coordination_task, f"reading {self.topic}")
        # before it joins again aiokafka ends the heartbeats itself
        beats = coordinator._heartbeat_task
        if beats is not None and not coordinator._rejoin_needed_fut.done():
            _insist_on(beats, "heartbeats to the group")
        # without it everything that asks for new metadata waits for ever
        _insist_on(self._consumer._client._sync_task, "the brokers' metadata")

    def _problem(self, error: Exception) -> BarengineError | None:
        """None: of a position that a seek or a new assignment has replaced since."""
        if isinstance(error, kafka.NoOffsetForPartitionError):
            return None
        if not isinstance(error, kafka.OffsetOutOfRangeError):
            return translate(error, f"reading {self.topic}")
        [(tp, offset)] = error.args[0].items()
        state = self._state(tp.partition)
        if state is None or state.paused or state.position != offset:
            return None
        self.pause(tp.partition)
        return OffsetOutOfRangeError(
            f"{tp.topic}-{tp.partition} has no offset {offset}: it lies outside of the log "
            "(retention has passed it, or the topic was cut or made anew); stop every engine of "
            f"this group and run `barengine state adopt --partition {tp.partition}`",
            tp.partition,
            offset,
        )

    async def ask_ahead(self) -> None:
        """Let the next answer be on its way; to be awaited before keeping the event loop busy."""
        if self._hook is not None:
            await self._hook.ask_ahead()

    def is_current(self, fetch: Fetch) -> bool:
        """Whether no seek and no assignment of its partition came after this fetch."""
        return self._watch(fetch.partition).epoch == fetch.epoch

    # -- positions -------------------------------------------------------------------------

    @property
    def assigned(self) -> set[int]:
        """The partitions assigned now."""
        if self._consumer is None:
            return set()
        return {tp.partition for tp in self._consumer.assignment()}

    def seek(self, partition: int, offset: int) -> None:
        """Go on at ``offset``; fetches from before are dropped, silence counts from zero.

        Raises:
            TaskMovedError: the partition is not assigned any more.
        """
        self._require(partition)
        self._consumer.seek(self._tp(partition), offset)
        self._watch(partition).restart()
        self._placed.add(partition)

    def pause(self, partition: int) -> None:
        """Fetch no more of it; does nothing where it is not assigned or paused already."""
        state = self._state(partition)
        if state is not None and not state.paused:
            self._consumer.pause(self._tp(partition))
            self._watch(partition).broken()

    def resume(self, partition: int) -> None:
        """Fetch it (again); does nothing where it is not paused.

        Raises:
            TaskMovedError: the partition is not assigned any more.
            RuntimeError: it was not placed by ``seek`` since it was assigned.
        """
        self._require(partition)
        if partition not in self._placed:
            raise RuntimeError(f"seek {self.topic}-{partition} before resuming it")
        if self._state(partition).paused:
            self._watch(partition).broken()
            self._consumer.resume(self._tp(partition))

    def observed_ns(self, partition: int) -> int:
        """Silence observed since the last seek, up to the newest answer handed out."""
        return self._watch(partition).observed_ns

    def at_end(self, partition: int) -> bool:
        """Whether the newest answer handed out left the position at the end of the log."""
        return self._watch(partition).at_end

    def end_offset(self, partition: int) -> int | None:
        """The end of the log as last reported (the last stable offset); None: not known yet."""
        state = self._state(partition)
        return None if state is None or state.highwater is None else end_of_log(state)

    def lag(self, partition: int) -> int | None:
        """Offsets between what was handed out and the reported end; None: not known yet."""
        end = self.end_offset(partition)
        return None if end is None else max(0, end - int(self._state(partition).position))

    async def topic_exists(self) -> bool:
        """Whether the brokers have the topic; they are asked again where it was missing.

        aiokafka looks for a topic that has vanished every five minutes.
        """
        client = self._consumer._client
        if not client.cluster.partitions_for_topic(self.topic):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(client.force_metadata_update(), ANSWER_MS / 1000)
        return bool(client.cluster.partitions_for_topic(self.topic))

    async def offsets(self, partition: int) -> tuple[int, int, int]:
        """Log start, last stable offset and high watermark, asked of the broker now.

        Raises:
            KafkaUnavailableError, ConfigurationError: no answer, or not allowed.
        """
        tp, client = self._tp(partition), self._consumer._client
        start, stable, high = await asyncio.gather(
            ends.list_offset(client, tp, ends.EARLIEST, ends.READ_COMMITTED),
            ends.list_offset(client, tp, ends.LATEST, ends.READ_COMMITTED),
            ends.list_offset(client, tp, ends.LATEST, ends.READ_UNCOMMITTED),
        )
        return start, stable, high

    # -- group offsets, for lag tools only -------------------------------------------------

    async def commit_group_offset(self, offsets: dict[int, tuple[int, str]]) -> bool:
        """Commit offset and metadata by partition; False: not done, which does no harm."""
        if not offsets or self._consumer is None:
            return not offsets
        by_tp = {self._tp(partition): at for partition, at in offsets.items()}
        return await commit_offsets(self._consumer, by_tp)

    async def committed(self, partition: int) -> tuple[int, str] | None:
        """The group's offset and its metadata; None where there is none.

        Raises:
            KafkaUnavailableError, ConfigurationError: no answer, or not allowed.
        """
        return await committed_offset(self._consumer, self._tp(partition))

    # -- inside ----------------------------------------------------------------------------

    def _tp(self, partition: int) -> TopicPartition:
        return TopicPartition(self.topic, partition)

    def _watch(self, partition: int) -> PartitionWatch:
        assert self._hook is not None
        return self._hook.watch(self._tp(partition))

    def _state(self, partition: int) -> Any:
        """aiokafka's state of an assigned partition; None where it is not assigned."""
        if partition not in self.assigned:
            return None
        assignment = self._consumer._subscription.subscription.assignment
        return assignment.state_value(self._tp(partition))

    def _require(self, partition: int) -> None:
        if partition not in self.assigned:
            raise TaskMovedError(f"{self.topic}-{partition} is not assigned to this member")


def _insist_on(task: asyncio.Future[Any], what: str) -> None:
    """A background task of aiokafka that has ended is not started again.

    Raises:
        BrokenClientError: it has ended.
        ConfigurationError, TaskMovedError: because of this.
    """
    if not task.done():
        return
    error = None if task.cancelled() else task.exception()
    problem = KafkaUnavailableError(what) if error is None else translate(error, what)
    if isinstance(problem, KafkaUnavailableError):
        raise BrokenClientError(f"{problem}: it has ended; the client does not recover from that")
    raise problem
