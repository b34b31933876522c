"""One engine's world on the broker: its context, its topics, and the independent verdict on them.

A scene has a context of its own, so that scenes never meet. Its input topic is made here; the
engine makes the others.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import fastavro

from barengine.codec.bar import bar_schema
from barengine.demo.check import Checker
from barengine.demo.records import OutputRecord
from barengine.demo.report import Report
from barengine.demo.rules import Rules
from barengine.engine.state import StateImage
from barengine.model import Order, Period
from barengine.settings import Settings, load_settings
from tests.broker.engine_process import PREFIX, RUN, EngineProcess
from tests.broker.records import (
    Record,
    end_offsets,
    make_topic,
    read_input,
    read_output,
    write,
)
from tests.broker.ticks import tick
from tests.processes import eventually

QUICK: Final = {
    "WINDOW": "1s",
    "GRACE": "0s",
    "IDLE_TIMEOUT": "1s",
    "AUTO_CREATE_TOPICS": "on",
    "HTTP_HOST": "127.0.0.1",
    "HTTP_PORT": "0",
}
"""The shortest windows and waits that may be set: nobody wants to wait for a test."""

LONG_SESSION: Final = {"SESSION_TIMEOUT": "60s"}
"""For an engine that must keep its partitions though it, or the broker, stands still for half a
minute. One that is killed keeps them as long, unless it has a GROUP_INSTANCE_ID."""

KEEP: Final = {"retention_ms": "-1"}
"""Replayed ticks are years old, and a broker deletes by record timestamp."""

CLOSER: Final = "closes the others"
CLOSED_BY_MS: Final = 10_000_000
"""Far behind all ticks of a test, for every grace."""

SCALE: Final = 9
Bar = dict[str, Any]


class Scene:
    """A context with its input topic.

    Args:
        folder: takes the logs of the engines.
        settings: for every engine of the scene, over QUICK.
        config: of the input topic, such as ``{"max_message_bytes": "2000000"}``.
    """

    def __init__(
        self,
        bootstrap: str,
        folder: Path,
        partitions: int = 1,
        settings: dict[str, str] | None = None,
        config: dict[str, str] | None = None,
        make_input: bool = True,
    ) -> None:
        self.bootstrap = bootstrap
        self.context = f"t{uuid.uuid4().hex[:10]}"
        given = {**QUICK, "BOOTSTRAP_SERVERS": bootstrap, "CONTEXT": self.context}
        self.given = given | (settings or {})
        self.settings = read_settings(self.given)
        self._folder = folder
        self._runs = itertools.count(1)
        self.partitions = partitions
        if make_input:
            self.make_topic(self.settings.input_topic, **(config or {}))

    def make_topic(self, topic: str, **config: str) -> None:
        """Make a topic with as many partitions as the scene has; nothing in it ever expires."""
        make_topic(self.bootstrap, topic, self.partitions, **KEEP | config)

    def engine(self, command: tuple[str, ...] = RUN, **settings: str) -> EngineProcess:
        """Start one more engine here; to be used as a context manager."""
        log = self._folder / f"{self.context}-{next(self._runs)}.log"
        return EngineProcess(self.given | settings, log, command)

    def produce(self, records: Iterable[Record], codec: str = "none") -> None:
        """Write to the input topic."""
        write(self.bootstrap, self.settings.input_topic, records, codec)

    # -- what came out ---------------------------------------------------------------------

    def bar_records(self, *, committed: bool = True) -> list[OutputRecord]:
        return read_output(self.bootstrap, self.settings.bar_topic, committed=committed)

    def records_of(self, topic: str) -> list[OutputRecord]:
        """Everything committed in a topic."""
        return read_output(self.bootstrap, topic)

    def late(self) -> list[OutputRecord]:
        return read_output(self.bootstrap, self.settings.late_topic)

    def dead(self) -> list[OutputRecord]:
        return read_output(self.bootstrap, self.settings.dead_topic)

    def bars(self, broker: str | None = None) -> list[Bar]:
        """Bars by field name, of one broker or of all."""
        bars = [decode_bar(record.value or b"") for record in self.bar_records()]
        return [bar for bar in bars if broker in (None, bar["broker"])]

    def state(self, partition: int = 0) -> StateImage:
        """The stored state of a partition."""
        records = read_output(self.bootstrap, self.settings.state_topic)
        return StateImage.read([(r.key, r.value) for r in records if r.partition == partition])

    def has_committed(self, partition: int) -> bool:
        """Whether an engine has ever got beyond the first record of a partition."""
        stored = self.state(partition).partition
        return stored is not None and stored.commit_offset > 0

    # -- waiting ---------------------------------------------------------------------------

    def until_bars(self, engine: EngineProcess, count: int, broker: str | None = None) -> list[Bar]:
        """Wait for at least so many bars (of one broker), and return them."""
        seen: list[Bar] = []

        def enough() -> bool:
            seen[:] = self.bars(broker)
            return len(seen) >= count

        engine.until(f"{count} bars of {broker or 'all brokers'}", enough)
        return seen

    def until_idle(self, *engines: EngineProcess) -> None:
        """Wait until the engines together have read everything and closed every window."""
        ends = end_offsets(self.bootstrap, self.settings.input_topic)

        def idle() -> bool:
            tasks = {n: task for engine in engines for n, task in engine.tasks().items()}
            return tasks.keys() == ends.keys() and all(
                task.get("position", -1) >= ends[number] and task["windows_open"] == 0
                for number, task in tasks.items()
            )

        engines[0].until("everything read and closed", idle)

    # -- the verdict -----------------------------------------------------------------------

    def report(self, only: Callable[[Any], bool] | None = None) -> Report:
        """Everything committed, held against what the ticks make of it.

        Args:
            only: which input records to look at; the others are as if they had not been sent.
        """
        settings = self.settings
        checker = Checker(Rules.of(settings), self.late(), self.dead())
        checker.add_ticks(filter(only, read_input(self.bootstrap, settings.input_topic)))
        return checker.finish(
            self.bar_records(),
            *(self.records_of(settings.topic_of(one)) for one in settings.rollups),
            corrections=[
                self.records_of(settings.corrections_topic(one))
                for one in settings.periods
                if settings.corrects
            ],
        )

    def verify(self, **expected: int | None) -> Report:
        """Insist on a right report with these counts, such as ``late=1``; ``dead`` and ``late``
        are 0 otherwise."""
        return accept(self.report(), **expected)

    def finish_open(self, *engines: EngineProcess, bars: int) -> Report:
        """The same where no silence closes windows: one more tick in each partition does.

        Its own windows stay open, and the report is about all other ticks.
        """
        ends = range(self.partitions)
        self.produce(tick("b", CLOSER, CLOSED_BY_MS, partition=number) for number in ends)
        engines[0].until(f"{bars} bars", lambda: len(self.bar_records()) >= bars)
        codes = [engine.terminate() for engine in engines]
        if any(codes):
            raise AssertionError(f"exit codes {codes}\n{engines[0].tail()}")
        closer = tick("b", CLOSER, 0).key
        return accept(self.report(lambda record: record.key != closer))

    def finish(self, *engines: EngineProcess, **expected: int | None) -> Report:
        """Wait for the last bar, end the engines cleanly and insist on a right report."""
        self.until_idle(*engines)
        codes = [engine.terminate() for engine in engines]
        if any(codes):
            raise AssertionError(f"exit codes {codes}\n{engines[0].tail()}")
        return self.verify(**expected)

    def eventually_right(self, engine: EngineProcess) -> Report:
        """Wait until every tick is accounted for, while the engine goes on."""
        reports: list[Report] = []

        def right() -> bool:
            reports[:] = [self.report()]
            return reports[0].ok

        eventually(lambda: right() or not engine.running)
        return accept(reports[0], late=None, dead=None)


def accept(report: Report, **expected: int | None) -> Report:
    """Insist on a report without differences and with these counts (None: any)."""
    wanted = {"late": 0, "dead": 0} | expected
    counts = {name: getattr(report, name) for name in wanted}
    if not report.ok or any(wanted[n] not in (None, counts[n]) for n in wanted):
        raise AssertionError("\n".join([f"expected {wanted}, found {counts}", *report.lines()]))
    return report


def read_settings(given: dict[str, str]) -> Settings:
    """The settings as the engine reads them: for names of topics, and the rules of the check."""
    return load_settings(None, {PREFIX + key: value for key, value in given.items()})


_BAR: Final = fastavro.parse_schema(bar_schema(SCALE))


def decode_bar(value: bytes) -> Bar:
    """One bar without a frame by field name: prices as Decimal, times as datetime."""
    import io

    bar = fastavro.schemaless_reader(io.BytesIO(value), _BAR, None)
    assert isinstance(bar, dict)
    return bar


__all__ = ["Bar", "Order", "Period", "Scene", "accept", "decode_bar", "read_settings"]
