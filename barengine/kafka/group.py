"""What a consumer says to its group: heartbeats, rebalance callbacks, plain offsets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from aiokafka import errors as kafka
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.protocol.group import JoinGroupRequest
from aiokafka.structs import TopicPartition

from barengine.errors import TaskMovedError
from barengine.kafka.translate import translate

_OFFSETS_S: Final = 10.0
"""For reading and writing group offsets; aiokafka alone would retry without end."""

_FENCED_INSTANCE_ID: Final = 82
"""Kafka's error code; aiokafka has no class for it."""


class Listener:
    """aiokafka's two callbacks with plain partition numbers.

    aiokafka logs what a callback raises and goes on as if nothing had been: it is kept here.
    """

    def __init__(
        self,
        revoked: Callable[[set[int]], Awaitable[None]],
        assigned: Callable[[set[int]], None],
    ) -> None:
        self._revoked = revoked
        self._assigned = assigned
        self._error: Exception | None = None

    def take_error(self) -> Exception | None:
        """What a callback has raised since the last call."""
        error, self._error = self._error, None
        return error

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        partitions = {tp.partition for tp in revoked}
        if not partitions:  # before the first assignment
            return
        try:
            await self._revoked(partitions)
        except Exception as error:
            self._error = error

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        try:
            self._assigned({tp.partition for tp in assigned})
        except Exception as error:
            self._error = error


ConsumerRebalanceListener.register(Listener)


def count_heartbeats(coordinator: Any, on_heartbeat: Callable[[int], None]) -> None:
    """Call back whenever the group answers a heartbeat without asking for a new join.

    Args:
        on_heartbeat: called with the wall time in ns at which the group was asked: the answer may
            have been on its way through an outage.
    """
    beat = coordinator._do_heartbeat

    async def counted() -> bool:
        asked_ns = time.time_ns()
        alive: bool = await beat()
        # It says yes, too, where the group is about to rebalance.
        if alive and not coordinator._rejoin_needed_fut.done():
            on_heartbeat(asked_ns)
        return alive

    coordinator._do_heartbeat = counted


def keep_member_id(coordinator: Any, instance_id: str) -> None:
    """Let a static member that the group does not know ask under its old member id first.

    aiokafka takes a new one at once, and with it the name back from a process that has replaced
    this one meanwhile; that one does the same, and so on. The old id tells the broker the two
    cases apart: the session was over, or the name is somebody else's.
    """
    ask, forget = coordinator._send_req, coordinator.reset_generation

    async def asked(request: Any) -> Any:
        answer = await ask(request)
        if isinstance(request, JoinGroupRequest):
            if answer.error_code == _FENCED_INSTANCE_ID:
                raise TaskMovedError(
                    f"another process has taken GROUP_INSTANCE_ID={instance_id} over; each "
                    "running instance needs a name of its own"
                )
            if answer.error_code == kafka.UnknownMemberIdError.errno:
                forget()
        return answer

    def reset() -> None:
        member_id = coordinator.member_id
        forget()
        coordinator.member_id = member_id

    coordinator._send_req, coordinator.reset_generation = asked, reset


async def commit_offsets(consumer: Any, offsets: Mapping[TopicPartition, tuple[int, str]]) -> bool:
    """Commit offsets and metadata outside of any transaction; False: not done."""
    try:
        async with asyncio.timeout(_OFFSETS_S):
            await consumer.commit(dict(offsets))
    except (kafka.KafkaError, TimeoutError):
        return False
    return True


async def committed_offset(consumer: Any, tp: TopicPartition) -> tuple[int, str] | None:
    """The group's offset and metadata (aiokafka's own method drops it); None: there is none.

    Raises:
        KafkaUnavailableError, ConfigurationError: no answer, or not allowed.
    """
    try:
        async with asyncio.timeout(_OFFSETS_S):
            found = (await consumer._coordinator.fetch_committed_offsets([tp])).get(tp)
    except (kafka.KafkaError, TimeoutError) as error:
        raise translate(error, "reading the group's offsets") from error
    return None if found is None else (found.offset, found.metadata)
