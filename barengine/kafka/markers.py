"""How soon one transaction of a producer may follow another.

A coordinator acknowledges the end of a transaction before its markers are in all partitions, and
until they are it takes no partition into the next one. aiokafka asks again after 20 ms, where the
markers take a few: of transactions in a row each took 30 ms instead of 12.
"""

from __future__ import annotations

from typing import Any, Final

from aiokafka.client import CoordinationType
from aiokafka.producer.sender import BACKOFF_OVERRIDE, AddPartitionsToTxnHandler

_FIRST_S: Final = 0.005
_LAST_S: Final = 0.05


def ask_again_soon(producer: Any) -> None:
    """Let an ``AIOKafkaProducer`` that has not been started ask again after 5 ms, then after twice
    as long each time, up to 50."""
    sender, waits = producer._sender, Waits()

    async def add(partitions: Any) -> bool:
        coordinator = await sender._find_coordinator(
            CoordinationType.TRANSACTION, sender._txn_manager.transactional_id
        )
        done: bool = await _AddPartitions(sender, partitions, waits).do(coordinator)
        return done

    sender._do_add_partitions_to_txn = add


class Waits:
    """The time until the next try, in s."""

    def __init__(self) -> None:
        self._next_s = _FIRST_S

    def again(self) -> float:
        """After a try for which it was too soon."""
        wait_s, self._next_s = self._next_s, min(2 * self._next_s, _LAST_S)
        return wait_s

    def begin(self) -> None:
        """Any other answer has come."""
        self._next_s = _FIRST_S


class _AddPartitions(AddPartitionsToTxnHandler):  # type: ignore[misc]  # aiokafka has no types
    """One try."""

    def __init__(self, sender: Any, partitions: Any, waits: Waits) -> None:
        super().__init__(sender, partitions)
        self._waits = waits

    def handle_response(self, response: Any) -> float | None:
        wait_s: float | None = super().handle_response(response)
        if wait_s == BACKOFF_OVERRIDE:  # nothing else is answered with it
            return self._waits.again()
        self._waits.begin()
        return wait_s
