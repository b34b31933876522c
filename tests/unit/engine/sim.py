"""One partition without Kafka: a log, a store, and engines that crash, return and are fenced.

An :class:`Instance` does with the engine what the service does, in the same order, with wall time
and silence passed in. Beside it keeps what it did since its last commit; with a commit that joins
the store's history, so that :func:`uninterrupted` can do the same once more without a crash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from barengine.codec.plan import FieldPlan
from barengine.engine.partition import LogRange, PartitionEngine
from barengine.engine.restore import Restore
from barengine.engine.snapshot import Snapshot
from barengine.engine.state import StateRecord
from barengine.kernel import (
    BookConfig,
    Kernel,
    KernelConfig,
    Rung,
    book_class,
)
from barengine.model import MAX_EVENT_NS, NS_PER_S, LatePolicy, Order, Period, Reason, Watermark
from tests.unit.engine.hours import STRETCH_NS, Trading
from tests.unit.engine.log import KNOWN_ID, LEARNED_ID, Log
from tests.unit.engine.store import Commit, Store
from tests.unit.kernel.build import TICK_PLAN
from tests.unit.kernel.sized import sized_plan
from tests.unit.kernel.stage import book_config, rungs

SECOND = Period.parse("1s")
FINGERPRINT = {"WINDOW": "1s"}
SIZED_PLAN = sized_plan()
_LONG_AGO = -MAX_EVENT_NS
_STEP_RECORDS = 3
"""So that restoring takes several steps, though there are but a few state records."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of a run. Durations in ns."""

    grace_ns: int = 0
    watermark: Watermark = Watermark.BROKER
    idle_ns: int | None = 2 * NS_PER_S
    max_future_ns: int = 10 * NS_PER_S
    late_policy: LatePolicy = LatePolicy.TOPIC
    order: Order = Order.EVENT_TIME
    period: Period = SECOND
    restore_max: int = 2_000_000
    rollups: str = ""
    continuous: str = ""
    horizon_ns: int = 5 * NS_PER_S
    """Of LATE_POLICY=correct."""
    continuous_max_ns: int = 3 * NS_PER_S
    hours: int = 0
    """Which of MARKETS the book goes by at first; 0: none."""
    skip_partial: bool = False
    sizes: bool = False
    closed_every: int = 0
    """Of so many stretches of STRETCH_NS the market is closed in one; 0: it never is."""
    outside: Reason = Reason.OUT_OF_SESSION
    """What ticks are then rejected for."""

    def trading(self, broker: str, time_ns: int) -> tuple[int, int, bool]:
        """When the market is open, as a kernel asks for it."""
        number = time_ns // STRETCH_NS
        is_open = not self.closed_every or number % self.closed_every != 0
        return number * STRETCH_NS, (number + 1) * STRETCH_NS, is_open

    @property
    def ladder(self) -> tuple[Rung, ...]:
        return rungs(f"{self.period},{self.rollups}".rstrip(","), self.continuous)

    def book_config(self) -> BookConfig | None:
        corrects = self.late_policy is LatePolicy.CORRECT
        if not (self.rollups or self.continuous or corrects):
            return None
        return book_config(
            self.ladder,
            by_series=self.watermark is Watermark.SERIES,
            order=self.order,
            horizon_ns=self.horizon_ns if corrects else None,
            continuous_max_ns=self.continuous_max_ns,
            feed_timeout_ns=NS_PER_S,
            sized=self.sizes,
            skip=self.skip_partial,
        )

    @property
    def plan(self) -> FieldPlan:
        """How values are read."""
        return SIZED_PLAN if self.sizes else TICK_PLAN

    def kernel_config(self, began_whole: bool) -> KernelConfig:
        return KernelConfig(
            period=self.period,
            grace_ns=self.grace_ns,
            watermark=self.watermark,
            idle_timeout_ns=self.idle_ns,
            max_future_ns=self.max_future_ns,
            order=self.order,
            schema_by_id=True,
            began_whole=began_whole,
            book=self.book_config() is not None,
            sizes=self.sizes,
            trading=self.trading if self.closed_every else None,
            out_of_session=self.outside,
            skip_partial=self.skip_partial,
        )


class Fed(NamedTuple):
    """A record was processed; ``known`` is what the registry said of LEARNED_ID."""

    offset: int
    wall_ns: int
    known: bool


class Silent(NamedTuple):
    """So much more silence was observed."""

    ns: int


class Resumed(NamedTuple):
    """Silence counts from the last arrival; a restart is one whose wall time is long ago."""

    wall_ns: int


class Committed(NamedTuple):
    """A snapshot was taken that became a transaction."""


class Traded(NamedTuple):
    """The book goes by this one of MARKETS from now on."""

    market: int


Step = Fed | Silent | Resumed | Traded | Committed


@dataclass(slots=True)
class Registry:
    """Knows KNOWN_ID always, LEARNED_ID once ``learned``."""

    learned: bool = False
    plan: FieldPlan = TICK_PLAN

    def teach(self, kernel: Kernel, schema_id: int) -> None:
        known = schema_id == KNOWN_ID or self.learned
        kernel.add_schema(schema_id, self.plan if known else None)


@dataclass(slots=True)
class World:
    """What outlives a process."""

    log: Log
    kernel: type[Kernel]
    store: Store = field(default_factory=Store)
    registry: Registry = field(default_factory=Registry)
    history: list[Step] = field(default_factory=list)
    wall_ns: int = 0
    market: int | None = None
    """Which of MARKETS the book goes by, if it is not that of the rules any more."""

    @property
    def commits(self) -> list[Commit]:
        return self.store.commits


def engine_of(
    world: World, rules: Rules, records: Sequence[StateRecord], trading: Trading
) -> PartitionEngine:
    """An engine over a stored state, made as the service makes it."""
    restore = Restore(records, _STEP_RECORDS)
    for step in restore.read():
        step()
    start, config = world.log.start, rules.book_config()
    kernel = world.kernel(rules.kernel_config(PartitionEngine.began_whole(restore.image, start)))
    book = None if config is None else book_class(world.kernel)(config, trading)
    for step in restore.load(kernel, book):
        step()
    log = LogRange(start, world.log.end)
    engine = restore.engine(log, FINGERPRINT, start, rules.late_policy, rules.restore_max)
    engine.reschedule()
    return engine


class Instance:
    """One life of one process: fences, reads the state, replays, serves."""

    def __init__(self, world: World, rules: Rules) -> None:
        self._world = world
        self._epoch = world.store.fence()
        self._observed_ns = 0
        self._known = world.registry.learned
        self._resumed = False
        self._trading = Trading(rules.hours if world.market is None else world.market)
        self._steps: list[Step] = [Resumed(_LONG_AGO), Traded(self._trading.market)]
        self._in_flight: tuple[Snapshot, list[Step]] | None = None
        self.engine = engine_of(world, rules, world.store.records, self._trading)

    @property
    def caught_up(self) -> bool:
        return self.engine.position == self._world.log.end

    def feed(self, offsets: int, before: int = 0, behind: int = 0) -> None:
        """Process so many offsets; the batch also holds records before and behind them."""
        position = self.engine.position
        stop = min(position + offsets, self._world.log.end)
        batch = self._world.log.batch(max(position - before, 0), stop + behind)
        if batch is None:
            self.engine.skip_to(stop)
            return
        live = max(position, self.engine.commit_offset)
        while True:
            need = self.engine.feed(batch, stop, self._world.wall_ns).need_schema
            if need is None:
                break
            self._world.registry.teach(self.engine.kernel, need)
            if need == LEARNED_ID:
                self._known = self._world.registry.learned
        self._steps += [
            Fed(offset, self._world.wall_ns, self._known)
            for offset in range(live, self.engine.position)
            if offset in self._world.log.entries
        ]

    def feed_all(self) -> None:
        """Process everything there is."""
        self.feed(max(1, self._world.log.end - self.engine.position))

    def ask_again(self) -> None:
        """Forget what the registry said of LEARNED_ID."""
        self.engine.kernel.forget_schema(LEARNED_ID)

    def silence(self, ns: int) -> None:
        """So much silence is observed; without effect unless caught up, as in the service."""
        if not self.caught_up:
            return
        if not self._resumed and self.engine.live_records == 0:
            self.engine.resume_silence(self._world.wall_ns)
            self._steps.append(Resumed(self._world.wall_ns))
        self._resumed = True
        self._observed_ns += ns
        self.engine.observe(self._observed_ns)
        self._steps.append(Silent(ns))

    def trade_by(self, market: int) -> None:
        """The schedule is another one."""
        self._trading.market = self._world.market = market
        self.engine.reschedule()
        self._steps.append(Traded(market))

    def begin(self) -> None:
        """Take a snapshot for a transaction; the engine may go on while it is under way."""
        if self._in_flight is None and not self.engine.replaying:
            self._in_flight = self.engine.snapshot(), [*self._steps, Committed()]
            self._steps = []

    def land(self) -> bool:
        """The transaction under way ends; False if this instance was fenced meanwhile."""
        if self._in_flight is None:
            return True
        (snapshot, steps), self._in_flight = self._in_flight, None
        if not self._world.store.commit(self._epoch, snapshot):
            return False
        self._world.history += steps
        return True

    def commit(self) -> bool:
        """One transaction from begin to end; False if this instance was fenced meanwhile."""
        if not self.land():
            return False
        self.begin()
        return self.land()


def uninterrupted(world: World, rules: Rules) -> Store:
    """The store of an engine that never crashed and was fed the committed history, one by one."""
    store = Store()
    epoch, observed_ns = store.fence(), 0
    trading = Trading(rules.hours)
    engine = engine_of(world, rules, [], trading)
    engine.kernel.add_schema(KNOWN_ID, rules.plan)
    for step in world.history:
        match step:
            case Fed(offset, wall_ns, known):
                batch = world.log.batch(offset, offset + 1)
                assert batch is not None
                engine.kernel.add_schema(LEARNED_ID, rules.plan if known else None)
                engine.feed(batch, offset + 1, wall_ns)
                assert engine.position > offset, "it waits where the first one did not"
            case Silent(ns):
                observed_ns += ns
                engine.observe(observed_ns)
            case Resumed(wall_ns):
                engine.resume_silence(wall_ns)
            case Traded(market):
                trading.market = market
                engine.reschedule()
            case Committed():
                engine.skip_to(_position(world, len(store.commits)))
                assert store.commit(epoch, engine.snapshot())
    return store


def _position(world: World, commit: int) -> int:
    """C of a commit: behind trailing offsets that hold nothing."""
    return world.commits[commit].commit_offset


def committed_offsets(world: World) -> Iterator[int]:
    """Offsets that hold a record and lie before the last C."""
    end = world.commits[-1].commit_offset
    return (offset for offset in world.log.entries if offset < end)
