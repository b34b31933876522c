"""Up to when a member has heard from the cluster."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition

from barengine.kafka import source as source_module
from barengine.kafka.client import ConnectionConfig
from barengine.kafka.fetch import FetchHook
from barengine.kafka.group import count_heartbeats
from barengine.kafka.source import Source
from barengine.model import NS_PER_S

TICKS = TopicPartition("ticks", 0)


class Clock:
    """The wall clock, put by hand."""

    def __init__(self) -> None:
        self.now_ns = 0

    def time_ns(self) -> int:
        return self.now_ns


def a_source() -> Source:
    async def revoked(_: set[int]) -> None:
        pass

    return Source(
        ConnectionConfig("nowhere:9092"),
        "ticks",
        "group",
        on_assigned=lambda _: None,
        on_revoked=revoked,
    )


def test_only_a_heartbeat_ends_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an outage the log may answer before the group has thrown the member out: up to its
    next assignment that is not heard of. While heartbeats are answered, it is.

    answered   fetch   beat   fetch  | 20 s |  fetch   fetch   beat   fetch
    s          0       1      1.5              21.5    22      22.1   22.5
    heard      -       1      1.5              1.5     1.5     22.1   22.5
    """
    clock = Clock()
    monkeypatch.setattr(source_module, "time", clock)
    source, heard = a_source(), []
    steps = [("fetch", 0.0), ("beat", 1.0), ("fetch", 1.5), ("fetch", 21.5)]
    for what, at_s in [*steps, ("fetch", 22.0), ("beat", 22.1), ("fetch", 22.5)]:
        clock.now_ns = int(at_s * NS_PER_S)
        if what == "beat":
            source._member(clock.now_ns)
        else:
            source._fetched()
        heard.append(None if source.heard_ns is None else source.heard_ns / NS_PER_S)
    assert heard == [None, 1.0, 1.5, 1.5, 1.5, 22.1, 22.5]


@pytest.mark.parametrize(
    ("alive", "rejoin", "told"),
    [(True, False, [5]), (True, True, []), (False, False, [])],
    ids=["member", "rebalance", "no answer"],
)
async def test_a_heartbeat_is_of_when_it_was_asked(
    monkeypatch: pytest.MonkeyPatch, alive: bool, rejoin: bool, told: list[int]
) -> None:
    """Its answer may have been on its way through an outage. One that calls to a rebalance, or that
    knows the member no more, is none."""
    clock = Clock()
    clock.now_ns = 5
    monkeypatch.setattr("barengine.kafka.group.time", clock)
    rejoining = asyncio.get_running_loop().create_future()

    async def beat() -> bool:
        clock.now_ns = 30
        if rejoin:
            rejoining.set_result(None)
        return alive

    coordinator = SimpleNamespace(_do_heartbeat=beat, _rejoin_needed_fut=rejoining)
    heard: list[int] = []
    count_heartbeats(coordinator, heard.append)
    assert await coordinator._do_heartbeat() is alive
    assert heard == told


@pytest.mark.parametrize(
    ("answered", "active", "told"),
    [(True, True, 1), (False, True, 0), (True, False, 0)],
    ids=["answered", "failed", "revoked meanwhile"],
)
async def test_a_fetch_is_heard_where_a_partition_was_answered_for(
    answered: bool, active: bool, told: int
) -> None:
    """A request that failed, or was overtaken by a rebalance, tells nothing."""
    client = SimpleNamespace(_loop=asyncio.get_running_loop(), _metadata_max_age_ms=0)
    fetcher = Fetcher(client, SubscriptionState(), isolation_level="read_committed")
    state = SimpleNamespace(timestamp=None, paused=False, position=0, highwater=0, lso=0)
    assignment = SimpleNamespace(active=active, state_value=lambda _: state, tps=[TICKS])
    heard: list[None] = []
    hook = FetchHook(SimpleNamespace(_fetcher=fetcher), on_answer=lambda: heard.append(None))

    async def request(*_: Any) -> bool:
        state.timestamp = 1 if answered else None
        return False

    hook._request = request
    hook._left_out = lambda *_: set()  # type: ignore[method-assign]
    try:
        await hook._observed_request(
            assignment, 1, FetchRequest(-1, 500, 1, 1000, [("ticks", [(0, 0, 1000)])])
        )
    finally:
        await fetcher.close()
    assert len(heard) == told
