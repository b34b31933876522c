"""The market schedule in a compacted topic of a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer

from barengine.errors import ConfigurationError, KafkaUnavailableError
from barengine.kafka.client import ConnectionConfig
from barengine.service.schedule_load import read_schedule
from barengine.service.schedule_source import ScheduleSource, open_schedule
from barengine.settings import Settings, load_settings
from tests.broker.records import Record, make_topic, write
from tests.processes import PATIENCE_S

STOCKS = b"{zone: America/New_York, sessions: {mon-fri: {open: 09:30, close: 16:00}}}"
NEW_YORK = "America/New_York"
ROUND = b"{zone: UTC, sessions: 24h}"

Put = Callable[[bytes, bytes | None], Awaitable[None]]


def settings_of(bootstrap: str, topic: str) -> Settings:
    keys = {"SCHEDULE": f"topic:{topic}", "BOOTSTRAP_SERVERS": bootstrap}
    return load_settings(None, {f"BARENGINE_{key}": text for key, text in keys.items()})


@asynccontextmanager
async def following(bootstrap: str, topic: str) -> AsyncIterator[tuple[ScheduleSource, Put]]:
    """The source, and a way to write to its topic."""
    source = await open_schedule(settings_of(bootstrap, topic), ConnectionConfig(bootstrap))
    assert source is not None
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:

        async def put(key: bytes, value: bytes | None) -> None:
            await producer.send_and_wait(topic, value, key, partition=0)

        yield source, put
    await source.close()


async def changed(source: ScheduleSource) -> bool:
    """Whether it is so now; a broker that is away is asked again."""
    try:
        return await source.poll()
    except KafkaUnavailableError:
        return False


async def next_change(source: ScheduleSource) -> tuple[dict[str, str], str | None]:
    """Poll as the ticker does, until another schedule is in force; its zones and its default."""
    async with asyncio.timeout(PATIENCE_S):
        while not await changed(source):  # noqa: ASYNC110 - it is asked, and tells nobody
            await asyncio.sleep(0.05)
    schedule = source.current
    return {name: market.zone for name, market in schedule.markets.items()}, schedule.default


async def test_it_is_read_to_its_end_and_followed(bootstrap: str, topic_name: str) -> None:
    """At start all committed records count, aborted ones do not; then each that comes."""
    make_topic(bootstrap, topic_name, 1, cleanup_policy="compact")
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, transactional_id=topic_name
    ) as producer:
        async with producer.transaction():
            await producer.send(topic_name, STOCKS, b"XNYS")
            await producer.send(topic_name, b"default: XNYS", b"_brokers")
        await producer.begin_transaction()
        await producer.send_and_wait(topic_name, b"nonsense", b"XNYS")
        await producer.abort_transaction()
    async with following(bootstrap, topic_name) as (source, put):
        assert set(source.current.markets) == {"XNYS"}
        assert source.current.market_of("any") is not None
        assert not await source.poll()
        await put(b"BTC", ROUND)
        assert await next_change(source) == ({"XNYS": NEW_YORK, "BTC": "UTC"}, "XNYS")
        await put(b"BTC", None)
        assert await next_change(source) == ({"XNYS": NEW_YORK}, "XNYS")
        settings = settings_of(bootstrap, topic_name)
        assert await read_schedule(settings, ConnectionConfig(bootstrap)) == source.current


async def test_a_bad_record_leaves_its_market_as_it_was(bootstrap: str, topic_name: str) -> None:
    """Others go on changing, and what had to wait for another record counts when that is there."""
    make_topic(bootstrap, topic_name, 1, cleanup_policy="compact")
    write(bootstrap, topic_name, [Record(STOCKS, b"XNYS"), Record(ROUND, b"BTC")])
    async with following(bootstrap, topic_name) as (source, put):
        await put(b"XNYS", b"zone: Mars/Olympus")
        await put(b"_brokers", b"default: XLON")
        await put(b"BTC", None)
        assert await next_change(source) == ({"XNYS": NEW_YORK}, None)
        await put(b"XLON", STOCKS)
        assert await next_change(source) == ({"XNYS": NEW_YORK, "XLON": NEW_YORK}, "XLON")
        async with following(bootstrap, topic_name) as (started_now, _):
            assert started_now.current == source.current, "one that starts takes the same"
        await put(b"XNYS", ROUND)
        assert await next_change(source) == ({"XNYS": "UTC", "XLON": NEW_YORK}, "XLON")


@pytest.mark.parametrize(
    ("partitions", "policy", "said"),
    [
        (0, "", "there is no topic {}; create it, compacted"),
        (2, "compact", "topic {} has 2 partitions, among which there is no order"),
        (1, "delete", "topic {} has cleanup.policy=delete: what is in it would be deleted"),
    ],
)
async def test_a_topic_that_does_not_fit_is_refused(
    bootstrap: str, topic_name: str, partitions: int, policy: str, said: str
) -> None:
    """One partition, compacted; the error says what to do."""
    if partitions:
        make_topic(bootstrap, topic_name, partitions, cleanup_policy=policy)
    with pytest.raises(ConfigurationError, match=said.format(topic_name)):
        await open_schedule(settings_of(bootstrap, topic_name), ConnectionConfig(bootstrap))


async def test_what_cannot_work_at_start_is_an_error(bootstrap: str, topic_name: str) -> None:
    """There is no older version of it to stay with: topic, key, offset and line are named."""
    make_topic(bootstrap, topic_name, 1, cleanup_policy="compact")
    write(bootstrap, topic_name, [Record(b"zone: UTC\nsessions: 25h", b"BTC")])
    with pytest.raises(ConfigurationError, match=f"{topic_name}, key 'BTC', offset 0 line 2: `ses"):
        await open_schedule(settings_of(bootstrap, topic_name), ConnectionConfig(bootstrap))
