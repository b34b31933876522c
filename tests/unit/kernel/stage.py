"""A kernel and the book above it, played tick by tick; what leaves is kept as a reader sees it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from barengine.codec.records import iter_records
from barengine.engine.turns import Turns
from barengine.kernel import (
    BlockForm,
    Book,
    BookConfig,
    BookStart,
    Calendar,
    Hours,
    Kernel,
    KernelConfig,
    Kind,
    Reject,
    Rung,
    around_the_clock,
    book_class,
)
from barengine.model import DAY_NS, NS_PER_S, Bar, Order, Period, Touch, Watermark
from tests.encoded import encoded_state
from tests.unit.kernel.build import NOON_MS, NOON_NS, TICK_PLAN, batch, tick_value
from tests.unit.kernel.sized import size_bytes, sized_plan

FOREVER: Final = 2**61

Name = tuple[int, str, str, int]
"""Rung, broker, symbol and bucket start of a bar."""


def rungs(text: str, continuous: str = "") -> tuple[Rung, ...]:
    """``1s,5s,1m`` as a ladder."""
    flat = continuous.split(",") if continuous else []
    return tuple(Rung(Period.parse(one), one in flat) for one in text.split(","))


def book_config(ladder: tuple[Rung, ...], **rest: Any) -> BookConfig:
    """A configuration with a form for every leaf; ``skip``: without partial bars."""
    order, skip = rest.get("order", Order.EVENT_TIME), rest.pop("skip", False)
    forms = {
        (at, kind): BlockForm(rung.period.name, order, skip_partial=skip)
        for at, rung in enumerate(ladder)
        for kind in Kind
    }
    return BookConfig(ladder, forms=forms, **rest)


def hours(
    *sessions: tuple[float, float],
    breaks: Iterable[tuple[float, float]] = (),
    halts: Iterable[tuple[float, float]] = (),
) -> Hours:
    """Hours of one market in seconds after NOON, complete for all time."""

    def column(pairs: Iterable[tuple[float, float]], side: int) -> array[int]:
        return array("q", [NOON_NS + round(pair[side] * NS_PER_S) for pair in pairs])

    breaks, halts = list(breaks), list(halts)
    return Hours(
        -(2**62) // DAY_NS * DAY_NS,
        2**62 // DAY_NS * DAY_NS + DAY_NS,
        column(sessions, 0),
        column(sessions, 1),
        array("q", [20_000 + at for at in range(len(sessions))]),
        column(breaks, 0),
        column(breaks, 1),
        column(halts, 0),
        column(halts, 1),
    )


@dataclass(slots=True)
class Stage:
    """One partition. Times of ticks are seconds after NOON."""

    kind: type[Kernel]
    config: BookConfig
    grace_s: float = 0
    watermark: Watermark = Watermark.BROKER
    idle_s: float | None = None
    whole: bool = True
    """The log was read from its first record on."""
    calendar: Calendar = around_the_clock
    kernel: Kernel = field(init=False)
    book: Book = field(init=False)
    turns: Turns = field(init=False)
    offset: int = 0
    refused: list[Reject] = field(default_factory=list)
    dead: list[Reject] = field(default_factory=list)
    left: list[tuple[int, Kind, Bar]] = field(default_factory=list)
    """Every bar in order of leaving: rung, kind, bar."""
    pages: dict[bytes, bytes] = field(default_factory=dict)
    """State records of the book."""
    starts: dict[str, BookStart] = field(default_factory=dict)
    values: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.kernel = self.kind(
            KernelConfig(
                self.config.rungs[0].period,
                round(self.grace_s * NS_PER_S),
                watermark=self.watermark,
                idle_timeout_ns=None if self.idle_s is None else round(self.idle_s * NS_PER_S),
                order=self.config.order,
                began_whole=self.whole,
                sizes=self.config.sized,
                book=True,
            )
        )
        self.kernel.add_schema(0, sized_plan() if self.config.sized else TICK_PLAN)
        self.book = book_class(self.kind)(self.config, self._hours)
        self.turns = Turns(self.kernel, self.book)

    def _hours(self, broker: str, time_ns: int) -> Hours | None:
        return self.calendar(broker, time_ns)

    def trade_by(self, calendar: Calendar) -> None:
        """Other hours from now on."""
        self.calendar = calendar
        self.book.reschedule()

    def restart(self, config: BookConfig | None = None) -> None:
        """Another process goes on with what the last commit stored, and no open window."""
        brokers, known = self.kernel.brokers(), list(self.starts.values())
        self.config = config or self.config
        self._begin()
        self.kernel.load(brokers, ())
        self.book.load(brokers, (), known)
        self.book.load_pages(self.pages.items())
        self.book.reschedule()
        self.kernel.process(batch(self.values), 0, self.offset, 0, replay=True)

    def tick(
        self,
        seconds: float,
        price: float,
        symbol: str = "X",
        broker: str = "A",
        size: int | None = None,
        touch: int = Touch.BOTH,
    ) -> None:
        """One more record; sizes, in units of 10**-9, and touches only where there are some."""
        value = tick_value(broker, symbol, NOON_MS + round(seconds * 1000), price)
        if self.config.sized:
            value += size_bytes(size, touch)
        self.values.append(value)
        out = self.kernel.process(batch([value], self.offset), 0, self.offset + 1, FOREVER)
        self.offset += 1
        for late in out.rejects:
            if late.reason.late:
                self.turns.correct(late)
            else:
                self.dead.append(late)
        self.turns.drain()

    def commit(self) -> None:
        """What a commit does: close what is due, turn, take everything."""
        self.turns.drain()
        taken = self.turns.take()
        self.refused += taken.refused
        self.dead += taken.dead
        assert taken.pages is not None
        for one in encoded_state(taken.pages):
            for record in iter_records(one.payload, one.count):
                self.pages.pop(record.key or b"", None)
                if record.value is not None:
                    self.pages[record.key or b""] = record.value
        for start in self.book.take_starts():
            self.starts[start.broker] = start
        for leaf in taken.leaves:
            self.left += [(leaf.rung, leaf.kind, bar) for bar in leaf.block.bars()]

    def silence(self, seconds: float) -> None:
        """So much silence in total has been observed."""
        self.kernel.advance(round(seconds * NS_PER_S))

    def newest(self) -> dict[Name, Bar]:
        """What a reader keeps who takes the newest of each key."""
        found: dict[Name, Bar] = {}
        for rung, _, bar in self.left:
            name = (rung, bar.broker, bar.symbol, bar.bucket_start_ns)
            assert name not in found or found[name].revision < bar.revision
            found[name] = bar
        return found
