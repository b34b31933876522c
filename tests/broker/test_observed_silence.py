"""Observed silence against a real broker. Only orders and bounds are asserted, never durations."""

from __future__ import annotations

import asyncio

from tests.broker.members import reader
from tests.broker.records import Record, make_topic, write
from tests.processes import PATIENCE_S

FAST = {"fetch_max_wait_ms": 50}
PAUSED_NS = 2_000_000_000  # several gaps: each counts half a second at most
SOME_ANSWERS_S = 0.5  # enough for several answers at that wait


async def test_silence_grows_while_idle_at_the_end(bootstrap: str, topic_name: str) -> None:
    """At the end of the log each further answer adds to the silence."""
    make_topic(bootstrap, topic_name, 1)
    write(bootstrap, topic_name, [Record(b"one")])
    async with reader(bootstrap, topic_name, **FAST) as one:
        await one.until(lambda: one.source.at_end(0))
        first = one.source.observed_ns(0)
        await one.until(lambda: one.source.observed_ns(0) > first)
        second = one.source.observed_ns(0)
        await one.until(lambda: one.source.observed_ns(0) > second)


async def test_an_empty_partition_is_silent(bootstrap: str, topic_name: str) -> None:
    """A log without any record has an end, too."""
    make_topic(bootstrap, topic_name, 1)
    async with reader(bootstrap, topic_name, **FAST) as one:
        await one.until(lambda: one.source.observed_ns(0) > 0)
        assert one.source.at_end(0)
        assert one.source.lag(0) == 0


async def test_data_tells_the_silence_before_it(bootstrap: str, topic_name: str) -> None:
    """A fetch carries at least the silence told so far, and the total goes on from there."""
    make_topic(bootstrap, topic_name, 1)
    async with reader(bootstrap, topic_name, **FAST) as one:
        await one.until(lambda: one.source.observed_ns(0) > 0)
        told = one.source.observed_ns(0)
        write(bootstrap, topic_name, [Record(b"one")])
        await one.read(1)
        [fetch] = one.fetches
        assert fetch.at_end
        assert fetch.observed_ns >= told
        assert one.source.observed_ns(0) == fetch.observed_ns
        await one.until(lambda: one.source.observed_ns(0) > fetch.observed_ns)


async def test_no_silence_while_paused(bootstrap: str, topic_name: str) -> None:
    """A paused partition is not looked at: its silence stands, and the pause is never counted."""
    make_topic(bootstrap, topic_name, 2)
    async with reader(bootstrap, topic_name, **FAST) as one:
        await one.until(lambda: one.source.observed_ns(0) > 0)
        one.source.pause(0)
        stands = one.source.observed_ns(0)
        other = one.source.observed_ns(1)
        await one.until(lambda: one.source.observed_ns(1) > other + PAUSED_NS)
        assert one.source.observed_ns(0) == stands
        one.source.resume(0)
        await one.until(lambda: one.source.observed_ns(0) > stands)
        assert one.source.observed_ns(0) - stands < PAUSED_NS


async def test_no_silence_while_behind(bootstrap: str, topic_name: str) -> None:
    """Whoever has not reached the end has not seen silence, however slowly it reads."""
    make_topic(bootstrap, topic_name, 1)
    for number in range(20):
        write(bootstrap, topic_name, [Record(b"%d" % number * 500)])
    async with reader(bootstrap, topic_name, max_partition_fetch_bytes=1000, **FAST) as one:
        while len(one.records) < 20:
            await one.poll()
            await asyncio.sleep(0.02)
        assert len(one.fetches) > 10
        assert {fetch.observed_ns for fetch in one.fetches} == {0}


async def test_no_silence_while_nobody_reads(bootstrap: str, topic_name: str) -> None:
    """Data that waits to be read holds the silence back: the order stays that of the log."""
    make_topic(bootstrap, topic_name, 1)
    async with reader(bootstrap, topic_name, **FAST) as one:
        await one.until(lambda: one.source.observed_ns(0) > 0)
        write(bootstrap, topic_name, [Record(b"one")])
        arrived = one.source._consumer._fetcher._records
        async with asyncio.timeout(PATIENCE_S):
            while not arrived:  # noqa: ASYNC110 - a dict of aiokafka, no event
                await asyncio.sleep(0.01)
        told = one.source.observed_ns(0)
        await asyncio.sleep(SOME_ANSWERS_S)
        assert one.source.observed_ns(0) == told
        await one.read(1)
        assert one.source.observed_ns(0) == one.fetches[0].observed_ns


async def test_a_seek_counts_from_zero(bootstrap: str, topic_name: str) -> None:
    """A new reader of the data begins without silence."""
    make_topic(bootstrap, topic_name, 1)
    write(bootstrap, topic_name, [Record(b"one")])
    async with reader(bootstrap, topic_name, **FAST) as one:
        await one.until(lambda: one.source.observed_ns(0) > 0)
        one.source.seek(0, 0)
        assert one.source.observed_ns(0) == 0
        one.fetches.clear()
        await one.read(1)
        assert one.fetches[0].observed_ns == 0
