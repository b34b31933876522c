"""A peer that vanishes without a word, and a line that is only slow."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from barengine.kafka import patience
from barengine.kafka.local import LocalKafka
from tests.broker.members import reader
from tests.broker.proxy import Proxy, Weather, behind
from tests.broker.records import Record, make_topic, write


@pytest.fixture(scope="module")
def network() -> Iterator[tuple[LocalKafka, Proxy]]:
    """A broker and a proxy before it, for tests that heal it at their end."""
    with behind(random.Random(0)) as both:
        yield both


async def test_peer_that_vanishes(
    network: tuple[LocalKafka, Proxy], topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that brings nothing is replaced, long before the time-out of a fetch."""
    broker, proxy = network
    monkeypatch.setattr(patience, "SILENT_S", 1.0)
    make_topic(broker.bootstrap, topic_name, 1)
    async with reader(proxy.bootstrap, topic_name) as one:
        await one.until(lambda: one.source.at_end(0))
        assert proxy.swallow() > 0
        write(broker.bootstrap, topic_name, [Record(b"waits")])
        proxy.heal()
        await one.until(lambda: len(one.records) == 1)


async def test_slow_answer_is_waited_for(
    network: tuple[LocalKafka, Proxy], topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that takes long is taken whole as long as it keeps coming, be it too slow to wake
    anybody up."""
    broker, proxy = network
    monkeypatch.setattr(patience, "SILENT_S", 2.0)  # six pieces of the proxy
    make_topic(broker.bootstrap, topic_name, 1)
    write(broker.bootstrap, topic_name, [Record(bytes(400_000))])
    async with reader(proxy.bootstrap, topic_name) as one:
        proxy.weather(Weather(bytes_per_s=50_000))
        before = proxy.connections
        await one.until(lambda: len(one.records) == 1)
        assert proxy.connections == before or proxy.stood_still
        proxy.heal()
