"""The recorded day through engine and outbox without a broker, cut wherever a test likes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final, cast

from barengine.codec.records import iter_records, parse_headers
from barengine.demo.records import OutputRecord
from barengine.engine.partition import LogRange, PartitionEngine
from barengine.engine.restore import Restore
from barengine.engine.state import StateRecord
from barengine.kernel import Kernel
from barengine.service.calendar import TradingCalendar
from barengine.service.outbox import Outbox
from barengine.service.schedule_load import read_schedule_file
from barengine.service.schemas import SchemaBook
from barengine.service.topics import Topics
from barengine.service.wiring import Wiring
from barengine.settings import load_settings
from tests.golden.day import PARTITIONS, SETTINGS, rows
from tests.unit.kernel.build import batch

_WALL_NS: Final = 2**61
_MAX_BYTES: Final = 60_000
_STEP_RECORDS: Final = 40

Output = dict[str, list[OutputRecord]]
"""Records by topic."""


def _wiring(kernel: type[Kernel]) -> Wiring:
    settings = load_settings(None, {f"BARENGINE_{key}": text for key, text in SETTINGS.items()})
    names = [settings.late_topic, settings.dead_topic, settings.state_topic]
    for period in settings.periods:
        names += [settings.topic_of(period), settings.corrections_topic(period)]
    nobody: Any = None  # no client is asked for anything
    return Wiring(
        settings,
        nobody,
        nobody,
        Topics(PARTITIONS, dict.fromkeys(names, _MAX_BYTES)),
        SchemaBook(settings, None),
        nobody,
        kernel,
        calendar=TradingCalendar(read_schedule_file(Path(SETTINGS["SCHEDULE"]))),
    )


@dataclass(slots=True)
class _Life:
    """One engine of a partition, from recovery to crash."""

    wiring: Wiring
    partition: int
    values: list[bytes | None]
    state: list[StateRecord]
    engine: PartitionEngine = field(init=False)

    def __post_init__(self) -> None:
        wiring, settings = self.wiring, self.wiring.settings
        restore = Restore(self.state, _STEP_RECORDS)
        for step in restore.read():
            step()
        for step in restore.load(wiring.fresh_kernel(restore.image, 0), wiring.fresh_book()):
            step()
        self.engine = restore.engine(
            LogRange(0, len(self.values)),
            wiring.fingerprint(),
            0,
            settings.late_policy,
            settings.restore_max,
        )
        self.engine.reschedule()

    def feed(self, records: int, before: int) -> None:
        """Take so many more records, in a batch that begins ``before`` them."""
        start = self.engine.position
        stop = min(start + records, len(self.values))
        first = max(0, start - before)
        content = batch(self.values[first:stop], first)
        assert self.engine.feed(content, stop, _WALL_NS).need_schema is None

    def commit(self) -> Iterator[tuple[str, OutputRecord]]:
        """What one transaction carries, by topic; the state is kept."""
        settings = self.wiring.settings
        snapshot = self.engine.snapshot()
        self.state += snapshot.all_state()
        for out in Outbox(settings, self.wiring.topics, self.partition).batches(snapshot, 0):
            if out.topic != settings.state_topic:
                for one in iter_records(out.records.payload, out.records.count):
                    time_ms = out.records.base_time_ms + one.timestamp_delta
                    headers = cast("Any", tuple(parse_headers(one.headers)))
                    record = (self.partition, 0, one.key, one.value, time_ms, headers)
                    yield out.topic, OutputRecord(*record)


class Replay:
    """All partitions with one kernel."""

    def __init__(self, kernel: type[Kernel]) -> None:
        self._wiring = _wiring(kernel)
        self._values: list[list[bytes | None]] = [[] for _ in range(PARTITIONS)]
        for row in rows():
            self._values[row.partition].append(row.value())

    def run(self, chance: Random | None) -> Output:
        """The whole day: batches, commits and crashes wherever the dice say, or all at once."""
        found: Output = defaultdict(list)
        for partition in range(PARTITIONS):
            for topic, record in self._partition(partition, chance):
                found[topic].append(record)
        return found

    def _partition(
        self, partition: int, chance: Random | None
    ) -> Iterator[tuple[str, OutputRecord]]:
        state: list[StateRecord] = []
        values = self._values[partition]
        life = _Life(self._wiring, partition, values, state)
        if chance is None:
            life.feed(len(values), 0)
        while chance and life.engine.position < len(values):
            life.feed(chance.randint(1, chance.choice((1, 3, 40, 700))), chance.choice((0, 0, 5)))
            wanted = life.engine.held or chance.random() < 0.4
            if wanted and not life.engine.replaying:
                yield from life.commit()
            if chance.random() < 0.15:
                life = _Life(self._wiring, partition, values, state)
        assert life.engine.position == len(values), "one transaction does not hold the day"
        yield from life.commit()
        while life.engine.has_output:
            yield from life.commit()
