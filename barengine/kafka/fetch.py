"""Whole record batches as bytes: the only file that reaches into aiokafka's fetcher.

aiokafka 0.14 turns a fetch response into records inside two coroutine functions of ``Fetcher``,
through names of their module: ``_proc_fetch_request`` wraps the bytes of a partition in
``MemoryRecords``, ``PartitionRecords`` and ``FetchResult``; ``fetched_records`` drains those by
``FetchResult.getall``. Here both are built anew from their own code, with a copy of the module's
names in which these three are ours, and bound to one consumer's fetcher. Its requests name a type
of answers of ours, which leaves large parts where they were received. Positions, assignments,
errors and sockets stay aiokafka's; every other consumer of the process stays as it was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from types import FunctionType, MethodType
from typing import Any, Final

import aiokafka
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer import fetcher as module
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition

from barengine.kafka.raw import (
    Fetch,
    InPlace,
    RawPartition,
    RawRecords,
    RawResult,
    end_of_log,
)
from barengine.kafka.silence import PartitionWatch

__all__ = ["Fetch", "FetchHook", "check_internals"]

_VERSION: Final = "0.14."

_NAMES: Final = {
    "_proc_fetch_request": (
        *("MemoryRecords", "PartitionRecords", "FetchResult", "has_next", "size_in_bytes"),
        *("_records", "_prefetch_backoff", "state_value", "position", "active"),
        *("timestamp", "highwater", "lso"),
    ),
    "fetched_records": ("FetchResult", "_records", "getall", "has_more", "check_raise"),
    "_get_actions_per_node": (
        *("_records", "calculate_backoff", "paused", "position"),
        *("_select_read_replica", "_in_flight"),
    ),
}
"""Names that the functions we rebuild or feed must still use, or our classes are never asked."""

_ATTRIBUTES: Final = (
    *("_records", "_prefetch_backoff", "_fetch_max_wait_ms", "_fetch_waiters"),
    "_subscriptions",
)

_OF_REQUESTS: Final = ("_max_wait_ms", "build")
_OF_ANSWERS: Final = ("BytesIO", "RESPONSE_TYPE", "decode")
"""So must a request, and what hands an answer to its decoder."""

_UNREAD_HOLDS_S: Final = 3600.0
"""While data waits to be read, aiokafka asks a node for nothing, at most so long.

Otherwise it would ask for the other partitions alone, and if those are idle the one just read
waits for its next fetch until that request has timed out."""

_PARTIAL_WAIT_MS: Final = 20
"""Longest wait at the broker while it is not asked for a partition, for the same reason: that one
may be resumed at any moment, and there is only one request per node."""

_PASSES: Final = 8
"""Of the event loop: aiokafka needs six from an answer to the request that follows it."""

GRACE_NS: Final = 500_000_000
"""How much later than the fetch wait an answer may come and still show silence."""


class FetchHook:
    """Makes one started consumer hand over :class:`Fetch` objects instead of records.

    Args:
        consumer: an ``AIOKafkaConsumer`` after ``start``, before its first assignment.
        clock: monotonic time in ns.
        on_answer: called whenever a node has answered for at least one partition.

    Raises:
        RuntimeError: this aiokafka is not the one that the hook was made for.
    """

    def __init__(
        self,
        consumer: Any,
        clock: Callable[[], int] = time.monotonic_ns,
        on_answer: Callable[[], None] = lambda: None,
    ) -> None:
        fetcher = consumer._fetcher
        check_internals(fetcher)
        self._fetcher = fetcher
        self._clock = clock
        self._on_answer = on_answer
        self._cap_ns = fetcher._fetch_max_wait_ms * 1_000_000 + GRACE_NS
        self._watches: dict[TopicPartition, PartitionWatch] = {}
        self._under_way = 0
        fetcher._prefetch_backoff = _UNREAD_HOLDS_S
        self._request = _rebuilt("_proc_fetch_request", fetcher)
        fetcher._proc_fetch_request = self._observed_request
        fetcher.fetched_records = _rebuilt("fetched_records", fetcher)

    def watch(self, tp: TopicPartition) -> PartitionWatch:
        """What the answers for this partition show."""
        found = self._watches.get(tp)
        if found is None:
            found = self._watches[tp] = PartitionWatch(self._cap_ns)
        return found

    async def ask_ahead(self) -> None:
        """Give the event loop back until a request is under way, or none is to be expected.

        Whoever is going to keep the loop busy waits for this first: the broker then works at the
        next answer meanwhile, instead of both sides waiting in turn. Takes microseconds.
        """
        for _ in range(_PASSES):
            await asyncio.sleep(0)
            if self._under_way or not self._wants_more():
                return

    def _wants_more(self) -> bool:
        """Whether a partition waits for its next fetch, or will as soon as somebody polls."""
        fetcher = self._fetcher
        subscription = fetcher._subscriptions.subscription
        assignment = None if subscription is None else subscription.assignment
        if assignment is None:
            return False
        read = fetcher._records
        return any(tp in read or not assignment.state_value(tp).paused for tp in assignment.tps)

    async def _observed_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        self._under_way += 1
        try:
            return await self._observed(assignment, node_id, request)
        finally:
            self._under_way -= 1

    async def _observed(self, assignment: Any, node_id: int, request: Any) -> bool:
        asked = [
            (TopicPartition(topic, partition), offset)
            for topic, partitions in request.topics
            for partition, offset, _ in partitions
        ]
        for tp, _ in asked:  # set again by a successful answer, and by nothing else
            assignment.state_value(tp).timestamp = None
        if self._left_out(assignment, node_id, asked):
            request._max_wait_ms = min(request._max_wait_ms, _PARTIAL_WAIT_MS)
        request.build = _in_place(request.build)
        has_data: bool = await self._request(assignment, node_id, request)
        now_ns = self._clock()
        if assignment.active:
            for tp, offset in asked:
                self._answered(tp, offset, assignment.state_value(tp), now_ns)
            if any(assignment.state_value(tp).timestamp is not None for tp, _ in asked):
                self._on_answer()
        return has_data

    def _left_out(
        self, assignment: Any, node_id: int, asked: Collection[tuple[TopicPartition, int]]
    ) -> set[TopicPartition]:
        """Partitions of a node that it is not asked for: paused when that was decided, and some
        perhaps resumed since."""
        of = self._fetcher._select_read_replica
        return {tp for tp in assignment.tps if of(tp) == node_id} - {tp for tp, _ in asked}

    def _answered(self, tp: TopicPartition, offset: int, state: Any, now_ns: int) -> None:
        watch = self.watch(tp)
        if state.timestamp is None or state.paused:
            watch.broken()
        if state.timestamp is None:
            return
        end = end_of_log(state)
        result = self._fetcher._records.get(tp)
        if isinstance(result, RawResult):
            result.observe(watch, now_ns, end)
        else:
            at_end = offset >= end
            watch.handed(watch.answered(now_ns, at_end), at_end)


def _in_place(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A request's ``build``, and how the answer to what it builds is decoded."""

    def built(kind: Any) -> Any:
        struct = build(kind)
        struct.RESPONSE_TYPE = InPlace(struct.RESPONSE_TYPE)
        return struct

    return built


_OURS: Final = {
    "MemoryRecords": RawRecords,
    "PartitionRecords": RawPartition,
    "FetchResult": RawResult,
}


def _rebuilt(name: str, fetcher: Any) -> Callable[..., Any]:
    original = getattr(module.Fetcher, name)
    rebuilt = FunctionType(
        original.__code__, {**vars(module), **_OURS}, name, original.__defaults__
    )
    rebuilt.__kwdefaults__ = original.__kwdefaults__
    return MethodType(rebuilt, fetcher)


def check_internals(fetcher: Any) -> None:
    """Insist on everything inside aiokafka that the hook leans on.

    Raises:
        RuntimeError: names what is gone.
    """
    moved = [f"aiokafka is {aiokafka.__version__}"] * (
        not aiokafka.__version__.startswith(_VERSION)
    )
    for name, needed in _NAMES.items():
        code = getattr(getattr(module.Fetcher, name, None), "__code__", None)
        used = () if code is None else code.co_names
        moved += [f"Fetcher.{name} without {one}" for one in needed if one not in used]
        if code is not None and code.co_freevars:
            moved.append(f"Fetcher.{name} is a closure")
    moved += [f"Fetcher object without {one}" for one in _ATTRIBUTES if not hasattr(fetcher, one)]
    request = FetchRequest(0, 0, 0, 0, [])
    moved += [f"FetchRequest without {one}" for one in _OF_REQUESTS if not hasattr(request, one)]
    answered = AIOKafkaConnection._handle_frame.__code__.co_names
    moved += [f"_handle_frame without {one}" for one in _OF_ANSWERS if one not in answered]
    if moved:
        raise RuntimeError(
            f"barengine needs aiokafka {_VERSION}x as it knows it; found: {'; '.join(moved)}"
        )
