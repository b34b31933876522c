"""Ticks of a made-up market: seeded, in real time, with everything that goes wrong in a real one.

Per second about one tick that is far too late and half a bad record; besides, ticks out of order,
duplicates, bursts, one symbol that falls silent, and one clock in the year 2099. All of it must
end in a bar, among the late ticks or among the dead letters.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from barengine.codec.framing import confluent_header
from barengine.codec.varint import encode_varint
from barengine.naming import join

DEFAULT_RATE: Final = 2_000
BROKERS: Final = ("alpha", "beta", "gamma")

SYMBOLS: Final = (
    ("EURUSD", 108_450, 5),
    ("GBPUSD", 127_210, 5),
    ("USDJPY", 151_380, 3),
    ("AUDUSD", 65_870, 5),
    ("XAUUSD", 265_140, 2),
    ("XAGUSD", 31_255, 3),
    ("US500", 59_104, 1),
    ("BTCUSD", 6_412_350, 2),
)
"""Name, first price in units of its last digit, digits behind the point."""

YEAR_2099_MS: Final = 4_070_908_800_000

_MEAN_DELAY_MS: Final = 80
_MAX_DELAY_MS: Final = 400
"""Ticks are out of order by some hundred ms: less than the demo's grace."""

_BURST_EVERY_MS, _BURST_MS, _BURST_FACTOR = 4_000, 400, 5
_BURST_SHARE: Final = 1 + (_BURST_FACTOR - 1) * _BURST_MS / _BURST_EVERY_MS

_FUTURE_AFTER_MS: Final = 3_000
_SILENT_AFTER_MS: Final = 8_000

_LATE_A_SECOND: Final = 1.0
_BAD_A_SECOND: Final = 0.5
_MOST: Final = 0.01
"""Share of ticks that go wrong in one way, at the most: at low rates, good ones must prevail."""
_DUPLICATES: Final = 0.005

_FRAME: Final = confluent_header(1)
_DOUBLE: Final = struct.Struct("<d")


class Planned(NamedTuple):
    """One record that shall be sent, and when."""

    due_ms: float
    """After the first one; not falling."""
    broker: str
    symbol: str
    event_ms: int
    """Also of a bad record: about when it would have been."""
    price: float | None
    """None: it is a bad record."""
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Market:
    """What is made up.

    Args:
        start_ms: wall clock of the first tick.
        rate: ticks a second, on average.
        late_ms: a tick older than that is certainly late: window and grace.
    """

    seed: int
    start_ms: int
    rate: int = DEFAULT_RATE
    late_ms: int = 6_000


def encode_tick(broker: str, symbol: str, event_ms: int, price: float) -> bytes:
    """A value of the built-in Tick schema, framed as schema id 1."""
    return b"".join(
        (_FRAME, _text(broker), _text(symbol), encode_varint(event_ms), _DOUBLE.pack(price))
    )


def series_key(broker: str, symbol: str) -> bytes:
    """The key of a tick: all of a series have the same, so they share a partition."""
    return join(broker, symbol).encode()


def generate(market: Market) -> Iterator[Planned]:
    """Make up ticks without end; the same market makes the same ones."""
    rng = random.Random(market.seed)  # noqa: S311 - made-up prices need no secrets
    walks = [_Walk(rng, broker, *symbol) for broker in BROKERS for symbol in SYMBOLS]
    due_ms, future_sent = 0.0, False
    while True:
        due_ms += _step_ms(due_ms, market.rate)
        if due_ms >= _SILENT_AFTER_MS and len(walks) == len(BROKERS) * len(SYMBOLS):
            walks.pop()
        walk = rng.choice(walks)
        if due_ms >= _FUTURE_AFTER_MS and not future_sent:
            future_sent = True
            yield walk.tick(due_ms, YEAR_2099_MS)
            continue
        planned = _one(rng, walk, due_ms, market)
        yield planned
        if rng.random() < _DUPLICATES:
            yield planned


def _one(rng: random.Random, walk: _Walk, due_ms: float, market: Market) -> Planned:
    now_ms = market.start_ms + int(due_ms)
    if rng.random() < min(_MOST, _BAD_A_SECOND / market.rate):
        value = rng.choice(_BAD)(walk, now_ms)
        return Planned(due_ms, walk.broker, walk.symbol, now_ms, None, value)
    if rng.random() < min(_MOST, _LATE_A_SECOND / market.rate):
        return walk.tick(due_ms, now_ms - market.late_ms - rng.randrange(1_000, 3_000))
    delay_ms = min(_MAX_DELAY_MS, int(rng.expovariate(1 / _MEAN_DELAY_MS)))
    return walk.tick(due_ms, now_ms - delay_ms)


def _step_ms(due_ms: float, rate: int) -> float:
    """Time to the next tick: a burst now and then, the asked rate on average."""
    calm = 1_000 * _BURST_SHARE / rate
    return calm / _BURST_FACTOR if due_ms % _BURST_EVERY_MS < _BURST_MS else calm


class _Walk:
    """A price that walks at random in units of its last digit."""

    def __init__(
        self, rng: random.Random, broker: str, symbol: str, first: int, digits: int
    ) -> None:
        self.broker, self.symbol = broker, symbol
        self._rng = rng
        self._scale = 10**digits
        self._step = max(1, first // 50_000)
        self._units = first + rng.randint(-3, 3) * self._step
        self._prefix = _FRAME + _text(broker) + _text(symbol)

    def tick(self, due_ms: float, event_ms: int) -> Planned:
        """The next price, observed at ``event_ms``."""
        self._units = max(1, self._units + self._rng.randint(-self._step, self._step))
        price = self._units / self._scale
        return Planned(
            due_ms, self.broker, self.symbol, event_ms, price, self.value(event_ms, price)
        )

    def value(self, event_ms: int, price: float) -> bytes:
        """The encoded tick."""
        return self._prefix + encode_varint(event_ms) + _DOUBLE.pack(price)


_BAD: Final[tuple[Callable[[_Walk, int], bytes | None], ...]] = (
    lambda walk, now_ms: walk.value(now_ms, 1.0)[:-3],  # cut off
    lambda walk, now_ms: b"{" + walk.value(now_ms, 1.0)[1:],  # not framed
    lambda walk, now_ms: walk.value(now_ms, float("nan")),
    lambda walk, now_ms: walk.value(now_ms, 1e300),  # fits no decimal(18,9)
    lambda walk, now_ms: encode_tick(walk.broker, "", now_ms, 1.0),
    lambda walk, now_ms: None,
)


def _text(name: str) -> bytes:
    encoded = name.encode()
    return encode_varint(len(encoded)) + encoded
