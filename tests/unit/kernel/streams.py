"""Random configurations and random lives of a kernel, for the comparison of twin and compiled.

Drawn from a plain Random, not from hypothesis' strategies: a life has to be hundreds of ticks
dense before windows fill, close and come late, and drawing those one by one takes seconds.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from random import Random

from barengine.codec.read import run_plan
from barengine.codec.symbols import SymbolNames
from barengine.codec.tick import BadTick, DecodedTick, SlowDecoder
from barengine.kernel import BrokerState, KernelConfig, RecordBatch, SeriesState, WindowBlock
from barengine.model import (
    NEVER,
    Framing,
    KeyFormat,
    Normalize,
    Order,
    Period,
    Reason,
    Watermark,
)
from tests.unit.kernel.build import NOON_MS, NOON_NS, batch, text, varint
from tests.unit.kernel.pair import EVERYTHING, Pair
from tests.unit.kernel.sized import size_bytes, sized_plan

SIZED_PLAN = sized_plan(unit_ns=1)
NAMES = ("A", "B|\\", "émetteur-long-name")
SYMBOLS = ("X", "EURUSD", "eurusd", "a|b", "\\", "日経平均株価指数", "S" * 256)

_FAR = (2**62, -(2**62), 2**61, -(2**61), -1, 0, 1)
_SIZES = (0, 1, 10**9, 5 * 10**11, 10**14, 3 * 10**14, 10**17, 10**18 - 1, 10**18, -1)
_ALIASES = {"A": {"X": "EURUSD"}, "*": {"a|b": "日経平均株価指数", "X": "\\"}}
_FURTHEST_WALL = 2**61
_DURATIONS = (0, 1, 10**9, 5 * 10**9, 60 * 10**9, 600 * 10**9)


def random_config(rng: Random) -> KernelConfig:
    """Every switch of the configuration, with durations near the edges."""
    return KernelConfig(
        period=Period.parse(rng.choice(("1s", "1m", "1h"))),
        grace_ns=rng.choice((*_DURATIONS, rng.randrange(10**12), 2**62)),
        watermark=rng.choice(list(Watermark)),
        idle_timeout_ns=rng.choice((None, *_DURATIONS)),
        max_future_ns=rng.choice((*_DURATIONS, 2**61)),
        order=rng.choice(list(Order)),
        price_scale=rng.choice((0, 2, 9, 18)),
        framing=rng.choice(list(Framing)),
        schema_by_id=rng.random() < 0.5,
        record_time=rng.random() < 0.2,
        key_format=rng.choice(list(KeyFormat)),
        key_header=rng.choice((b"", b"\0\0\0\0\7")),
        value_header=rng.choice((b"", b"\0\0\0\0\x08")),
        began_whole=rng.random() < 0.5,
        sizes=rng.random() < 0.6,
        names=rng.choice((None, SymbolNames(Normalize.UPPER), _names(rng))),
        skip_partial=rng.random() < 0.2,
        trading=rng.choice((None, Trading(rng))),
        out_of_session=rng.choice((Reason.OUT_OF_SESSION, Reason.OUT_OF_SESSION_LATE)),
    )


def _names(rng: Random) -> SymbolNames:
    aliases = {broker: table for broker, table in _ALIASES.items() if rng.random() < 0.8}
    return SymbolNames(rng.choice(list(Normalize)), aliases)


class Trading:
    """Hours that alternate, other ones for each broker; :meth:`change` makes other ones."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.change()

    def change(self) -> None:
        """Others hold from now on."""
        self._length = self._rng.choice((1, 10**9, 90 * 10**9, 7200 * 10**9))
        self._days = self._rng.choice((1, 2, 5))

    def __call__(self, broker: str, time_ns: int) -> tuple[int, int, bool]:
        number = time_ns // self._length
        open_now = (number + len(broker)) % self._days != 0
        return number * self._length, (number + 1) * self._length, open_now


class Life:
    """What happens to one pair of kernels. ``step`` does one random thing and compares."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.config = random_config(rng)
        self.pair = Pair(self.config)
        self.offset = 0
        self.now = NOON_NS
        self.observed = 0
        self.spread = rng.choice((1, 3, 30)) * self.config.period.length_ns
        self._steps = (
            *(self.feed,) * 6,
            *(self.advance, self.resume, self.drain, self.take, self.take, self.take_series),
            *(self.evict, self.load, self.change_schema, self.store, self.restart),
            *(self.take_live, self.take_live, self.reschedule),
        )
        for schema_id in (0, 1, 2):
            self.pair.add_schema(schema_id, SIZED_PLAN)

    def step(self) -> None:
        """One random call on both kernels."""
        self.rng.choice(self._steps)()

    def feed(self) -> None:
        """A batch, entered and left anywhere, live or as replay, at times out of order."""
        content = self.batch()
        first = content.base_offset
        start = self.rng.choice((0, 0, 0, first + self.rng.randrange(10)))
        stop = self.rng.choice((EVERYTHING, EVERYTHING, first + self.rng.randrange(60)))
        skip = sorted(self.rng.choices(range(first, first + 60), k=self.rng.choice((0, 0, 5))))
        wall = self.rng.choice((self.now, self.now + 10**12, _FURTHEST_WALL))
        replay = self.rng.random() < 0.2
        self.pair.feed(content, start, stop, wall, replay=replay, skip=tuple(skip))

    def batch(self) -> RecordBatch:
        """The next records; offsets go on from the last batch's, seldom back."""
        rng = self.rng
        self.now += rng.choice((0, 1, 5)) * self.config.period.length_ns
        values = [self.value() for _ in range(rng.choice((0, 1, 10, 50)))]
        deltas = [place * rng.choice((1, 1, 2)) for place in range(len(values))]
        base, self.offset = self.offset, self.offset + (deltas[-1] if deltas else 0) + 1
        return batch(
            [(rng.choice((None, b"", b"key")), value) for value in values],
            rng.choice((base, base, base, base // 2)),
            base_time_ms=rng.choice((NOON_MS, NOON_MS, 0, -1, 2**53, -(2**63))),
            append_time_ms=rng.choice((None, None, NOON_MS, 2**43)),
            offset_deltas=deltas,
            time_deltas=[rng.randrange(-(10**6), 10**6) for _ in values],
            headers=rng.choice(((), (), (("h", b"v"), ("n", None)))),
        )

    def value(self) -> bytes | None:
        """One value; seldom null, cut, of a wrong frame or with a name that is no name."""
        rng = self.rng
        odd = rng.random() < 0.01
        broker = rng.choice(("", "N" * 257) if odd else NAMES)
        symbol = rng.choice(SYMBOLS)
        body = text(broker) + text(symbol) + varint(self.time()) + struct.pack("<d", self.price())
        body += self.size()
        if self.config.framing is Framing.CONFLUENT:
            body = b"\0\0\0\0" + rng.choice((b"\1", b"\1", b"\1", b"\2", b"\3")) + body
        fate = rng.random()
        if fate < 0.01:
            return None
        if fate < 0.03:
            return body[: rng.randrange(len(body) + 1)]
        return b"\1" + body[1:] if fate < 0.04 else body

    def time(self) -> int:
        """Around now, often on a bucket's edge or as before; seldom far away."""
        rng, length = self.rng, self.config.period.length_ns
        near = self.now - rng.randrange(self.spread)
        edge = self.config.period.floor(near) + rng.choice((-1, 0, 1, length - 1))
        far = rng.choice((*_FAR, 2**62 + 1, -(2**63)))
        return rng.choices((near, edge, self.now, far), (50, 20, 10, 1))[0]

    def price(self) -> float:
        """Everyday prices, a few that repeat, and every double there is."""
        rng = self.rng
        bits: float = struct.unpack("<d", rng.randbytes(8))[0]
        some = (rng.uniform(-2, 2), 1.5, -1.5, 1e-9, bits, float("inf"), float("nan"))
        return rng.choices(some, (50, 20, 20, 5, 2, 1, 1))[0]

    def size(self) -> bytes:
        """Size and what may be touched: everyday ones, and those near a window's limit."""
        rng = self.rng
        size = rng.choices((rng.randrange(10**12), rng.choice(_SIZES)), (3, 1))[0]
        bits = rng.choices((3, 1, 2, rng.choice((-1, 0, 4))), (60, 20, 20, 1))[0]
        return size_bytes(None if rng.random() < 0.2 else size, bits)

    def clock(self) -> int:
        """A clock as it may be stored."""
        return self.rng.choice((NEVER, self.now, self.now - self.rng.randrange(10**13), -(2**61)))

    def advance(self) -> None:
        """Silence, mostly a little more of it."""
        self.observed += self.rng.choice((0, 10**8, 10**9, 10**11, 10**13))
        observed = self.rng.choice((self.observed, self.observed, self.observed // 2))
        self.pair.both(lambda kernel: kernel.advance(observed))

    def resume(self) -> None:
        """A take-over at some wall time."""
        wall = self.now + self.rng.choice((-(10**12), 0, 10**9, 10**12))
        self.pair.both(lambda kernel: kernel.resume_silence(wall))

    def drain(self) -> None:
        """Close what is due."""
        self.pair.both(lambda kernel: kernel.drain())

    def take(self) -> None:
        """Take bars out, in output batches of any size."""
        self.pair.take(self.rng.choice((-1, 0, 150, 700, 5000)))

    def take_live(self) -> None:
        """Take the bars so far, at times before what is due has been closed."""
        self.pair.take_live(self.rng.choice((-1, 0, 150, 700, 5000)))

    def reschedule(self) -> None:
        """Other hours hold."""
        if isinstance(self.config.trading, Trading):
            self.config.trading.change()
        self.pair.both(lambda kernel: kernel.reschedule())

    def take_series(self) -> None:
        """Take states out without a drain before."""
        self.pair.take_series(self.rng.choice((-1, 0, 60, 400)))

    def evict(self) -> None:
        """Forget what is old, in the middle of everything."""
        before = self.rng.choice((self.now, self.now + 1, 2**62, NEVER))
        self.pair.both(lambda kernel: kernel.evict(before))

    def load(self) -> None:
        """Put clocks in as an earlier owner stored them."""
        rng = self.rng
        brokers = [
            BrokerState(rng.choice(NAMES), *(self.clock() for _ in range(6)))
            for _ in range(rng.choice((0, 1)))
        ]
        series = [
            SeriesState(rng.choice((*NAMES, "C")), symbol, self.clock(), self.clock())
            for symbol in rng.sample(SYMBOLS, rng.choice((0, 2)))
        ]
        self.pair.both(lambda kernel: kernel.load(brokers, series))

    def store(self) -> None:
        """The open windows are stored, in blocks of any size, as of any offset."""
        as_of = self.rng.choice((self.offset, self.offset, self.offset // 2))
        self.pair.store(as_of, self.rng.choice((0, 100, 1000, EVERYTHING)))

    def restart(self) -> None:
        """Fresh kernels, at times with other rules, take what was stored, at times damaged."""
        rng, old = self.rng, self.pair
        if rng.random() < 0.2:
            grace, mode = rng.choice(_DURATIONS), rng.choice(list(Watermark))
            self.config = replace(self.config, grace_ns=grace, watermark=mode)
        brokers = old.kernels[0].brokers()
        self.pair = Pair(self.config)
        for schema_id in (0, 1, 2):
            self.pair.add_schema(schema_id, SIZED_PLAN)
        self.pair.both(lambda kernel: kernel.load(brokers, []))
        self.pair.blocks, self.pair.as_of = self.damaged(old.blocks), old.as_of
        self.pair.load_stored()

    def damaged(self, blocks: list[WindowBlock]) -> list[WindowBlock]:
        """Mostly as they were; else one byte is another, or the count, or the end is missing."""
        if not blocks or self.rng.random() < 0.8:
            return blocks
        place = self.rng.randrange(len(blocks))
        count, content = blocks[place].count, blocks[place].content
        at = self.rng.randrange(len(content))
        bad = self.rng.choice(
            (
                WindowBlock(count, content[:at] + self.rng.randbytes(1) + content[at + 1 :]),
                WindowBlock(count, content[:at]),
                WindowBlock(count + self.rng.choice((-1, 1, -(2**40), 2**40)), content),
            )
        )
        return [*blocks[:place], bad, *blocks[place + 1 :]]

    def change_schema(self) -> None:
        """A schema comes, changes how it is read, or goes."""
        schema_id = self.rng.randrange(4)
        match self.rng.choice(("plan", "plan", "slow", "unknown", "forget")):
            case "forget":
                self.pair.both(lambda kernel: kernel.forget_schema(schema_id))
            case "slow":
                slow = slow_decoder(self.config.price_scale)
                self.pair.add_schema(schema_id, None, slow)
            case "unknown":
                self.pair.add_schema(schema_id, None)
            case _:
                self.pair.add_schema(schema_id, SIZED_PLAN)


def slow_decoder(price_scale: int) -> SlowDecoder:
    """Reads the same values record by record, and refuses some."""

    def decode(value: bytes) -> DecodedTick:
        if len(value) % 11 == 0:
            raise BadTick(Reason.MISSING_FIELD)
        return run_plan(SIZED_PLAN, value, 0, price_scale)

    return decode
