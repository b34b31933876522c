"""The check of every period and the book, two programs without common code, agree."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barengine.codec.compile import compile_plan
from barengine.codec.fields import TICK_SCHEMA, Fields
from barengine.codec.records import encode_record, iter_records
from barengine.demo.check import Checker
from barengine.demo.records import InputRecord, OutputRecord
from barengine.demo.report import Report
from barengine.demo.rules import Rules
from barengine.engine.turns import Taken, Turns
from barengine.kernel import (
    BlockForm,
    BookConfig,
    KernelConfig,
    Kind,
    PureBook,
    PureKernel,
    RecordBatch,
    Reject,
    Rung,
    around_the_clock,
)
from barengine.model import NS_PER_S, Order, Period, Watermark
from tests.encoded import encoded
from tests.unit.demo.scene import SILENCE_NS, T0, WALL_NS, letter, tick

LADDER: Final = tuple(map(Period.parse, ("1s", "5s", "15s")))
HORIZON_NS: Final = 20 * NS_PER_S
LONGEST_NS: Final = 12 * NS_PER_S
TIMEOUT_NS: Final = 8 * NS_PER_S


@dataclass
class Ladder:
    """A partition with a book above the kernel, and everything that leaves it."""

    continuous: tuple[Period, ...] = LADDER
    watermark: Watermark = Watermark.BROKER
    ticks: list[InputRecord] = field(default_factory=list)
    late: list[OutputRecord] = field(default_factory=list)
    written: dict[tuple[int, Kind], list[OutputRecord]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def __post_init__(self) -> None:
        by_series = self.watermark is Watermark.SERIES
        config = KernelConfig(
            LADDER[0], NS_PER_S, self.watermark, NS_PER_S, began_whole=True, book=True
        )
        rungs = tuple(Rung(period, period in self.continuous) for period in LADDER)
        forms = {
            (at, kind): BlockForm(period.name) for at, period in enumerate(LADDER) for kind in Kind
        }
        book = BookConfig(
            rungs, by_series, Order.EVENT_TIME, HORIZON_NS, LONGEST_NS, TIMEOUT_NS, forms=forms
        )
        self.kernel = PureKernel(config)
        self.kernel.add_schema(0, compile_plan(TICK_SCHEMA, Fields()))
        self.turns = Turns(self.kernel, PureBook(book, around_the_clock))
        self.observed_ns = 0

    def send(self, symbol: str, at_ms: int, price: float) -> None:
        """One tick."""
        offset, value = len(self.ticks), tick("a", symbol, at_ms, price)
        self.ticks.append(InputRecord(2, offset, b"k", value, T0 + offset))
        batch = RecordBatch(encode_record(0, 0, b"k", value), 1, offset, T0 + offset)
        self.turns.drain()
        while self.turns.held:
            self.commit()
            self.turns.drain()
        for reject in self.kernel.process(batch, offset, offset + 1, WALL_NS).rejects:
            self.turns.correct(reject)

    def fall_silent(self, seconds: int) -> None:
        """So much time is observed without a tick."""
        self.observed_ns += seconds * NS_PER_S
        self.kernel.advance(self.observed_ns)

    def commit(self) -> None:
        """Let everything leave that is due."""
        self.turns.drain()
        taken: Taken = self.turns.take()
        for leaf in taken.leaves:
            for one in encoded(leaf.block):
                topic = self.written[leaf.rung, leaf.kind]
                for raw in iter_records(one.payload, one.count):
                    time_ms = one.base_time_ms + raw.timestamp_delta
                    topic.append(OutputRecord(2, len(topic), raw.key, raw.value, time_ms))
        self.late += [_letter(one) for one in taken.refused]

    def check(self) -> Report:
        """What the check says of it."""
        rules = Rules(
            LADDER[0],
            NS_PER_S,
            Order.EVENT_TIME,
            9,
            self.watermark,
            rollups=LADDER[1:],
            continuous=self.continuous,
            continuous_max_ns=LONGEST_NS,
            feed_timeout_ns=TIMEOUT_NS,
            horizon_ns=HORIZON_NS,
        )
        checker = Checker(rules, self.late, [])
        checker.add_ticks(self.ticks)
        finals, corrections = (
            [self.written[rung, kind] for rung in range(len(LADDER))]
            for kind in (Kind.FINAL, Kind.CORRECTION)
        )
        return checker.finish(*finals, corrections=corrections)


def _letter(reject: Reject) -> OutputRecord:
    return letter(reject, 2, LADDER[0])


def played(ladder: Ladder | None = None) -> Ladder:
    """Two series; y is silent, its tick of second 2 comes late, and so does one of second 6."""
    ladder = ladder or Ladder()
    for at_ms in (0, 2_500, 3_100, 9_000):
        ladder.send("x", at_ms, 1.0 + at_ms)
        ladder.commit()
    for at_ms, price in ((100, 5.0), (2_900, 7.0), (6_100, 8.0)):
        ladder.send("y", at_ms, price)
    ladder.commit()
    ladder.fall_silent(30)
    ladder.commit()
    return ladder


class Step(NamedTuple):
    """A tick of a series, or silence, or a commit."""

    symbol: str = ""
    at_ms: int = 0
    price: float = 0.0
    silence_s: int = 0


steps = st.one_of(
    st.tuples(st.sampled_from("xyz"), st.integers(0, 60_000), st.floats(1, 99)).map(
        lambda tick: Step(*tick)
    ),
    st.integers(0, 9).map(lambda seconds: Step(silence_s=seconds)),
)


@given(
    st.lists(steps, max_size=40),
    st.sets(st.sampled_from(LADDER)),
    st.sampled_from(Watermark),
)
def test_the_check_agrees_with_the_book(
    steps: list[Step], continuous: set[Period], watermark: Watermark
) -> None:
    """Whatever comes in whatever order: every bar of every period is exact, however it came."""
    ladder = Ladder(tuple(sorted(continuous, key=lambda one: one.length_ns)), watermark)
    for step in steps:
        if step.symbol:
            ladder.send(*step[:3])
        elif step.silence_s:
            ladder.fall_silent(step.silence_s)
        else:
            ladder.commit()
    ladder.observed_ns += SILENCE_NS
    ladder.kernel.advance(ladder.observed_ns)
    ladder.commit()
    while ladder.turns.held:
        ladder.commit()

    report = ladder.check()

    assert report.differences == []
    assert report.ok
    assert report.in_bars + report.late == report.ticks_in


def test_the_report_tells_each_period() -> None:
    """Finals, filled ones and corrections by period; ticks by how they came into their bars."""
    report = played().check()
    assert report.ok, report.lines()
    assert report.corrected == 3
    assert [line.split(" ")[0] for line in report.lines()[1:4]] == ["1s:", "5s:", "15s:"]
    counts = report.periods["1s"]
    assert counts.filled > 0
    assert counts.corrections > 3


FAULTS: Final = {
    "a filled bar is lost": (0, Kind.FINAL, "missing bar"),
    "the newest correction is lost": (0, Kind.CORRECTION, "different bar"),
    "a roll-up is lost": (1, Kind.FINAL, "missing bar"),
    "a roll-up's correction is lost": (1, Kind.CORRECTION, "different bar"),
}


@pytest.mark.parametrize(("rung", "kind", "said"), FAULTS.values(), ids=FAULTS)
def test_a_lost_record_is_seen(rung: int, kind: Kind, said: str) -> None:
    """Each record counts: any that is not there leaves something missing or different. The very
    last filled bar alone tells by itself how far the clock had come."""
    size = len(played().written[rung, kind])
    assert size
    for place in range(size - ((rung, kind) == (0, Kind.FINAL))):
        ladder = played()
        del ladder.written[rung, kind][place]
        assert not ladder.check().ok, place
    assert any(said in str(one) for one in ladder.check().differences)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("rung", range(len(LADDER)))
def test_a_record_that_is_there_twice_is_seen(rung: int, kind: Kind) -> None:
    """Finals and corrections of every period."""
    for place in range(len(played().written[rung, kind])):
        ladder = played()
        topic = ladder.written[rung, kind]
        topic.insert(place, topic[place])
        assert not ladder.check().ok, place
