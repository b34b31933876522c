"""What the brokers are told and asked now and then, for the eyes of others.

No part of the scheduler's beat: a broker that is ill may take long to answer, and silence closes
windows meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from barengine.kafka.source import Source
from barengine.service import group_offset
from barengine.service.task import PartitionTask

log = structlog.get_logger(__name__)

_PAUSE_S: Final = 5.0


class Upkeep:
    """Commits the group's offsets, and sees whether the input topic is there."""

    def __init__(self, source: Source, tasks: Mapping[int, PartitionTask]) -> None:
        self.input_exists = True
        """Without its topic a member of a group has no partitions, which alone is no fault."""
        self._source = source
        self._tasks = tasks

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_PAUSE_S)
            await self._commit_group_offsets()
            await self._look_for_input()

    async def _commit_group_offsets(self) -> None:
        """For lag tools only; the state record is the truth."""
        offsets = {
            partition: (committer.committed_offset, group_offset.tag(committer.committed_seq))
            for partition, task in self._tasks.items()
            if task.running is not None
            and (committer := task.running.committer).committed_seq > 0  # there is a state
        }
        if offsets:
            await self._source.commit_group_offset(offsets)

    async def _look_for_input(self) -> None:
        existed, self.input_exists = self.input_exists, await self._source.topic_exists()
        if existed and not self.input_exists:
            log.error("input_topic_missing", topic=self._source.topic)
