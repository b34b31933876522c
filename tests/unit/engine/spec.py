"""What the design says of each record and each commit, told once more in the plainest way.

Nothing is fast here and nothing is forgotten: every accepted tick is kept, every question is
answered by looking through all of them. Good for runs whose settings stay the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from barengine.model import NS_PER_MS, Reason, Watermark
from tests.unit.engine.log import LEARNED_ID, Tick
from tests.unit.engine.sim import Committed, Fed, Resumed, Rules, Silent, World
from tests.unit.engine.store import Commit, Series

_NEVER = -(2**80)


class Verdict(NamedTuple):
    """Why a tick went into no window, which one it missed, and by how much."""

    reason: Reason
    bucket_ns: int = 0
    lateness_ns: int = 0


class Expected(NamedTuple):
    """What one commit must hold; bars as (series, bucket in ns)."""

    bars: set[tuple[Series, int]]
    verdicts: dict[int, Verdict]
    low_water: int
    stored: set[tuple[Series, int]]
    """Windows that the state holds behind it."""


@dataclass(slots=True)
class _Clock:
    """Of one broker or one series: a clock and how long nothing came."""

    now: int = _NEVER
    by_events: int = _NEVER
    at_arrival: int = _NEVER
    silent: int = 0
    arrival_wall: int | None = None

    def arrived(self, wall_ns: int) -> None:
        self.at_arrival, self.silent, self.arrival_wall = self.now, 0, wall_ns

    def accepted(self, time_ns: int) -> None:
        self.now = max(self.now, time_ns)
        self.by_events = max(self.by_events, time_ns)


@dataclass(slots=True)
class Spec:
    """Runs a committed history; :attr:`commits` is what must have left."""

    world: World
    rules: Rules
    commits: list[Expected] = field(default_factory=list)
    _brokers: dict[str, _Clock] = field(default_factory=dict)
    _series: dict[Series, _Clock] = field(default_factory=dict)
    _lifted: dict[Series, int] = field(default_factory=dict)
    """WATERMARK=series: what silence has closed."""
    _windows: dict[tuple[Series, int], int] = field(default_factory=dict)
    """First offset of every window that ever was."""
    _left: set[tuple[Series, int]] = field(default_factory=set)
    _verdicts: dict[int, Verdict] = field(default_factory=dict)
    _stored: set[tuple[Series, int]] = field(default_factory=set)
    _as_of: int = 0

    def run(self) -> list[Expected]:
        for step in self.world.history:
            match step:
                case Fed():
                    self._take(step)
                case Silent(ns):
                    self._observe(ns)
                case Resumed(wall_ns):
                    self._resume(wall_ns)
                case Committed():
                    self._commit(self.world.commits[len(self.commits)].commit_offset)
        return self.commits

    def _take(self, fed: Fed) -> None:
        tick = self.world.log.entries[fed.offset].tick
        if tick is None:
            return
        if tick.schema_id == LEARNED_ID and not fed.known:
            self._verdicts[fed.offset] = Verdict(Reason.UNKNOWN_SCHEMA)
        elif tick.time_ns > fed.wall_ns + self.rules.max_future_ns:
            self._verdicts[fed.offset] = Verdict(Reason.FUTURE)
        elif not self.rules.trading(tick.broker, tick.time_ns)[2]:
            late = self.rules.outside.late
            bucket = self._floor(tick.time_ns) if late else 0
            self._verdicts[fed.offset] = Verdict(self.rules.outside, bucket)
        else:
            self._arrive(tick, fed)

    def _arrive(self, tick: Tick, fed: Fed) -> None:
        series = tick.broker, tick.symbol
        own = self._series.setdefault(series, _Clock())
        broker = self._brokers.setdefault(tick.broker, _Clock())
        bucket, closed = self._floor(tick.time_ns), self._closed(series)
        end = bucket + self.rules.period.length_ns
        if end > closed:
            broker.accepted(tick.time_ns)
            own.accepted(tick.time_ns)
            self._windows.setdefault((series, bucket), fed.offset)
        else:
            clock = own if self._by_series else broker
            by_events = end <= self._floor(clock.by_events - self.rules.grace_ns)
            reason = Reason.WATERMARK if by_events else Reason.SILENCE
            # a series' own clock stays while silence closes its windows
            latest = max(clock.by_events if self._by_series else clock.now, closed)
            self._verdicts[fed.offset] = Verdict(reason, bucket, latest - tick.time_ns)
        broker.arrived(fed.wall_ns)
        own.arrived(fed.wall_ns)

    def _observe(self, ns: int) -> None:
        idle = self.rules.idle_ns
        for clock in (*self._brokers.values(), *self._series.values()):
            clock.silent += ns
        if idle is None:
            return
        for clock in self._brokers.values():
            if clock.silent >= idle:
                clock.now = max(clock.now, clock.at_arrival + clock.silent)
        for series, clock in self._series.items():
            if clock.silent >= idle and self._is_open(series):
                limit = self._floor(clock.by_events + clock.silent - self.rules.grace_ns)
                self._lifted[series] = max(self._lifted.get(series, _NEVER), limit)

    def _resume(self, wall_ns: int) -> None:
        for broker in self._brokers.values():
            assert broker.arrival_wall is not None
            broker.silent = max(0, wall_ns - broker.arrival_wall)
        for (name, _), own in self._series.items():
            own.silent = self._brokers[name].silent

    def _commit(self, commit_offset: int) -> None:
        closed = {window for window in self._windows if self._is_closed(window)}
        still = {window for window in self._windows if window not in closed}
        verdicts, self._verdicts = self._verdicts, {}
        low_water = self._low_water(still, commit_offset)
        if commit_offset - low_water > self.rules.restore_max:
            self._stored, self._as_of = still, commit_offset
            low_water = commit_offset
        elif not self._stored & still:
            self._stored = set()
        bars = closed - self._left
        self.commits.append(Expected(bars, verdicts, low_water, self._stored))
        self._left = closed

    def _low_water(self, still: set[tuple[Series, int]], commit_offset: int) -> int:
        """The first tick that neither left nor is stored."""
        needed = [
            self._as_of if window in self._stored else self._windows[window] for window in still
        ]
        return min(needed, default=commit_offset)

    @property
    def _by_series(self) -> bool:
        return self.rules.watermark is Watermark.SERIES

    def _floor(self, time_ns: int) -> int:
        return time_ns // self.rules.period.length_ns * self.rules.period.length_ns

    def _closed(self, series: Series) -> int:
        if not self._by_series:
            return self._floor(self._brokers[series[0]].now - self.rules.grace_ns)
        own = self._floor(self._series[series].by_events - self.rules.grace_ns)
        return max(own, self._lifted.get(series, _NEVER))

    def _is_closed(self, window: tuple[Series, int]) -> bool:
        series, bucket = window
        return bucket + self.rules.period.length_ns <= self._closed(series)

    def _is_open(self, series: Series) -> bool:
        return any(
            not self._is_closed((of, bucket)) for of, bucket in self._windows if of == series
        )


def told(commit: Commit, stored: set[tuple[Series, int]]) -> Expected:
    """A commit in the terms of the design; records that are no ticks are left out."""
    verdicts = {
        one.offset: Verdict(one.reason, one.bucket_start_ns, one.lateness_ns)
        for one in (*commit.late, *commit.dropped, *commit.dead)
        if one.reason.late or one.reason.revocable
    }
    bars = {(bar.series, bar.bucket_ms * NS_PER_MS) for bar in commit.bars}
    return Expected(bars, verdicts, commit.low_water, stored)
