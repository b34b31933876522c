"""An engine that breaks at one named step of its work: ``python -m tests.broker.faults STEP [K]``.

It is the ordinary ``barengine run`` with one function replaced. It breaks the K-th time the step
is reached (the first, if none is given), by whichever partition. DEADLY, ON_THE_WIRE and CLOSING
steps kill the process as ``kill -9`` does, those ON_THE_WIRE when the request is in the socket and
the answer is not there yet. ``lost_answer`` loses the broker's answer to a commit that has
succeeded, ``freeze`` stops the process as SIGSTOP does between the two, ``freeze_behind`` so before
it takes ticks, ``slow`` makes each batch of them a hard piece of work. The ``rival`` steps let
another owner run a partition between its revocation and its return: one that commits, one that
goes before it has committed, and one that hangs with a transaction open. ``overtaken`` steps let
one commit while the state is being read. With ``patient`` and ``unhurried`` nothing breaks.

    fence -> read state -> seek -> replay [L, C) -> ... -> begin -> produce -> commit
     |   ^ after_fence            ^ in_replay             ^     ^     |      ^   |    ^
    in_fence                                   before_begin  after_begin     |   |  after_commit
                                                               in_produce    | in_commit
                                                            before_commit, freeze     lost_answer

    SIGTERM -> last commit of each partition -> leave the group
              ^ in_close
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Final, NoReturn

from aiokafka import AIOKafkaProducer
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import EndTxnRequest, InitProducerIdRequest

from barengine.cli import main
from barengine.engine.partition import PartitionEngine
from barengine.engine.state import PartitionRecord, partition_record
from barengine.kafka.output import OutRecord, PrebuiltBatch, build_records
from barengine.kafka.sink import OutBatch
from barengine.service import commits as commits_module
from barengine.service import group_offset, recovery, task
from barengine.service import look as look_module
from barengine.service.commits import Committer
from barengine.service.look import Look
from barengine.service.wiring import Wiring
from tests.broker.ticks import START_MS
from tests.processes import PATIENCE_S

SLOW_S: Final = 0.03
"""librdkafka sends batches of 10 000: a million ticks take three seconds more."""

UNHURRIED_S: Final = 40.0
"""From one commit without bars to the next: longer than a test may stand still."""

_ENGINE: Final[Any] = PartitionEngine
_CONNECTION: Final[Any] = AIOKafkaConnection


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL has no effect")


def _only(nth: int) -> Callable[[], bool]:
    """True the nth time it is asked, and never else."""
    left = [nth]

    def due() -> bool:
        left[0] -= 1
        return left[0] == 0

    return due


def _dying(owner: Any, name: str, *, first: bool) -> Callable[..., None]:
    """Replace a method by one that dies before (``first``) or after what it does."""

    def install(nth: int = 1) -> None:
        original, due = getattr(owner, name), _only(nth)

        async def broken(*args: Any, **kwargs: Any) -> Any:
            if first and due():
                _die()
            result = await original(*args, **kwargs)
            if not first and due():
                _die()
            return result

        setattr(owner, name, broken)

    return install


def _dying_on_the_wire(request: Any) -> Callable[..., None]:
    """Die when a request of that kind has left, long before its answer."""

    def install(nth: int = 1) -> None:
        original, due = _CONNECTION.send, _only(nth)

        def broken(self: Any, sent: Any, *args: Any, **kwargs: Any) -> Any:
            answer = original(self, sent, *args, **kwargs)
            if isinstance(sent, request) and due():
                loop = asyncio.get_running_loop()
                loop.call_soon(loop.call_soon, _die)  # uvloop writes at the end of this turn
            return answer

        _CONNECTION.send = broken

    return install


def _die_in_replay(nth: int = 1) -> None:
    original, due = _ENGINE._replay, _only(nth)

    def broken(*args: Any) -> Any:
        outcome = original(*args)
        if due():
            _die()
        return outcome

    _ENGINE._replay = broken


def _lose_the_answer(nth: int = 1) -> None:
    original, due = AIOKafkaProducer.commit_transaction, _only(nth)

    async def broken(self: Any) -> None:
        await original(self)
        if due():
            raise KafkaConnectionError("the answer is lost")

    AIOKafkaProducer.commit_transaction = broken


def _work_slowly(nth: int = 1) -> None:
    """Each feed from the nth on."""
    original, due = _ENGINE.feed, _only(nth)
    slow_now: list[bool] = []

    def slow(*args: Any) -> Any:
        if slow_now or due():
            slow_now.append(True)
            time.sleep(SLOW_S)
        return original(*args)

    _ENGINE.feed = slow


def _freeze_behind(nth: int = 1) -> None:
    """Stop once, before the nth feed."""
    original, due = _ENGINE.feed, _only(nth)

    def broken(*args: Any) -> Any:
        if due():
            os.kill(os.getpid(), signal.SIGSTOP)
        return original(*args)

    _ENGINE.feed = broken


def _freeze_with_bars(nth: int = 1) -> None:
    """Stop once, in the nth transaction that holds bars, when they are written."""
    send, commit, due = AIOKafkaProducer.send_batch, AIOKafkaProducer.commit_transaction, _only(nth)
    with_bars: set[int] = set()

    async def noting(self: Any, batch: Any, topic: str, **kwargs: Any) -> Any:
        if topic.endswith("bar_1s"):
            with_bars.add(id(self))
        return await send(self, batch, topic, **kwargs)

    async def broken(self: Any) -> None:
        if id(self) in with_bars and due():
            os.kill(os.getpid(), signal.SIGSTOP)
        with_bars.discard(id(self))
        await commit(self)

    AIOKafkaProducer.send_batch = noting
    AIOKafkaProducer.commit_transaction = broken


def _look_patiently(_: int = 1) -> None:
    """The look at the end of the state may take long, on a machine that is busy."""
    look_module.UNMOVED_S = PATIENCE_S  # type: ignore[misc]


def _commit_seldom(_: int = 1) -> None:
    """What was read a moment ago is not committed yet, on a machine that is busy."""
    commits_module._PROGRESS_S = UNHURRIED_S  # type: ignore[misc]


def _meet_a_rival(*, commits: bool = False, hangs: bool = False) -> None:
    if not hangs:
        _look_patiently()
    original = recovery.unmoved

    async def met(wiring: Wiring, partition: int, *args: Any) -> bool:
        rival = await recovery.recover(wiring, partition)
        [batch] = _commit_of(rival.engine, wiring, partition)
        if commits:
            await rival.sink.commit([batch])
        if hangs:
            producer = rival.sink._producer
            await producer.begin_transaction()
            await rival.sink._send(batch.topic, partition, PrebuiltBatch(batch.records, "none"))
            await producer.flush()
        same = await original(wiring, partition, *args)
        await rival.sink.discard()
        return same

    setattr(task, original.__name__, met)


def _overtaken(nth: int = 1, *, look: bool) -> None:
    """Behind the nth reading of the state another owner commits, and the group's offset too.

    Args:
        look: when the partition comes back after a rebalance, not in recovery.
    """
    original: Any = Look.records if look else vars(recovery)["read_state"]
    due, done, wirings = _only(nth), list[bool](), list[Wiring]()

    async def overtaken(owner: Any, *args: Any) -> Any:
        records = await original(owner, *args)
        partition = args[0] if look else args[1]
        if done or not due():
            return records
        done.append(True)
        wiring = wirings[0]
        rival = await recovery.recover(wiring, partition)
        seq = rival.engine.seq + 1
        await rival.sink.commit(_commit_of(rival.engine, wiring, partition))
        offset = rival.engine.commit_offset, group_offset.tag(seq)
        assert await wiring.source.commit_group_offset({partition: offset})
        await rival.sink.discard()
        return records

    init: Any = task.PartitionTask.__init__

    def noting(self: Any, partition: int, wiring: Wiring, *args: Any) -> None:
        wirings.append(wiring)
        init(self, partition, wiring, *args)

    setattr(task.PartitionTask, "__init__", noting)  # noqa: B010 - mypy knows that it is a method
    setattr(Look if look else recovery, original.__name__, overtaken)


def _commit_of(engine: PartitionEngine, wiring: Wiring, partition: int) -> list[OutBatch]:
    """The next commit of an owner that has read nothing yet."""
    own = PartitionRecord(
        engine.commit_offset,
        engine.low_water,
        engine.seq + 1,
        engine._whole,
        json.dumps(wiring.fingerprint()),
    )
    records = build_records([OutRecord(*partition_record(own), (), START_MS)], 10_000)
    return [OutBatch(wiring.settings.state_topic, partition, one) for one in records]


DEADLY: Final[dict[str, Callable[..., None]]] = {
    "after_fence": _dying(recovery, "read_state", first=True),
    "in_replay": _die_in_replay,
    "before_begin": _dying(AIOKafkaProducer, "begin_transaction", first=True),
    "after_begin": _dying(AIOKafkaProducer, "begin_transaction", first=False),
    # the service awaits every batch's acknowledgement before it calls commit_transaction
    "before_commit": _dying(AIOKafkaProducer, "commit_transaction", first=True),
    "after_commit": _dying(AIOKafkaProducer, "commit_transaction", first=False),
}
ON_THE_WIRE: Final[dict[str, Callable[..., None]]] = {
    "in_fence": _dying_on_the_wire(InitProducerIdRequest),
    "in_produce": _dying_on_the_wire(ProduceRequest),
    "in_commit": _dying_on_the_wire(EndTxnRequest),
}
CLOSING: Final[dict[str, Callable[..., None]]] = {
    "in_close": _dying(Committer, "commit_now", first=True),
}
STEPS: Final[dict[str, Callable[..., None]]] = {
    **DEADLY,
    **ON_THE_WIRE,
    **CLOSING,
    "lost_answer": _lose_the_answer,
    "freeze": _freeze_with_bars,
    "slow": _work_slowly,
    "freeze_behind": _freeze_behind,
    "patient": _look_patiently,
    "unhurried": _commit_seldom,
    "rival_commits": lambda _: _meet_a_rival(commits=True),
    "rival_goes": lambda _: _meet_a_rival(),
    "rival_hangs": lambda _: _meet_a_rival(hangs=True),
    "overtaken_in_recovery": lambda nth: _overtaken(nth, look=False),
    "overtaken_in_look": lambda nth: _overtaken(nth, look=True),
}


def command(step: str, nth: int = 1) -> tuple[str, ...]:
    """Arguments of the Python interpreter that run an engine with this fault."""
    return ("-m", "tests.broker.faults", step, str(nth))


if __name__ == "__main__":
    STEPS[sys.argv[1]](*map(int, sys.argv[2:]))
    sys.exit(main(["run"]))
