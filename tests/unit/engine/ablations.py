"""Rules of recovery, each taken away: the property tests must notice every one.

They patch the engine and the pure kernel; the compiled one has no seams to do it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from barengine.engine.partition import PartitionEngine
from barengine.engine.rejected import RejectedOffsets
from barengine.engine.snapshot import Snapshot
from barengine.engine.state import StateRecord, StoredBlock
from barengine.engine.stored import StoredWindows, WindowRecords
from barengine.kernel import (
    BrokerState,
    OpenWindows,
    Outcome,
    PureKernel,
    RecordBatch,
    Reject,
    SeriesState,
)
from barengine.kernel._pure_block import PureSeriesBlock
from barengine.kernel._pure_record import Record
from barengine.kernel._pure_stored import Stored
from barengine.model import NEVER, Reason, Watermark
from tests.unit.engine.run import UNIT_NS, Op, Plan
from tests.unit.engine.sim import Rules

Patch = pytest.MonkeyPatch
Ablation = Callable[[Patch], None]


def _loading(patch: Patch, forget: Callable[[BrokerState], BrokerState]) -> None:
    load = PureKernel.load

    def forgetful(
        self: PureKernel, brokers: Sequence[BrokerState], series: Sequence[SeriesState]
    ) -> None:
        load(self, [forget(state) for state in brokers], series)

    patch.setattr(PureKernel, "load", forgetful)


def without_broker_closed_through(patch: Patch) -> None:
    """Recovery does not know what is closed for a whole broker."""
    _loading(patch, lambda state: state._replace(closed_through_ns=NEVER))


def without_market_clock(patch: Patch) -> None:
    """Recovery takes the market clock from [L, C) alone: what silence added is lost."""
    _loading(patch, lambda state: state._replace(clock_ns=NEVER))


def without_begin(patch: Patch) -> None:
    """Recovery does not know where the engine began: whole bars look partial."""
    _loading(patch, lambda state: state._replace(begin_ns=NEVER))


def without_series_records(patch: Patch) -> None:
    """What is closed for one series alone is not written."""
    patch.setattr(PureKernel, "take_series", lambda _self: PureSeriesBlock([]))


def without_late_marks(patch: Patch) -> None:
    """A series whose tick was late is written only once a bar of it closes."""
    late = PureKernel._late

    def unmarked(self: PureKernel, record: Any, series: Any, *rest: Any) -> Reject:
        dirty = series.dirty
        reject = late(self, record, series, *rest)
        series.dirty = dirty
        return reject

    patch.setattr(PureKernel, "_late", unmarked)


def without_silence_marks(patch: Patch) -> None:
    """A closed_through that silence lifts is written only once a bar closes by it."""
    advance = PureKernel._advance_series

    def unmarked(self: PureKernel, idle: int) -> None:
        dirty = [series for series in self._table.series.values() if series.dirty]
        advance(self, idle)
        for series in self._table.series.values():
            series.dirty = series in dirty

    patch.setattr(PureKernel, "_advance_series", unmarked)


def without_quarantine_list(patch: Patch) -> None:
    """Ticks from the future are not remembered."""
    keep = PartitionEngine._keep

    def careless(self: PartitionEngine, rejects: Sequence[Reject]) -> None:
        add, self._rejected = self._rejected, RejectedOffsets()
        for one in rejects:
            if one.reason is Reason.UNKNOWN_SCHEMA:
                add.add(one.offset)
        keep(self, rejects)
        self._rejected = add

    patch.setattr(PartitionEngine, "_keep", careless)


def without_rejected_offsets(patch: Patch) -> None:
    """Neither ticks from the future nor unknown schemas are remembered."""
    patch.setattr(RejectedOffsets, "add", lambda _self, _offset: None)


def without_low_water(patch: Patch) -> None:
    """Recovery begins at C."""
    patch.setattr(PureKernel, "low_water", lambda _self: None)


def without_drain(patch: Patch) -> None:
    """A snapshot is taken first, and what is due is closed after it."""
    drain, snapshot = PureKernel.drain, PartitionEngine.snapshot

    def early(self: PartitionEngine) -> Snapshot:
        taken = snapshot(self)
        assert isinstance(self.kernel, PureKernel)
        drain(self.kernel)
        return taken

    patch.setattr(PureKernel, "drain", lambda self: len(self._closed))
    patch.setattr(PartitionEngine, "snapshot", early)


def without_replay(patch: Patch) -> None:
    """[L, C) is taken as if it were new: with the wall clock, the watermark and lateness."""
    process = PureKernel.process

    def live(
        self: PureKernel, batch: RecordBatch, start: int, stop: int, wall_ns: int, **how: Any
    ) -> Outcome:
        outcome = process(self, batch, start, stop, wall_ns, skip=how.get("skip", ()))
        return outcome._replace(rejects=[]) if how.get("replay") else outcome

    patch.setattr(PureKernel, "process", live)


def without_storing(patch: Patch) -> None:
    """[L, C) may be as long as it likes."""
    patch.setattr(StoredWindows, "take", lambda self, *_, **__: WindowRecords(self, 0))


def without_stored_windows(patch: Patch) -> None:
    """Windows are stored, and recovery does not take them."""
    patch.setattr(StoredWindows, "_load", lambda *_: None)


def without_as_of(patch: Patch) -> None:
    """L does not know that windows are stored: recovery adds their ticks a second time."""
    patch.setattr(PureKernel, "low_water", PureKernel._oldest_first_offset)
    patch.setattr(StoredWindows, "_load", _unchecked)


def _unchecked(self: StoredWindows, blocks: Mapping[int, StoredBlock], _: int) -> None:
    content = [blocks[number].windows for number in sorted(blocks)]
    self._kernel.load_windows(blocks[0].as_of, content)


def without_closed_since(patch: Patch) -> None:
    """A stored window is open again, though it was closed since."""
    load = PureKernel._load_window

    def open_again(self: PureKernel, one: Stored) -> None:
        series = self._table.find(one.broker, one.symbol)
        known, series.closed = series.closed, NEVER
        known_of_all, series.broker.closed = series.broker.closed, NEVER
        load(self, one)
        series.closed, series.broker.closed = known, known_of_all

    patch.setattr(PureKernel, "_load_window", open_again)


def without_clocks_of_stored(patch: Patch) -> None:
    """The clock of a series is taken from its record and [L, C) alone."""
    load = PureKernel._load_window

    def unmoved(self: PureKernel, one: Stored) -> None:
        series = self._table.find(one.broker, one.symbol)
        clock = series.clock
        load(self, one)
        series.clock = clock

    patch.setattr(PureKernel, "_load_window", unmoved)


def without_later_ticks(patch: Patch) -> None:
    """A stored window is taken for whole: ticks of [L, C) do not get into it."""
    take = PureKernel._take

    def complete(self: PureKernel, record: Record, wall_ns: int, replay: bool) -> Reject | None:
        tick = self._decode(record) if replay and record.value else None
        series = self._table.find(tick.broker, tick.symbol) if tick else None
        window = series and tick and series.windows.get(self._period.floor(tick.time_ns))
        if window and window.first_offset < self._as_of:
            return None
        return take(self, record, wall_ns, replay)

    patch.setattr(PureKernel, "_take", complete)


def without_left_over_tombstones(patch: Patch) -> None:
    """Fewer blocks than before are written over the first of them."""
    write = WindowRecords._records

    def over(self: WindowRecords, blocks: Sequence[StoredBlock]) -> list[StateRecord]:
        return [one for one in write(self, blocks) if one.value is not None or not blocks]

    patch.setattr(WindowRecords, "_records", over)


def without_last_tombstones(patch: Patch) -> None:
    """Blocks stay for ever when all of their windows are closed."""
    patch.setattr(PureKernel, "stored_open", True)


def without_care_for_stored(patch: Patch) -> None:
    """A silent series is forgotten though a stored window of it would be open again."""
    load, store = PureKernel._load_window, PureKernel.store_windows

    def unmarked_load(self: PureKernel, one: Stored) -> None:
        load(self, one)
        self._table.find(one.broker, one.symbol).stored = False

    def unmarked_store(self: PureKernel, as_of: int) -> OpenWindows:
        windows = store(self, as_of)
        for series in self._table.series.values():
            series.stored = False
        return windows

    patch.setattr(PureKernel, "_load_window", unmarked_load)
    patch.setattr(PureKernel, "store_windows", unmarked_store)


def without_care_for_tombstones(patch: Patch) -> None:
    """A silent series is forgotten though recovery would read its ticks again."""
    patch.setattr(PureKernel, "_dispensable", lambda *_: True)


ANY_HISTORY: Final[list[Ablation]] = [
    without_broker_closed_through,
    without_market_clock,
    without_begin,
    without_series_records,
    without_late_marks,
    without_quarantine_list,
    without_rejected_offsets,
    without_low_water,
    without_drain,
    without_replay,
    without_storing,
    without_stored_windows,
    without_as_of,
    without_closed_since,
    without_clocks_of_stored,
    without_later_ticks,
    without_left_over_tombstones,
    without_last_tombstones,
]
"""Random histories run into these soon."""


def _tick(series: int, time: int) -> Op:
    return Op("tick", (series, 0, time, 8, False))


_BY_SERIES: Final = Rules(watermark=Watermark.SERIES, idle_ns=UNIT_NS, grace_ns=4 * UNIT_NS)

CERTAIN_HISTORY: Final[list[tuple[Ablation, Plan]]] = [
    (
        # The tick at 5 is in bucket 4..8. After 4 units of silence its watermark is 5 + 4 - 4,
        # which closes what ends at 4, but no window. The tick at 2 is late because of it.
        without_silence_marks,
        Plan(
            _BY_SERIES,
            [
                *(_tick(0, 5), Op("silence", (4,)), Op("commit"), Op("crash")),
                *(_tick(0, 2 - 4), Op("feed", (9, 0, 0))),
            ],
        ),
    ),
    (
        # Both windows are 0..4. After 5 units of silence the tick at 3 is closed (3 + 5 - 4), the
        # one at 0 is open and stands before it in the log: recovery reads both.
        without_care_for_tombstones,
        Plan(
            _BY_SERIES,
            [
                *(_tick(0, 0), _tick(1, 3), Op("silence", (5,)), Op("commit")),
                *(Op("evict"), Op("commit"), Op("crash")),
            ],
            forgetful=True,
        ),
    ),
    (
        # Both windows are stored as of 2. The one of the tick at 3 is closed by silence, its bar
        # leaves. The other one stays open: recovery reads what was stored, both windows.
        without_care_for_stored,
        Plan(
            replace(_BY_SERIES, restore_max=0),
            [
                *(_tick(0, 0), _tick(1, 3), Op("feed", (9, 0, 0)), Op("commit")),
                *(Op("silence", (5,)), Op("commit"), Op("evict"), Op("commit"), Op("crash")),
            ],
            forgetful=True,
        ),
    ),
]
"""Random histories run into these too, but seldom; each comes with one that surely does."""
