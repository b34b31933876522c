"""The engine of one partition: batches and time in, effects out.

"The input log is the changelog": open windows are stored nowhere, unless they reach back too
far. A commit stores C (everything before it is processed) and L (the first tick of an open
window); recovery reads [L, C) again and finds the same windows, because each tick there is
skipped if and only if its bucket was closed at C, which the stored closed_through says, or it was
rejected, which the stored ranges say. docs/recovery.md tells why that is enough.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from barengine.engine.rejected import RejectedOffsets
from barengine.engine.snapshot import Snapshot
from barengine.engine.state import (
    PartitionRecord,
    StateImage,
    StateRecord,
    book_record,
    book_tombstone,
    broker_record,
    differences,
    partition_record,
    series_tombstone,
)
from barengine.engine.stored import StoredWindows
from barengine.engine.turns import Turns
from barengine.errors import StateError
from barengine.kernel import (
    BarBlock,
    Book,
    BrokerState,
    Kernel,
    Outcome,
    RecordBatch,
    Reject,
)
from barengine.model import LatePolicy, Reason

BAR_BYTES: Final = 192
"""About one bar record with its key: to guess how large the next transaction will be."""


@dataclass(frozen=True, slots=True)
class LogRange:
    """What the input partition holds now: offsets [start, end)."""

    start: int
    end: int


@dataclass(slots=True)
class _Pending:
    """Rejects on their way out."""

    late: list[Reject] = field(default_factory=list)
    dead: list[Reject] = field(default_factory=list)
    dropped: list[Reject] = field(default_factory=list)
    size: int = 0


class PartitionEngine:
    """Live processing, replay and snapshots of one partition.

    Args:
        kernel: a fresh kernel, built with ``began_whole`` of :meth:`began_whole`.
        image: the stored state, empty where there is none.
        log: what the input partition holds now.
        fingerprint: settings that give stored offsets their meaning.
        start: where to begin without state.
        late_policy: whether late ticks leave, or are only counted.
        restore_max: how many records recovery should have to read again at most.
        book: what makes other bars of the base bars, loaded; None: nothing does.

    Raises:
        StateError: the state and the log, or the state and the settings, do not fit.
    """

    def __init__(
        self,
        kernel: Kernel,
        image: StateImage,
        log: LogRange,
        fingerprint: Mapping[str, str],
        start: int,
        late_policy: LatePolicy,
        restore_max: int,
        book: Book | None = None,
    ) -> None:
        self.kernel = kernel
        self.book = book
        self._turns = Turns(kernel, book)
        self._fingerprint = dict(fingerprint)
        self._late_policy = late_policy
        self._pending = _Pending()
        self._rejected = RejectedOffsets(image.rejected)
        self._tombstones: list[StateRecord] = []
        if book is None:  # what it remembers now would be out of date when there is one again
            self._tombstones += [book_tombstone(broker) for broker in image.books]
            self._tombstones += [StateRecord(key, None) for key, _ in image.book_pages]
        self._written: dict[str, BrokerState] = dict(image.brokers)
        stored = image.partition
        if stored is None:
            stored = PartitionRecord(start, start, 0, self.began_whole(image, start), "{}")
        else:
            _check(stored, log, self._fingerprint)
        self._whole = stored.began_whole
        self.seq = stored.seq
        self.commit_offset = stored.commit_offset
        self.position = stored.low_water
        self.low_water = stored.low_water
        self.live_records = 0
        kernel.load(list(image.brokers.values()), list(image.series.values()))
        self._live_from = max(stored.commit_offset, log.end)
        self._stored = StoredWindows(kernel, image.windows, stored.low_water, restore_max)

    @staticmethod
    def began_whole(image: StateImage, start: int) -> bool:
        """Whether the engine has seen the log from its very first record on."""
        return image.partition.began_whole if image.partition else start == 0

    @property
    def replaying(self) -> bool:
        """Still inside [L, C): nothing closes, nothing leaves."""
        return self.position < self.commit_offset

    @property
    def pending_bytes(self) -> int:
        """About how large the next transaction is so far, and what waits to be counted."""
        return self._turns.bars * BAR_BYTES + self._pending.size

    @property
    def has_output(self) -> bool:
        """Whether bars or rejected records wait to leave, or dropped ones to be counted."""
        return bool(self._pending.size) or self._turns.due

    @property
    def held(self) -> bool:
        """Whether no tick can be taken before the next snapshot: it has all that it can hold.

        Never in replay: there is no snapshot to wait for, and nothing closes.
        """
        return self._turns.held and not self.replaying

    def feed(self, batch: RecordBatch, next_offset: int, wall_ns: int) -> Outcome:
        """Take a batch up to ``next_offset`` (which may lie beyond its last record).

        Where ``need_schema`` comes back, add that schema to the kernel and feed the same batch
        again: it goes on at ``position``. A batch that lies before ``position`` does nothing.
        It may end earlier, and does nothing while ``held``: take a snapshot then, feed again.
        """
        if next_offset <= self.position:
            return Outcome(self.position, None, 0, 0, [])
        if self.replaying:
            outcome = self._replay(batch, min(next_offset, self.commit_offset))
            if outcome.need_schema is not None or self.position >= next_offset:
                return outcome
        return self._live(batch, next_offset, wall_ns)

    def _live(self, batch: RecordBatch, stop: int, wall_ns: int) -> Outcome:
        turns, outcome = self._turns, None
        turns.drain()
        while self.position < stop and not turns.held:
            outcome = self.kernel.process(
                batch, self.position, stop, wall_ns, most_late=turns.late_room
            )
            self.position = outcome.next_offset
            self.live_records += outcome.records
            if outcome.rejects:
                self._keep(outcome.rejects)
            turns.drain()
            if outcome.need_schema is not None:
                break
        return outcome or Outcome(self.position, None, 0, 0, [])

    def skip_to(self, next_offset: int) -> None:
        """Nothing of interest stands before ``next_offset`` (control batches, compaction)."""
        self.position = max(self.position, next_offset)

    def _replay(self, batch: RecordBatch, stop: int) -> Outcome:
        skip = self._rejected.within(self.position, stop)
        outcome = self.kernel.process(batch, self.position, stop, 0, replay=True, skip=skip)
        if outcome.rejects:
            raise StateError(
                f"offset {outcome.rejects[0].offset} was read before, but the schema registry "
                "does not know its schema id any more: register that schema again, or begin anew "
                "behind it by `barengine state reset --to`"
            )
        self.position = outcome.next_offset
        return outcome

    def _keep(self, rejects: Sequence[Reject]) -> None:
        for reject in rejects:
            kept = reject
            if reject.reason.revocable:
                self._rejected.add(reject.offset)
            if not reject.reason.late:
                self._pending.dead.append(reject)
            elif self._late_policy is LatePolicy.DROP:
                kept = reject._replace(key=None, value=None, headers=b"")
                self._pending.dropped.append(kept)
            elif self._corrects(reject):
                self._turns.correct(reject)
            else:
                self._pending.late.append(reject)
            # dropped ones weigh too: a flood of them must not pile up until the next commit
            size = len(kept.key or b"") + len(kept.value or b"") + len(kept.headers)
            self._pending.size += size + BAR_BYTES

    def _corrects(self, late: Reject) -> bool:
        """Whether its bar may take it still; one outside sessions has none."""
        outside = late.reason is Reason.OUT_OF_SESSION_LATE
        return self._late_policy is LatePolicy.CORRECT and not outside

    def observe(self, observed_ns: int) -> None:
        """Observed silence in total so far; closes what a silent broker left open."""
        if not self.replaying:
            self.kernel.advance(observed_ns)
            self._turns.drain()

    def resume_silence(self, wall_ns: int) -> None:
        """Nothing arrived since the last owner's: the time since then was silence too."""
        self.kernel.resume_silence(wall_ns)

    def evict(self, before_wall_ns: int, ttl_ns: int) -> None:
        """Forget series that were silent since, and in the book those that were for ``ttl_ns`` of
        event time; their stored records become tombstones.

        Without effect in replay: what is open at C is not known yet.
        """
        if self.replaying:
            return
        gone = self.kernel.evict(before_wall_ns)
        self._tombstones += [series_tombstone(*names) for names in gone]
        if self.book is not None:
            self._tombstones += [StateRecord(key, None) for key in self.book.evict(ttl_ns)]

    def reschedule(self) -> None:
        """The trading calendar has changed: ask it again."""
        self.kernel.reschedule()
        if self.book is not None:
            self.book.reschedule()

    def take_live(self) -> BarBlock | None:
        """Bars so far that have changed since they were last given.

        None until everything is read that the log held at recovery: another engine may have given
        bars of it, and these must not be followed by bars of fewer ticks.
        """
        if self.position < self._live_from:
            return None
        self._turns.drain()
        return self.kernel.take_live()

    def give_live_again(self) -> None:
        """What :meth:`take_live` gave was lost: the next call gives every bar so far."""
        self.kernel.give_live_again()

    def snapshot(self, *, may_store: bool = True) -> Snapshot:
        """Close everything due and take all that one transaction must carry.

        The engine goes on as if it had been committed: if the transaction fails, the engine
        must be thrown away and recovered.

        Args:
            may_store: whether open windows may be stored; a later transaction can do it.

        Raises:
            RuntimeError: still in replay; C would go back and half-read windows would close.
        """
        if self.replaying:
            raise RuntimeError(f"no snapshot at {self.position}, before C {self.commit_offset}")
        self._turns.drain()
        windows = self._stored.take(self.position, self._reach(), may_store)
        self.low_water = self._reach()
        self.commit_offset = self.position
        self.seq += 1
        pending, self._pending = self._pending, _Pending()
        taken = self._turns.take()
        return Snapshot(
            self.commit_offset,
            self.low_water,
            self.seq,
            taken.leaves,
            pending.late + taken.refused,
            pending.dead + taken.dead,
            pending.dropped,
            taken.corrected,
            self._take_tombstones(),
            taken.series,
            taken.pages,
            windows,
            self._take_state(),
        )

    def _reach(self) -> int:
        """L of a commit at the position."""
        low_water = self.kernel.low_water()
        return self.position if low_water is None else low_water

    def _take_tombstones(self) -> list[StateRecord]:
        tombstones, self._tombstones = self._tombstones, []
        return tombstones

    def _take_state(self) -> list[StateRecord]:
        records = []
        for state in self.kernel.brokers():
            if self._written.get(state.broker) != state:
                self._written[state.broker] = state
                records.append(broker_record(state))
        if self.book is not None:
            records += map(book_record, self.book.take_starts())
        records += self._rejected.take_records(self.low_water)
        own = PartitionRecord(
            self.commit_offset,
            self.low_water,
            self.seq,
            self._whole,
            json.dumps(self._fingerprint, sort_keys=True),
        )
        return [*records, partition_record(own)]


def _check(stored: PartitionRecord, log: LogRange, fingerprint: dict[str, str]) -> None:
    changed = differences(stored.fingerprint, fingerprint)
    if changed:
        raise StateError(
            f"the state was written with other settings: {'; '.join(changed)}; set them back, or "
            "let the new ones hold from now on"
        )
    if stored.low_water < log.start:
        raise StateError(
            f"offsets {stored.low_water} to {log.start - 1} are needed to go on and are gone from "
            "the input topic (retention): give it a longer retention.ms than window + grace + the "
            "longest stop"
        )
    if stored.commit_offset > log.end:
        raise StateError(
            f"the state says {stored.commit_offset} records are processed, the input topic ends "
            f"at {log.end}: it was made anew or cut"
        )
