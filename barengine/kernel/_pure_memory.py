"""What the pure kernel remembers: clocks, what is due, and the state that recovery needs."""

from __future__ import annotations

from collections.abc import Sequence

from barengine.codec.plan import FieldPlan
from barengine.kernel._protocol import (
    BrokerState,
    KernelConfig,
    OpenWindows,
    SeriesBlock,
    SeriesState,
    SlowDecoder,
    WindowBlock,
)
from barengine.kernel._pure_block import PureSeriesBlock
from barengine.kernel._pure_stored import PureOpenWindows, Stored, damaged, unpack
from barengine.kernel._table import Series, Table, Window, watermark
from barengine.model import NEVER, Watermark


class PureMemory:
    """The part of ``PureKernel`` that takes no record and closes nothing."""

    def __init__(self, config: KernelConfig) -> None:
        self._config = config
        self._period = config.period
        self._by_series = config.watermark is Watermark.SERIES
        self._schemas: dict[int, tuple[FieldPlan | None, SlowDecoder | None]] = {}
        self._table = Table()
        self._closed: list[tuple[Series, Window]] = []
        self._due: dict[Series, None] = {}
        self._observed = 0
        self._as_of = 0
        self._bounded = config.book and not self._by_series
        self._lifted = False
        self._paused = False

    def _canonical(self, broker: bytes, symbol: bytes) -> bytes:
        names = self._config.names
        return symbol if names is None else names.canonical(broker, symbol)

    def _closed_through(self, series: Series, *, stored_only: bool) -> int:
        stored = max(series.closed, series.broker.closed)
        if stored_only:
            return stored
        return max(stored, self._watermark(series))

    def _watermark(self, series: Series) -> int:
        clock = series.clock if self._by_series else series.broker.clock
        return watermark(clock, self._config.grace_ns, self._period)

    def _mark_due(self, series: Series, through: int) -> None:
        length = self._period.length_ns
        # a book fills buckets without a tick, too: for it a bucket's end is enough
        passed = self._config.book and NEVER < series.closed < through
        if passed or any(start + length <= through for start in series.windows):
            self._due[series] = None

    # -- state -----------------------------------------------------------------------------

    def take_series(self) -> SeriesBlock:
        dirty = [series for series in self._table.series.values() if series.dirty]
        for series in dirty:
            series.dirty = False
        return PureSeriesBlock(
            [
                SeriesState(
                    series.broker.name.decode(),
                    series.symbol.decode(),
                    series.closed,
                    series.clock,
                )
                for series in dirty
            ]
        )

    def brokers(self) -> list[BrokerState]:
        return [
            BrokerState(
                b.name.decode(),
                b.clock,
                b.event_clock,
                b.arrival_clock,
                b.closed,
                b.begin,
                b.arrival_wall,
            )
            for b in self._table.brokers.values()
        ]

    def load(self, brokers: Sequence[BrokerState], series: Sequence[SeriesState]) -> None:
        for state in brokers:
            broker = self._table.broker(state.broker.encode())
            broker.clock, broker.event_clock = state.clock_ns, state.event_clock_ns
            broker.arrival_clock, broker.closed = state.arrival_clock_ns, state.closed_through_ns
            broker.begin, broker.arrival_wall = state.begin_ns, state.arrival_wall_ns
        for item in series:
            broker_name, symbol = item.broker.encode(), item.symbol.encode()
            one = self._table.find(broker_name, self._canonical(broker_name, symbol))
            one.closed, one.clock = item.closed_through_ns, item.clock_ns

    def store_windows(self, as_of: int) -> OpenWindows:
        self._as_of = as_of
        found = []
        for series in self._table.series.values():
            series.stored = bool(series.windows)
            found += [(series, series.windows[start]) for start in sorted(series.windows)]
        return PureOpenWindows(found, self._config.order, sizes=self._config.sizes)

    def load_windows(self, as_of: int, blocks: Sequence[WindowBlock]) -> None:
        self._as_of = as_of
        config = self._config
        for stored in unpack(blocks, as_of, self._period, config.order, sizes=config.sizes):
            self._load_window(stored)

    def _load_window(self, stored: Stored) -> None:
        symbol = self._canonical(stored.broker, stored.symbol)
        series = self._table.find(stored.broker, symbol)
        series.stored = True
        window = stored.window
        closed = self._closed_through(series, stored_only=True)
        if window.start + self._period.length_ns <= closed:
            return
        if window.start in series.windows:
            raise damaged()
        begin = series.broker.begin
        begun = begin != NEVER or self._config.began_whole
        window.partial = window.start <= begin or not begun
        self._table.open(series, window)
        series.clock = max(series.clock, window.last_event)
        if self._by_series:
            self._mark_due(series, self._watermark(series))

    @property
    def stored_open(self) -> bool:
        oldest = self._oldest_first_offset()
        return oldest is not None and oldest < self._as_of

    def evict(self, before_wall_ns: int) -> list[tuple[str, str]]:
        gone = []
        low_water = self.low_water()
        for key, series in list(self._table.series.items()):
            if series.windows or series.arrival_wall >= before_wall_ns:
                continue
            if series.dirty or any(one is series for one, _ in self._closed):
                continue
            if not self._dispensable(series, low_water):
                continue
            del self._table.series[key]
            if series.closed != NEVER:
                gone.append((series.broker.name.decode(), series.symbol.decode()))
        return gone

    def _dispensable(self, series: Series, low_water: int | None) -> bool:
        """Recovery can do without its record: the broker's says as much, or neither [L, C) nor
        the stored windows hold ticks of it. Else a crash would put the ticks of bars that have
        left into new windows."""
        if series.closed <= series.broker.closed:
            return True
        if series.stored and self.stored_open:
            return False
        return self._by_series and (low_water is None or series.last_offset < low_water)

    def low_water(self) -> int | None:
        oldest = self._oldest_first_offset()
        return None if oldest is None else max(oldest, self._as_of)

    def _oldest_first_offset(self) -> int | None:
        return min((window.first_offset for window in self._table.windows()), default=None)

    @property
    def open_windows(self) -> int:
        return self._table.open_windows

    @property
    def pending(self) -> int:
        return len(self._closed)
