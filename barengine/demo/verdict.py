"""The topics of one run read back and put before the check."""

from __future__ import annotations

from barengine.demo.check import Checker, Rules
from barengine.demo.readback import read_all
from barengine.demo.records import InputRecord, OutputRecord
from barengine.demo.report import Report
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
    began_ns, ended_ns = wall_ns
    rules = Rules(
        settings.period,
        settings.grace_ns,
        settings.order,
        settings.price_scale,
        settings.watermark,
        settings.max_future_ns,
        began_ns,
        ended_ns,
    )

    async def read(topic: str) -> list[OutputRecord]:
        portions = [portion async for portion in read_all(connection, topic, partitions)]
        return [record for portion in portions for record in portion]

    checker = Checker(rules, await read(settings.late_topic), await read(settings.dead_topic))
    async for records in read_all(connection, settings.input_topic, partitions):
        checker.add_ticks(InputRecord(*record[:5]) for record in records)
    return checker.finish(await read(settings.bar_topic))
