"""An engine that breaks at one named step of its work: ``python -m tests.broker.faults STEP``.

It is the ordinary ``barengine run`` with one function replaced. DEADLY steps kill the process as
``kill -9`` does, the first time they are reached. ``lost_answer`` loses the broker's answer to a
commit that has succeeded, ``freeze`` stops the process as SIGSTOP does between the two, ``slow``
makes each batch of ticks a hard piece of work.

    fence -> read state -> seek -> replay [L, C) -> ... -> begin -> produce -> commit
         ^ after_fence            ^ in_replay             ^     ^            ^        ^
                                               before_begin  after_begin     |        after_commit
                                                            before_commit, freeze     lost_answer
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Final, NoReturn

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from barengine.cli import main
from barengine.engine.partition import PartitionEngine
from barengine.service import recovery

SLOW_S: Final = 0.03
"""librdkafka sends batches of 10 000: a million ticks take three seconds more."""

_ENGINE: Final[Any] = PartitionEngine


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL has no effect")


def _dying(owner: Any, name: str, *, first: bool) -> Callable[[], None]:
    """Replace a method by one that dies before (``first``) or after what it does."""

    def install() -> None:
        original = getattr(owner, name)

        async def broken(*args: Any, **kwargs: Any) -> Any:
            if first:
                _die()
            await original(*args, **kwargs)
            _die()

        setattr(owner, name, broken)

    return install


def _die_in_replay() -> None:
    original = _ENGINE._replay

    def broken(*args: Any) -> Any:
        original(*args)
        _die()

    _ENGINE._replay = broken


def _lose_the_answer() -> None:
    original = AIOKafkaProducer.commit_transaction
    lost: list[bool] = []

    async def broken(self: Any) -> None:
        await original(self)
        if not lost:
            lost.append(True)
            raise KafkaConnectionError("the answer is lost")

    AIOKafkaProducer.commit_transaction = broken


def _work_slowly() -> None:
    original = _ENGINE.feed

    def slow(*args: Any) -> Any:
        time.sleep(SLOW_S)
        return original(*args)

    _ENGINE.feed = slow


def _freeze_with_bars() -> None:
    """Stop once, in the first transaction that holds bars, when they are written."""
    send, commit = AIOKafkaProducer.send_batch, AIOKafkaProducer.commit_transaction
    written: set[str] = set()
    frozen: list[bool] = []

    async def noting(self: Any, batch: Any, topic: str, **kwargs: Any) -> Any:
        written.add(topic.rsplit(".", maxsplit=1)[-1])
        return await send(self, batch, topic, **kwargs)

    async def broken(self: Any) -> None:
        if "bar_1s" in written and not frozen:
            frozen.append(True)
            os.kill(os.getpid(), signal.SIGSTOP)
        await commit(self)

    AIOKafkaProducer.send_batch = noting
    AIOKafkaProducer.commit_transaction = broken


STEPS: Final[dict[str, Callable[[], None]]] = {
    "after_fence": _dying(recovery, "read_state", first=True),
    "in_replay": _die_in_replay,
    "before_begin": _dying(AIOKafkaProducer, "begin_transaction", first=True),
    "after_begin": _dying(AIOKafkaProducer, "begin_transaction", first=False),
    # the service awaits every batch's acknowledgement before it calls commit_transaction
    "before_commit": _dying(AIOKafkaProducer, "commit_transaction", first=True),
    "after_commit": _dying(AIOKafkaProducer, "commit_transaction", first=False),
    "lost_answer": _lose_the_answer,
    "freeze": _freeze_with_bars,
    "slow": _work_slowly,
}
DEADLY: Final = tuple(STEPS)[:-3]


def command(step: str) -> tuple[str, ...]:
    """Arguments of the Python interpreter that run an engine with this fault."""
    return ("-m", "tests.broker.faults", step)


if __name__ == "__main__":
    STEPS[sys.argv[1]]()
    sys.exit(main(["run"]))
