"""How soon a transaction may follow another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.protocol.transaction import AddPartitionsToTxnResponse_v0
from aiokafka.structs import TopicPartition

from barengine.kafka.markers import ask_again_soon

GOOD, NOT_COORDINATOR, CONCURRENT = 0, 16, 51
ELSE_S = 7.0


class Transactions:
    """A transaction manager that has added nothing yet."""

    transactional_id, producer_id, producer_epoch = "id", 1, 0

    def __init__(self) -> None:
        self.txn_partitions: set[TopicPartition] = set()

    def partition_added(self, partition: TopicPartition) -> None:
        self.txn_partitions.add(partition)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The times that were waited before another try, none of them for real."""
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr("aiokafka.producer.sender.asyncio.sleep", sleep)
    return found


async def test_a_try_that_was_too_soon_is_soon_made_again(slept: list[float]) -> None:
    """After 5 ms, and after twice as long each time; the next transaction begins anew. What else
    a coordinator may answer is waited for as ever."""
    codes = [CONCURRENT] * 7 + [GOOD] + [CONCURRENT, NOT_COORDINATOR, CONCURRENT, GOOD]
    answers = iter(codes)

    async def send(*_: Any, **__: Any) -> Any:
        return AddPartitionsToTxnResponse_v0(0, [("topic", [(0, next(answers))])])

    async def find(*_: Any) -> int:
        return 0

    sender: Any = SimpleNamespace(
        _txn_manager=Transactions(),
        _retry_backoff=ELSE_S,
        _find_coordinator=find,
        _coordinator_dead=lambda _: None,
        client=SimpleNamespace(send=send),
    )
    ask_again_soon(SimpleNamespace(_sender=sender))
    done: list[bool] = []
    for _ in codes:
        if done and done[-1]:
            sender._txn_manager = Transactions()
        done.append(await sender._do_add_partitions_to_txn({TopicPartition("topic", 0)}))
    assert done == [code == GOOD for code in codes]
    assert slept == [0.005, 0.01, 0.02, 0.04, 0.05, 0.05, 0.05, 0.005, ELSE_S, 0.005]
