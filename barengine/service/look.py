"""The look at the end of the state when partitions come back after a rebalance.

They come back together, so one client looks for all of them: a hundred that log in at once over TLS
would not be done in the second that a look may take.
"""

from __future__ import annotations

import asyncio
from typing import Final

from barengine.errors import BarengineError, KafkaUnavailableError
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.state_reader import Record, read_states
from barengine.kafka.translate import summary

_TOGETHER_S: Final = 0.02
"""Whoever asks within that time is answered by the same client."""

UNMOVED_S: Final = 1.0
"""Longest time that a look may stand still. It waits for open transactions, and only another
owner's can be open for long: fencing ends that one at once, waiting does not."""


class Look:
    """Reads ends of state partitions, those that are asked for at about the same time at once."""

    def __init__(self, connection: ConnectionConfig, topic: str) -> None:
        self._connection = connection
        self._topic = topic
        self._asked: dict[int, tuple[int, asyncio.Future[list[Record]]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def records(self, partition: int, first: int) -> list[Record]:
        """Every committed record from this offset on.

        Raises:
            KafkaUnavailableError: they were not all there soon.
            ConfigurationError: not allowed.
        """
        answer = asyncio.get_running_loop().create_future()
        self._asked[partition] = first, answer
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._answer(), name="look")
        found: list[Record] = await answer
        return found

    async def _answer(self) -> None:
        while self._asked:
            await asyncio.sleep(_TOGETHER_S)
            asked, self._asked = self._asked, {}
            try:
                await self._read(asked)
            finally:
                for _, answer in asked.values():
                    answer.cancel()

    async def _read(self, asked: dict[int, tuple[int, asyncio.Future[list[Record]]]]) -> None:
        def done(partition: int, records: list[Record]) -> None:
            answer = asked[partition][1]
            if not answer.done():  # nobody may wait for it any more
                answer.set_result(records)

        firsts = {partition: first for partition, (first, _) in asked.items()}
        try:
            await read_states(self._connection, self._topic, firsts, UNMOVED_S, done)
        except Exception as error:  # whatever it is: others may have asked meanwhile
            problem = self._problem(error)
            for _, answer in asked.values():
                if not answer.done():
                    answer.set_exception(problem)

    def _problem(self, error: Exception) -> BarengineError:
        if isinstance(error, BarengineError):
            return error
        problem = KafkaUnavailableError(f"reading the end of {self._topic}: {summary(error)}")
        problem.__cause__ = error
        return problem
