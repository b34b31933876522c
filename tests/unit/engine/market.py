"""Golden tests in few words: seconds after noon in, plain tuples out. Windows are of a minute."""

from __future__ import annotations

from typing import Any, NamedTuple

from barengine.kernel import Kernel
from barengine.model import NS_PER_MS, NS_PER_S, Period
from tests.unit.engine.log import KNOWN_ID, Log, Tick
from tests.unit.engine.sim import Instance, Rules, World
from tests.unit.engine.store import BarRecord, Commit
from tests.unit.kernel.build import NOON_MS, NOON_NS

HOUR = 3600
DAY = 24 * HOUR


class B(NamedTuple):
    """A bar: ``start`` in seconds after noon, prices as they were put in."""

    symbol: str
    start: int
    open: float
    high: float
    low: float
    close: float
    ticks: int


class L(NamedTuple):
    """A late tick: its offset, the bucket it missed and by how much, in seconds."""

    offset: int
    bucket: float
    by: float
    reason: str = "watermark"


def seconds(ns: int) -> float:
    """A time in seconds after noon."""
    return (ns - NOON_NS) / NS_PER_S


class Market:
    """A partition and the instance that owns it. ``rules`` are those of :class:`Rules`, durations
    in seconds under the names ``grace``, ``idle`` and ``max_future``. The wall clock stands an
    hour after noon, ``max_future`` is a day."""

    def __init__(self, kernel: type[Kernel], log_start: int = 0, **rules: Any) -> None:
        self.world = World(Log(log_start), kernel)
        self.wall(HOUR)
        self._rules: dict[str, Any] = {"period": Period.parse("1m"), "max_future": DAY} | rules
        self.owner = Instance(self.world, self._built())

    def _built(self) -> Rules:
        settings: dict[str, Any] = {}
        for name, value in self._rules.items():
            if name in ("grace", "idle", "max_future"):
                settings[f"{name}_ns"] = None if value is None else int(value * NS_PER_S)
            else:
                settings[name] = value
        return Rules(**settings)

    # -- what happens ----------------------------------------------------------------------

    def wall(self, at: float) -> None:
        """Set the wall clock, in seconds after noon."""
        self.world.wall_ns = NOON_NS + int(at * NS_PER_S)

    def put(
        self,
        at: float,
        price: float = 1,
        symbol: str = "x",
        broker: str = "a",
        schema_id: int = KNOWN_ID,
    ) -> int:
        """Append a tick; returns its offset."""
        time_ms = NOON_MS + round(at * 1000)
        return self.world.log.append(Tick(broker, symbol, time_ms, price, schema_id))

    def tick(self, at: float, *args: Any, **more: Any) -> int:
        """Append a tick and take everything that waits; returns its offset."""
        offset = self.put(at, *args, **more)
        self.owner.feed_all()
        return offset

    def silence(self, seconds: float) -> None:
        self.owner.silence(int(seconds * NS_PER_S))

    def commit(self) -> Commit:
        assert self.owner.commit()
        return self.world.commits[-1]

    def restart(self, **rules: Any) -> None:
        """The process dies and another one comes, perhaps with other rules."""
        self._rules |= rules
        self.owner = Instance(self.world, self._built())

    # -- what has left ---------------------------------------------------------------------

    @property
    def records(self) -> list[BarRecord]:
        self.commit()
        return [bar for commit in self.world.commits for bar in commit.bars]

    @property
    def bars(self) -> list[B]:
        """Commit, and tell every bar that ever left."""
        return [_plain(bar) for bar in self.records]

    @property
    def late(self) -> list[L]:
        """Commit, and tell every late tick."""
        self.commit()
        return [
            L(
                one.offset,
                seconds(one.bucket_start_ns),
                one.lateness_ns / NS_PER_S,
                one.reason.label,
            )
            for commit in self.world.commits
            for one in commit.late
        ]

    @property
    def dead(self) -> list[tuple[int, str]]:
        """Commit, and tell offset and reason of every dead letter."""
        self.commit()
        return [(one.offset, one.reason.label) for c in self.world.commits for one in c.dead]

    def closed_through(self, broker: str = "a") -> float:
        """Commit, and tell what is closed for a whole broker, in seconds after noon."""
        self.commit()
        return seconds(self.world.store.image().brokers[broker].closed_through_ns)


def _plain(bar: BarRecord) -> B:
    row = bar.row
    return B(
        row["symbol"],
        int(seconds(bar.bucket_ms * NS_PER_MS)),
        *(float(row["open"]), float(row["high"]), float(row["low"]), float(row["close"])),
        row["tick_count"],
    )
