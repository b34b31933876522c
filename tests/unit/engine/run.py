"""A history of one partition: what arrives, what the owner does, what befalls it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from barengine.kernel import Kernel
from barengine.model import NS_PER_MS, Watermark
from tests.unit.engine.log import LEARNED_ID, Log, Tick
from tests.unit.engine.sim import Instance, Rules, World
from tests.unit.kernel.build import NOON_MS
from tests.unit.kernel.sized import size_bytes

UNIT_MS: Final = 250
"""Event times, wall time and silence are multiples of it: a bucket of 1 s holds four."""

UNIT_NS: Final = UNIT_MS * NS_PER_MS

_TOUCHES: Final = (3, 3, 1, 2, 3, 2, 3)
SERIES: Final = (("a", "x"), ("a", "y"), ("b", "x"), ("b|\\", "ÿ|"))
_YEARS_NS: Final = 2**60
_MOST_COMMITS: Final = 500
_AFTERWARDS: Final = 4_000
"""Units behind everything else: nothing is open there and no clock has come so far."""


class Op(NamedTuple):
    """A method of :class:`Run` and what it is called with."""

    name: str
    args: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole history, as hypothesis chooses it."""

    rules: Rules
    ops: list[Op]
    log_start: int = 0
    base_ms: int = NOON_MS
    forgetful: bool = False
    """Series are forgotten however young they are: SERIES_TTL is next to nothing."""


@dataclass(slots=True)
class Run:
    """Executes operations one by one; the methods below are the operations."""

    plan: Plan
    kernel: type[Kernel]
    world: World = field(init=False)
    rules: Rules = field(init=False)
    owner: Instance = field(init=False)
    changed: bool = False
    flushed_from: int = 0
    _now: int = 0
    _drift: int = 4
    _zombies: list[Instance] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rules = self.plan.rules
        self.world = World(Log(self.plan.log_start), self.kernel)
        self.world.registry.plan = self.rules.plan
        self._set_wall()
        self.owner = Instance(self.world, self.rules)

    def execute(self) -> Run:
        """Everything in the plan, then whatever it takes to close every window."""
        for op in self.plan.ops:
            getattr(self, op.name)(*op.args)
        self._finish()
        return self

    # -- the input -------------------------------------------------------------------------

    def tick(self, series: int, step: int, skew: int, price: int, learned: bool) -> None:
        """A tick ``skew`` units beside the market's time, which goes on by ``step``."""
        self._now += step
        self._set_wall()
        self._append(series, self._now + skew, price, LEARNED_ID if learned else 1)

    def again(self) -> None:
        """The newest tick once more."""
        ticks = [entry.tick for entry in self.world.log.entries.values() if entry.tick]
        if ticks:
            self.world.log.append(ticks[-1])

    def bad(self, value: bytes | None) -> None:
        self.world.log.append_raw(value)

    def gap(self, offsets: int) -> None:
        self.world.log.leave_gap(offsets)

    def learn(self) -> None:
        """The registry comes to know the second schema."""
        self.world.registry.learned = True

    def clock(self, drift: int) -> None:
        """The wall clock is set, so many units beside the market's time."""
        self._drift = drift
        self._set_wall()

    # -- the owner -------------------------------------------------------------------------

    def feed(self, offsets: int, before: int, behind: int) -> None:
        self.owner.feed(offsets, before, behind)

    def ask(self) -> None:
        self.owner.ask_again()

    def silence(self, units: int) -> None:
        self._feed_all()
        self._now += units
        self._set_wall()
        self.owner.silence(units * UNIT_NS)

    def trade(self, market: int) -> None:
        self.owner.trade_by(market)

    def begin(self) -> None:
        self.owner.begin()

    def land(self) -> None:
        assert self.owner.land(), "the owner was fenced"

    def commit(self) -> None:
        assert self.owner.commit(), "the owner was fenced"

    def evict(self) -> None:
        """Forget what may be forgotten; under WATERMARK=broker nothing of it is ever missed."""
        if self.plan.forgetful or self.rules.watermark is Watermark.BROKER:
            self.owner.engine.evict(self.world.wall_ns + 1, _YEARS_NS)

    # -- what befalls it -------------------------------------------------------------------

    def crash(self) -> None:
        self.owner = Instance(self.world, self.rules)

    def take_over(self, parting: str) -> None:
        """Another owner comes; the old one commits before, or goes on as a zombie."""
        if parting == "graceful" and not self.owner.engine.replaying:
            self.commit()
        elif parting == "zombie":
            self._zombies.append(self.owner)
        self.crash()

    def zombie(self, offsets: int) -> None:
        """A fenced owner goes on and tries to commit."""
        if self._zombies:
            one = self._zombies.pop(0)
            one.feed(offsets)
            committed = one.engine.replaying or one.commit()
            assert not committed or one.engine.replaying, "a zombie committed"

    def compact(self) -> None:
        self.world.store.compact()

    def change(self, settings: dict[str, Any]) -> None:
        """The owner comes back with other settings."""
        self.changed = True
        self.rules = replace(self.rules, **settings)
        self.crash()

    # -- the end ---------------------------------------------------------------------------

    def _feed_all(self) -> None:
        """Everything there is, with as many commits as that takes."""
        self.owner.feed_all()
        while not self.owner.caught_up:
            self.commit()
            self.owner.feed_all()

    def _finish(self) -> None:
        self._feed_all()
        self.commit()
        self.flushed_from = self.world.log.end
        self._now += _AFTERWARDS
        while not self.rules.trading("", self._time_ms(self._now) * NS_PER_MS)[2]:
            self._now += 1
        self._drift = 0
        self._set_wall()
        for series in range(len(SERIES)):
            self._append(series, self._now, 1, 1)
        self._feed_all()
        self.commit()
        self.commit()  # so that what an engine closes too late still leaves
        commits = 0
        while self.owner.engine.has_output:
            self.commit()
            commits += 1
            assert commits < _MOST_COMMITS, "output without an end"

    def _append(self, series: int, units: int, price: int, schema_id: int) -> None:
        time_ms, rest = self._time_ms(units), b""
        if self.rules.sizes:  # some have no size, some touch the price alone, or the volume
            size = None if units % 5 == 0 else price**2 * 10**8
            rest = size_bytes(size, _TOUCHES[units % len(_TOUCHES)])
        self.world.log.append(Tick(*SERIES[series], time_ms, price / 8, schema_id, rest))

    def _time_ms(self, units: int) -> int:
        return self.plan.base_ms + units * UNIT_MS

    def _set_wall(self) -> None:
        self.world.wall_ns = self._time_ms(self._now + self._drift) * NS_PER_MS


BAD_VALUES: Final = (
    None,
    b"",
    b"\1\0\0\0\1",
    b"\0\0\0\0\1\2a",
    Tick("", "x", NOON_MS, 1.0).value(),
    Tick("a", "", NOON_MS, 1.0).value(),
    Tick("a", "x" * 257, NOON_MS, 1.0).value(),
    Tick("a", "x", NOON_MS, float("nan")).value(),
    Tick("a", "x", NOON_MS, 1e300).value(),
    Tick("a", "x", 2**60, 1.0).value(),
)
"""A value for each way in which a record cannot become a tick."""
