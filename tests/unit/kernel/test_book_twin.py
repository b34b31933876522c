"""The compiled book does what the pure one does, to the byte, whatever happens to both."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from barengine.codec.records import iter_records
from barengine.kernel import (
    BlockForm,
    Book,
    BookBlock,
    BookConfig,
    Hours,
    Kernel,
    KernelConfig,
    Kind,
    Outcome,
    RecordBatch,
    Reject,
    Rung,
    book_class,
    kernel_class,
)
from barengine.kernel._book import Page
from barengine.model import (
    DAY_NS,
    HOUR_NS,
    MAX_SIZE,
    NS_PER_S,
    KeyFormat,
    Order,
    Period,
    Watermark,
)
from tests.encoded import encoded, encoded_state
from tests.fuzz.mutate import mutated
from tests.unit.kernel.build import NOON_NS, batch, text, varint
from tests.unit.kernel.sized import size_bytes, sized_plan

_T = TypeVar("_T")

ALL = 2**31 - 1
BROKERS = ("A", "B|\\", "é")
SYMBOLS = ("X", "Y", "a|b", "日経")
LADDERS = ("1s", "1s,5s", "1s,5s,15s", "1s,1m,1h,1d", "1m,1h,1d", "1m,5m,15m,1h,1d")


def random_hours(rng: Random) -> Callable[[str, int], Hours | None]:
    """Hours of every day, in tables of some days each; one broker trades around the clock."""
    length, first = rng.choice((HOUR_NS, DAY_NS)), rng.randrange(HOUR_NS) // NS_PER_S * NS_PER_S
    opened = rng.randrange(length // 2, length) // NS_PER_S * NS_PER_S
    days = rng.choice((1, 2, 9))

    def calendar(broker: str, time_ns: int) -> Hours | None:
        if broker == BROKERS[1]:
            return None
        start = time_ns // (days * DAY_NS) * days * DAY_NS
        opens = range(start - length + first, start + days * DAY_NS, length)
        pauses = [at + opened // 2 for at in opens][::2]
        return Hours(
            start,
            start + days * DAY_NS,
            array("q", opens),
            array("q", [at + opened for at in opens]),
            array("q", [at // DAY_NS for at in opens]),
            array("q", pauses),
            array("q", [at + opened // 9 for at in pauses]),
            array("q", [at + opened // 3 for at in opens]),
            array("q", [at + opened // 3 + 60 * NS_PER_S for at in opens]),
        )

    return calendar


def random_config(rng: Random) -> BookConfig:
    """Every switch of it."""
    flat = rng.choice((0.0, 0.5, 1.0))
    ladder = tuple(
        Rung(Period.parse(one), rng.random() < flat) for one in rng.choice(LADDERS).split(",")
    )
    order, skip = rng.choice(list(Order)), rng.random() < 0.2
    keys = rng.choice(list(KeyFormat))
    base = ladder[0].period.length_ns
    return BookConfig(
        ladder,
        by_series=rng.random() < 0.3,
        order=order,
        horizon_ns=rng.choice((None, 0, base, 20 * base, 10**18)),
        continuous_max_ns=rng.choice((0, base, 30 * base, 100 * base)),
        feed_timeout_ns=rng.choice((0, base, 5 * base)),
        sized=rng.random() < 0.5,
        forms={
            (at, kind): BlockForm(rung.period.name, order, keys, b"k", b"v", skip)
            for at, rung in enumerate(ladder)
            for kind in Kind
        },
    )


class Twins:
    """Both kernels and both books; every call goes to each, and answers must be equal."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.config = random_config(rng)
        self.base_ns = self.config.rungs[0].period.length_ns
        self.calendar = random_hours(rng) if rng.random() < 0.6 else (lambda _broker, _time: None)
        self.grace_ns = rng.choice((0, 0, 2, 10)) * self.base_ns
        self.began_whole = rng.random() < 0.5
        self.now, self.offset, self.observed = NOON_NS, 0, 0
        self.pages: dict[bytes, bytes] = {}
        self.rejects: list[Reject] = []
        self.begin()

    def begin(self) -> None:
        """Fresh kernels and books."""
        how = KernelConfig(
            self.config.rungs[0].period,
            self.grace_ns,
            watermark=Watermark.SERIES if self.config.by_series else Watermark.BROKER,
            idle_timeout_ns=3 * self.base_ns,
            order=self.config.order,
            began_whole=self.began_whole,
            sizes=self.config.sized,
            book=True,
        )
        self.kernels: list[Kernel] = [kernel_class(name)(how) for name in ("pure", "compiled")]
        for kernel in self.kernels:
            kernel.add_schema(0, sized_plan(unit_ns=1))
        self.books: list[Book] = [
            book_class(type(kernel))(self.config, self.hours) for kernel in self.kernels
        ]

    def hours(self, broker: str, time_ns: int) -> Hours | None:
        """The calendar, which may become another one."""
        return self.calendar(broker, time_ns)

    def same(self, call: Callable[[Kernel, Book], _T]) -> _T:
        """The answer that both gave."""
        pure, compiled = map(call, self.kernels, self.books)
        assert compiled == pure
        return pure

    def step(self) -> None:
        """Some ticks, or silence; then as often as not a turn."""
        rng = self.rng
        if rng.random() < 0.15:
            self.observed += rng.choice((1, 4, 30)) * self.base_ns
            self.same(lambda kernel, _: kernel.advance(self.observed))
        values = [self.value() for _ in range(rng.choice((1, 1, 5, 20)))]
        self.feed(values)
        rng.choice((self.turn, self.turn, self.turn, self.restart, self.evict, self.reschedule))()

    def value(self) -> bytes:
        """A tick around now, of any size and touch."""
        rng = self.rng
        self.now += rng.choice((0, 0, 1, 3, 20)) * rng.randrange(self.base_ns)
        if rng.random() < 0.03:
            self.now += rng.choice((HOUR_NS, DAY_NS)) // rng.choice((1, 10))
        back = rng.choice((0, 0, 0, 1, 6, 40)) * rng.randrange(self.base_ns)
        names = text(rng.choice(BROKERS)) + text(rng.choice(SYMBOLS))
        size = rng.choice((None, 0, 10**9, rng.randrange(10**15), MAX_SIZE // 3))
        price = rng.choice((rng.randrange(-40, 400) / 8, 999_999.0))
        body = varint(self.now - back) + array("d", [price]).tobytes()
        return b"\0\0\0\0\0" + names + body + size_bytes(size, rng.choice((1, 2, 3, 3)))

    def feed(self, values: list[bytes]) -> None:
        """All of them, as the engine does: what is asked for is allowed, and ticks wait for it."""
        content, stop = batch(values, self.offset), self.offset + len(values)
        while self.offset < stop:
            start, most_late = self.offset, self.rng.choice((1, 2, ALL))
            out = self.same(partial(processed, content, start, stop, most_late))
            self.offset = out.next_offset
            self.rejects += out.rejects
            self.drain()

    def drain(self) -> None:
        """Close what is due."""
        while held := self.same(lambda kernel, _: kernel.held()):
            self.turn()
            limit, more = self.rng.choice((1, 7, 50, 10**4)), self.rng.choice((0, 1, 9))
            for broker, through in held:
                far = self.same(partial(due, broker, through, limit, more))
                self.same(partial(allowed, broker, far))
        self.same(lambda kernel, _: kernel.drain())

    def turn(self) -> None:
        """Everything that a commit takes, compared as bytes and as objects."""
        self.same(lambda kernel, _: kernel.drain())
        self.same(lambda kernel, book: book.waits(kernel.brokers()))
        late = [one for one in self.rejects if one.reason.late]
        self.rejects = []
        if self.config.horizon_ns is None:
            late = []
        size = self.rng.choice((1, 500, ALL))

        def turned(kernel: Kernel, book: Book) -> object:
            block, series = kernel.take_bars(), kernel.take_series()
            return told(book.turn(block, late, kernel.brokers(), series), size)

        self.same(turned)
        self.same(lambda _, book: book.take_starts())
        if self.rng.random() < 0.7:
            self.store()

    def store(self) -> None:
        """Take the pages that changed."""
        size = self.rng.choice((1, 500, ALL))
        blocks = [book.take_pages() for book in self.books]
        pure, compiled = ((len(b), encoded_state(b, size, 7)) for b in blocks)
        assert compiled == pure
        for key, value in records(blocks[0]):
            self.pages.pop(key, None)
            if value is not None:
                self.pages[key] = value

    def restart(self) -> None:
        """Load what was stored, perhaps with other settings, perhaps without some pages."""
        self.turn()
        self.store()
        brokers = self.same(lambda kernel, _: kernel.brokers())
        starts = self.rng.choice(([], self.same(lambda _, book: book.take_starts())))
        if self.rng.random() < 0.3:
            other = random_config(self.rng)
            self.config = replace(
                self.config, horizon_ns=other.horizon_ns, continuous_max_ns=other.continuous_max_ns
            )
        self.begin()
        series: list[object] = []
        self.same(lambda kernel, _: kernel.load(brokers, ()))
        self.same(lambda _, book: book.load(brokers, series, starts))  # type: ignore[arg-type]
        pages = [one for one in self.pages.items() if self.rng.random() < 0.95]
        self.same(lambda _, book: book.load_pages(pages))
        self.same(lambda _, book: book.reschedule())

    def evict(self) -> None:
        """Forget, mostly what is old."""
        ttl = self.rng.choice((0, 10, 10**6)) * self.base_ns
        for key in self.same(lambda _, book: book.evict(ttl)):
            self.pages.pop(key, None)

    def reschedule(self) -> None:
        """Other hours from now on."""
        if self.rng.random() < 0.6:
            self.calendar = random_hours(self.rng)
        self.same(lambda _, book: book.reschedule())


def processed(
    content: RecordBatch, start: int, stop: int, most_late: int, kernel: Kernel, _: Book
) -> Outcome:
    return kernel.process(content, start, stop, 2**61, most_late=most_late)


def due(broker: str, through: int, limit: int, more: int, _: Kernel, book: Book) -> int:
    return book.due(broker, through, limit, more)


def allowed(broker: str, through: int, kernel: Kernel, _: Book) -> None:
    kernel.allow(broker, through)


def told(page: Page, size: int) -> object:
    """Everything that a turn gave."""
    leaves = [
        (
            *(leaf.rung, leaf.kind, leaf.filled, len(leaf.block), leaf.block.skipped),
            *(leaf.block.bars(), encoded(leaf.block, size)),
        )
        for leaf in page.leaves
    ]
    return leaves, page.refused


def records(block: BookBlock) -> list[tuple[bytes, bytes | None]]:
    """As keys and values."""
    return [
        (record.key or b"", record.value)
        for one in encoded_state(block)
        for record in iter_records(one.payload, one.count)
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 15))
def test_both_books_agree_after_every_step(seed: int, steps: int) -> None:
    """Bars, corrections, pages, starts, what is due and what is refused are equal to the byte."""
    twins = Twins(Random(seed))
    for _ in range(steps):
        twins.step()
    twins.turn()
    twins.store()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_damaged_pages_are_refused_by_both(seed: int) -> None:
    """With ValueError, or both read the same from what is left."""
    rng = Random(seed)
    twins = Twins(rng)
    for _ in range(5):
        twins.step()
    twins.turn()
    twins.store()
    for key, value in list(twins.pages.items()):
        twins.begin()
        damaged = mutated(rng, value, 2) or b"\1"
        twins.same(partial(refused, (key, damaged)))


def refused(page: tuple[bytes, bytes], _: Kernel, book: Book) -> bool:
    """Whether the book takes the page for damaged."""
    book.load([], [], [])
    try:
        book.load_pages([page])
    except ValueError:
        return True
    return False
