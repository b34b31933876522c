"""The kernel in plain Python: the readable specification of ``_protocol``.

Read ``_protocol`` first: it states the rules that ``_take`` applies to one record. Everything
here favours being read over being fast; the compiled kernel must give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

from barengine.codec.plan import FieldPlan
from barengine.codec.read import run_plan
from barengine.kernel._protocol import (
    BadTick,
    BarBlock,
    BrokerState,
    DecodedTick,
    KernelConfig,
    Outcome,
    RecordBatch,
    Reject,
    SeriesBlock,
    SeriesState,
    SlowDecoder,
    WindowBlock,
)
from barengine.kernel._pure_block import PureBarBlock, PureSeriesBlock
from barengine.kernel._pure_record import Record, records_of
from barengine.kernel._pure_stored import Stored, damaged, pack, unpack
from barengine.kernel._table import Broker, Series, Table, Window, watermark
from barengine.model import (
    MAX_EVENT_NS,
    MAX_NAME_BYTES,
    NEVER,
    NS_PER_MS,
    Framing,
    Reason,
    Watermark,
)

_FRAME_BYTES = 5


class _NeedSchemaError(Exception):
    """The value's schema id has not been added yet."""

    def __init__(self, schema_id: int) -> None:
        super().__init__(schema_id)
        self.schema_id = schema_id


class PureKernel:
    """See ``_protocol.Kernel``."""

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

    # -- schemas ---------------------------------------------------------------------------

    def add_schema(
        self, schema_id: int, plan: FieldPlan | None, slow: SlowDecoder | None = None
    ) -> None:
        self._schemas[schema_id] = (plan, slow)

    def forget_schema(self, schema_id: int) -> None:
        self._schemas.pop(schema_id, None)

    # -- records ---------------------------------------------------------------------------

    def process(
        self,
        batch: RecordBatch,
        start: int,
        stop: int,
        wall_ns: int,
        *,
        replay: bool = False,
        skip: Sequence[int] = (),
    ) -> Outcome:
        skipped = frozenset(skip)
        rejects: list[Reject] = []
        records = accepted = 0
        for record in records_of(batch):
            if record.offset < start or record.offset in skipped:
                continue
            if record.offset >= stop:
                break
            try:
                reject = self._take(record, wall_ns, replay)
            except _NeedSchemaError as need:
                return Outcome(record.offset, need.schema_id, records, accepted, rejects)
            records += 1
            if reject is None:
                accepted += 1
            elif not replay or reject.reason is Reason.UNKNOWN_SCHEMA:
                rejects.append(reject)
        return Outcome(stop, None, records, accepted, rejects)

    def _take(self, record: Record, wall_ns: int, replay: bool) -> Reject | None:
        """Apply the rules of ``_protocol`` to one record; None means it went into a window."""
        try:
            tick = self._decode(record)
        except BadTick as bad:
            return record.rejected(bad.reason)
        if not replay and tick.time_ns > wall_ns + self._config.max_future_ns:
            return record.rejected(Reason.FUTURE, who=tick.broker.decode())
        series = self._table.find(tick.broker, tick.symbol)
        series.last_offset = record.offset
        start = self._period.floor(tick.time_ns)
        closed = self._closed_through(series, stored_only=replay)
        reject = None
        if start + self._period.length_ns > closed:
            self._accept(series, start, tick, record.offset, replay=replay)
        elif replay:
            return record.rejected(Reason.WATERMARK)
        else:
            reject = self._late(record, series, start, closed, tick.time_ns)
        if not replay:
            self._arrived(series, wall_ns)
        return reject

    def _decode(self, record: Record) -> DecodedTick:
        value = record.value
        if value is None:
            raise BadTick(Reason.NULL_VALUE)
        schema_id, body = 0, 0
        if self._config.framing is Framing.CONFLUENT:
            if len(value) < _FRAME_BYTES or value[0] != 0:
                raise BadTick(Reason.FRAMING)
            body = _FRAME_BYTES
            if self._config.schema_by_id:
                schema_id = int.from_bytes(value[1:_FRAME_BYTES], "big")
        if schema_id not in self._schemas:
            raise _NeedSchemaError(schema_id)
        plan, slow = self._schemas[schema_id]
        if plan is not None:
            tick = run_plan(plan, value, body, self._config.price_scale)
        elif slow is not None:
            tick = slow(value[body:])
        else:
            raise BadTick(Reason.UNKNOWN_SCHEMA)
        return self._checked(tick, record.time_ms)

    def _checked(self, tick: DecodedTick, record_time_ms: int) -> DecodedTick:
        if self._config.record_time:
            tick = tick._replace(time_ns=record_time_ms * NS_PER_MS)
            if abs(tick.time_ns) > MAX_EVENT_NS:
                raise BadTick(Reason.TIME_RANGE)
        for name in (tick.broker, tick.symbol):
            if not name:
                raise BadTick(Reason.EMPTY_NAME)
            if len(name) > MAX_NAME_BYTES:
                raise BadTick(Reason.NAME_TOO_LONG)
        return tick

    def _closed_through(self, series: Series, *, stored_only: bool) -> int:
        stored = max(series.closed, series.broker.closed)
        if stored_only:
            return stored
        return max(stored, self._watermark(series))

    def _watermark(self, series: Series) -> int:
        clock = series.clock if self._by_series else series.broker.clock
        return watermark(clock, self._config.grace_ns, self._period)

    def _late(
        self, record: Record, series: Series, start: int, closed: int, time_ns: int
    ) -> Reject:
        end = start + self._period.length_ns
        broker = series.broker
        clock, event_clock = broker.clock, broker.event_clock
        if self._by_series:
            clock = event_clock = series.clock
            if end > broker.closed:
                series.closed = max(series.closed, self._watermark(series))
                series.dirty = True
        by_events = watermark(event_clock, self._config.grace_ns, self._period)
        reason = Reason.WATERMARK if end <= by_events else Reason.SILENCE
        lateness = max(clock, closed) - time_ns
        return record.rejected(reason, start, lateness, broker.name.decode())

    def _accept(
        self, series: Series, start: int, tick: DecodedTick, offset: int, *, replay: bool
    ) -> None:
        broker, time = series.broker, tick.time_ns
        broker.clock = max(broker.clock, time)
        begun = broker.begin != NEVER or self._config.began_whole
        if not begun and not replay:
            broker.begin = broker.clock
        broker.event_clock = max(broker.event_clock, time)
        series.clock = max(series.clock, time)
        window = series.windows.get(start)
        if window is None:
            partial = start <= broker.begin or (replay and not begun)
            window = Window.of_tick(start, time, tick.price, offset, partial)
            self._table.open(series, window)
        else:
            window.add(time, tick.price, offset, self._config.order)
        if self._by_series:
            self._mark_due(series, self._watermark(series))

    def _arrived(self, series: Series, wall_ns: int) -> None:
        broker = series.broker
        broker.arrival_clock = broker.clock
        broker.mark = series.mark = self._observed
        broker.arrival_wall = series.arrival_wall = wall_ns

    def _mark_due(self, series: Series, through: int) -> None:
        length = self._period.length_ns
        if any(start + length <= through for start in series.windows):
            self._due[series] = None

    # -- closing ---------------------------------------------------------------------------

    def advance(self, observed_ns: int) -> None:
        self.drain()
        self._observed = max(self._observed, observed_ns)
        idle = self._config.idle_timeout_ns
        if idle is not None:
            for broker in self._table.brokers.values():
                silent = self._observed - broker.mark
                if silent >= idle and broker.clock != NEVER:
                    broker.clock = max(broker.clock, broker.arrival_clock + silent)
            if self._by_series:
                self._advance_series(idle)
        self.drain()

    def _advance_series(self, idle: int) -> None:
        for series in self._table.series.values():
            silent = self._observed - series.mark
            if series.windows and silent >= idle:
                limit = self._period.floor(series.clock + silent - self._config.grace_ns)
                if limit > series.closed:
                    # written even if no bar closes: silence is not in the log to be read again
                    series.closed = limit
                    series.dirty = True
                self._mark_due(series, series.closed)

    def resume_silence(self, wall_ns: int) -> None:
        for broker in self._table.brokers.values():
            if broker.arrival_wall != NEVER:
                broker.mark = self._observed - max(0, wall_ns - broker.arrival_wall)
        for series in self._table.series.values():
            series.mark = series.broker.mark

    def drain(self) -> int:
        if self._by_series:
            self._drain_series()
        else:
            for broker in self._table.brokers.values():
                self._drain_broker(broker)
        return len(self._closed)

    def _drain_broker(self, broker: Broker) -> None:
        through = watermark(broker.clock, self._config.grace_ns, self._period)
        broker.closed = max(broker.closed, through)
        length = self._period.length_ns
        for start in sorted(start for start in broker.buckets if start + length <= through):
            self._closed.extend(self._table.close_bucket(broker, start))

    def _drain_series(self) -> None:
        for series in self._due:
            series.closed = max(series.closed, self._watermark(series))
            for window in self._table.close_series(series, series.closed, self._period.length_ns):
                self._closed.append((series, window))
            series.dirty = True
        self._due.clear()

    def take_bars(self) -> BarBlock:
        block = PureBarBlock(self._config, self._closed)
        self._closed = []
        return block

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
            one = self._table.find(item.broker.encode(), item.symbol.encode())
            one.closed, one.clock = item.closed_through_ns, item.clock_ns

    def store_windows(self, as_of: int, max_bytes: int) -> list[WindowBlock]:
        self._as_of = as_of
        found = []
        for series in self._table.series.values():
            series.stored = bool(series.windows)
            found += [(series, series.windows[start]) for start in sorted(series.windows)]
        found.sort(key=lambda one: one[1].first_offset)
        return pack(found, self._config.order, max_bytes)

    def load_windows(self, as_of: int, blocks: Sequence[WindowBlock]) -> None:
        self._as_of = as_of
        for stored in unpack(blocks, as_of, self._period, self._config.order):
            self._load_window(stored)

    def _load_window(self, stored: Stored) -> None:
        series = self._table.find(stored.broker, stored.symbol)
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
