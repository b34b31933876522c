"""The topics of one run read back and put before the check."""

from __future__ import annotations

from barengine.demo.check import Checker
from barengine.demo.readback import read_all
from barengine.demo.records import InputRecord, OutputRecord
from barengine.demo.report import Report
from barengine.demo.rules import Rules
from barengine.kafka.client import ConnectionConfig
from barengine.settings import Settings


async def check_topics(
    settings: Settings,
    connection: ConnectionConfig,
    partitions: int,
    wall_ns: tuple[int, int],
) -> Report:
    """Recompute every bar from the input topic as it is now.

    Args:
        wall_ns: wall clock before the engine began and after it ended.

    Raises:
        KafkaUnavailableError: a topic could not be read to its end.
    """
    rules = Rules.of(settings, *wall_ns)

    async def read(topic: str) -> list[OutputRecord]:
        portions = [portion async for portion in read_all(connection, topic, partitions)]
        return [record for portion in portions for record in portion]

    checker = Checker(rules, await read(settings.late_topic), await read(settings.dead_topic))
    async for records in read_all(connection, settings.input_topic, partitions):
        checker.add_ticks(InputRecord(*record[:5]) for record in records)
    finals = [await read(settings.topic_of(period)) for period in settings.periods]
    corrections = [
        await read(settings.corrections_topic(period))
        for period in settings.periods
        if settings.corrects
    ]
    live = [] if settings.live_ns is None else await read(settings.live_topic)
    return checker.finish(*finals, corrections=corrections, live=live)
