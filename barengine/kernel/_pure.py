"""The kernel in plain Python: the readable specification of ``_protocol``.

Read ``_protocol`` first: it states the rules that ``_take`` applies to one record. Everything
here favours being read over being fast; the compiled kernel must give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from barengine.codec.plan import FieldPlan
from barengine.codec.read import run_plan
from barengine.kernel._protocol import (
    BadTick,
    BarBlock,
    DecodedTick,
    Outcome,
    RecordBatch,
    Reject,
    SlowDecoder,
)
from barengine.kernel._pure_block import PureBarBlock
from barengine.kernel._pure_memory import PureMemory
from barengine.kernel._pure_record import Record, records_of
from barengine.kernel._table import Broker, Series, Window, as_bar, fits, watermark
from barengine.model import (
    INT64_MAX,
    MAX_EVENT_NS,
    MAX_NAME_BYTES,
    NEVER,
    NS_PER_MS,
    Framing,
    Reason,
    Touch,
)

_FRAME_BYTES = 5


class _NeedSchemaError(Exception):
    """The value's schema id has not been added yet."""

    def __init__(self, schema_id: int) -> None:
        super().__init__(schema_id)
        self.schema_id = schema_id


class PureKernel(PureMemory):
    """See ``_protocol.Kernel``."""

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
        most_late: int = INT64_MAX,
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
                most_late -= reject.reason.late
            if self._paused or most_late == 0:
                self._paused = False
                return Outcome(record.offset + 1, None, records, accepted, rejects)
        return Outcome(stop, None, records, accepted, rejects)

    def _take(self, record: Record, wall_ns: int, replay: bool) -> Reject | None:
        """Apply the rules of ``_protocol`` to one record; None means it went into a window."""
        try:
            tick = self._decode(record)
        except BadTick as bad:
            return record.rejected(bad.reason)
        if not replay and tick.time_ns > wall_ns + self._config.max_future_ns:
            return record.rejected(Reason.FUTURE)._replace(broker=tick.broker.decode())
        series = self._table.find(tick.broker, tick.symbol)
        start = self._period.floor(tick.time_ns)
        if not replay and not self._trades(series.broker, tick.time_ns):
            return self._outside(record, series, start, tick)
        series.last_offset = record.offset
        closed = self._closed_through(series, stored_only=replay)
        reject = None
        if start + self._period.length_ns > closed:
            if not fits(series.windows.get(start), tick):
                return record.rejected(Reason.SIZE_RANGE)
            self._accept(series, start, tick, record.offset, replay=replay)
        elif replay:
            return record.rejected(Reason.WATERMARK)
        elif not fits(None, tick):
            return record.rejected(Reason.SIZE_RANGE)
        else:
            reject = self._late(record, series, start, closed, tick)
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
        tick = tick._replace(symbol=self._canonical(tick.broker, tick.symbol))
        return tick if self._config.sizes else tick._replace(size=None, touch=Touch.BOTH)

    def _trades(self, broker: Broker, time_ns: int) -> bool:
        if self._config.trading is None:
            return True
        if not broker.hours[0] <= time_ns < broker.hours[1]:
            broker.hours = self._config.trading(broker.name.decode(), time_ns)
        return broker.hours[2]

    def reschedule(self) -> None:
        for broker in self._table.brokers.values():
            broker.hours = (0, 0, False)

    def _outside(self, record: Record, series: Series, start: int, tick: DecodedTick) -> Reject:
        reject = record.rejected(self._config.out_of_session)
        if not reject.reason.late:
            return reject
        return _missed(reject, series, start, tick)._replace(closed_ns=NEVER)

    def _late(
        self, record: Record, series: Series, start: int, closed: int, tick: DecodedTick
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
        return _missed(record.rejected(reason), series, start, tick)._replace(
            lateness_ns=max(clock, closed) - tick.time_ns, closed_ns=closed
        )

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
            window = Window.of_tick(start, tick, offset, partial)
            self._table.open(series, window)
        else:
            window.add(tick, offset, self._config.order)
        if self._by_series:
            self._mark_due(series, self._watermark(series))

    def _arrived(self, series: Series, wall_ns: int) -> None:
        broker = series.broker
        broker.arrival_clock = broker.clock
        broker.mark = series.mark = self._observed
        broker.arrival_wall = series.arrival_wall = wall_ns
        self._paused = self._is_held(broker)

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
        if self._bounded:
            through = min(through, max(broker.allowed, broker.closed))
        self._lifted |= through > broker.closed
        broker.closed = max(broker.closed, through)
        length = self._period.length_ns
        for start in sorted(start for start in broker.buckets if start + length <= through):
            self._closed.extend(self._table.close_bucket(broker, start))

    def _is_held(self, broker: Broker) -> bool:
        through = watermark(broker.clock, self._config.grace_ns, self._period)
        return self._bounded and through > max(broker.allowed, broker.closed)

    def held(self) -> list[tuple[str, int]]:
        return [
            (one.name.decode(), watermark(one.clock, self._config.grace_ns, self._period))
            for one in self._table.brokers.values()
            if self._is_held(one)
        ]

    def allow(self, broker: str, through_ns: int) -> None:
        self._table.broker(broker.encode()).allowed = through_ns

    @property
    def lifted(self) -> bool:
        return self._lifted

    def _drain_series(self) -> None:
        self._lifted |= bool(self._due)
        for series in self._due:
            series.closed = max(series.closed, self._watermark(series))
            for window in self._table.close_series(series, series.closed, self._period.length_ns):
                self._closed.append((series, window))
            series.dirty = True
        self._due.clear()

    def take_bars(self) -> BarBlock:
        length = self._period.length_ns
        bars = [as_bar(series, window, length) for series, window in self._closed]
        self._closed = []
        self._lifted = False
        for broker in self._table.brokers.values():
            broker.allowed = NEVER
        return PureBarBlock(self._config.form(), bars)

    def take_live(self) -> BarBlock:
        bars = []
        for series in self._table.series.values():
            window = series.windows[max(series.windows)] if series.windows else None
            if window is not None and window.count != window.given:
                window.given = window.count
                bar = as_bar(series, window, self._period.length_ns)
                bars.append(replace(bar, final=False))
        return PureBarBlock(self._config.form(live=True), bars)

    def give_live_again(self) -> None:
        for window in self._table.windows():
            window.given = 0


def _missed(reject: Reject, series: Series, start: int, tick: DecodedTick) -> Reject:
    """With what a late tick tells of itself."""
    return reject._replace(
        bucket_start_ns=start,
        broker=series.broker.name.decode(),
        symbol=series.symbol.decode(),
        price=tick.price,
        size=tick.size,
        event_ns=tick.time_ns,
        touch=tick.touch,
    )
