"""What ``barengine state reset`` and ``adopt`` write, as plans: state and log in, records out.

Reset forgets everything and begins anew: what is behind its offset may leave a second time.
Adopt takes a situation that recovery refuses as it is, and keeps every ``closed_through``: no bar
leaves twice, and what cannot be told to be whole is marked partial. docs/recovery.md argues it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from barengine.engine.partition import LogRange
from barengine.engine.rejected import RejectedOffsets
from barengine.engine.state import (
    PARTITION_KEY,
    WITH_A_BOOK,
    PartitionRecord,
    StateImage,
    StateRecord,
    broker_record,
    changed,
    differences,
    partition_record,
    windows_record,
)
from barengine.errors import StateError, UnreadableStateError
from barengine.kernel import BrokerState
from barengine.model import NEVER

_SAME_TICKS: Final = frozenset({"WINDOW", "ORDER", "PRICE_SCALE"})
"""Settings that put the same ticks into other bars: every tick of an open window is read again."""

Records = Iterable[tuple[bytes | None, bytes | None]]


@dataclass(frozen=True, slots=True)
class Plan:
    """One transaction of state records for one partition.

    Attributes:
        commit_offset: C when it is done.
        seq: of the commit that it is.
        says: what it does and what that costs, in sentences.
    """

    commit_offset: int
    seq: int
    records: list[StateRecord]
    says: list[str]


def newest_seq(records: Records) -> int:
    """The largest ``seq`` that can be read; what cannot be read is passed over."""
    seq = 0
    for key, value in records:
        if key == PARTITION_KEY and value is not None:
            image = StateImage()
            try:
                image.apply(key, value)
            except UnreadableStateError:
                continue
            seq = max(seq, image.partition.seq if image.partition else 0)
    return seq


def plan_reset(
    records: Records, offset: int, seq: int, fingerprint: Mapping[str, str], *, whole: bool
) -> Plan:
    """Forget every record there is, readable or not, and begin at ``offset``.

    Args:
        seq: the largest that any commit of this partition had.
        whole: nothing stands before ``offset``, so no bar is partial.
    """
    newest = dict(records)
    gone = [key for key, value in newest.items() if key is not None and value is not None]
    own = PartitionRecord(offset, offset, seq + 1, whole, _text(fingerprint))
    says = [
        f"forgets {len(gone):,} state records and begins at offset {offset:,}; bars of what stands "
        "behind it that have left already are written a second time"
    ]
    tombstones = [StateRecord(key, None) for key in gone]
    return Plan(offset, own.seq, [*tombstones, partition_record(own)], says)


def plan_begin(offset: int, seq: int, fingerprint: Mapping[str, str]) -> Plan:
    """Begin a partition that has no state at ``offset``, in the middle of something.

    Args:
        seq: the largest that any commit of this partition had; 0: there was none.
    """
    own = PartitionRecord(offset, offset, seq + 1, False, _text(fingerprint))
    says = [
        f"has no state, begins at offset {offset:,}; each broker's first bars, of which ticks may "
        "be missing, are marked partial"
    ]
    if seq:
        says.append(
            "bars that left after the group's offset was committed, which happens every few "
            "seconds, are written a second time"
        )
    return Plan(offset, own.seq, [partition_record(own)], says)


def plan_adopt(
    image: StateImage,
    log: LogRange,
    fingerprint: Mapping[str, str],
    group: tuple[int, int | None] | None,
    anew_at: int,
) -> Plan | None:
    """Go on from a state that recovery refuses; None: it would not refuse.

    Args:
        group: the group's offset and the seq in its tag (None: somebody else set it).
        anew_at: where to begin in a log that ends before C.

    Raises:
        StateError: a book is of another WATERMARK.
    """
    assert image.partition is not None
    draft = _Draft(image, image.partition)
    phrases = differences(draft.own.fingerprint, dict(fingerprint))
    different = set(changed(json.loads(draft.own.fingerprint), fingerprint))
    if WITH_A_BOOK in different:
        raise StateError(
            f"{'; '.join(phrases)}: roll-ups, flat bars and corrections are stored for one "
            f"{WITH_A_BOOK}, under another some of them would leave twice: nothing of it can be "
            "adopted; set it back, or give the new one a CONTEXT or GROUP_ID of its own"
        )
    if draft.own.commit_offset > log.end:
        draft.begin_in_a_new_log(anew_at, log)
    if group is not None:
        offset, seq = group
        if seq is None and offset != draft.own.commit_offset:
            draft.follow(offset, log)
        elif seq is not None and seq > draft.own.seq:
            draft.skip_lost_commits(offset, seq, log)
    if draft.own.low_water < log.start:
        draft.cut(log.start)
    if different:
        draft.change(different, phrases, fingerprint)
    return draft.plan() if draft.says else None


@dataclass(slots=True)
class _Draft:
    """A state on its way from refused to accepted."""

    image: StateImage
    own: PartitionRecord
    says: list[str] = field(default_factory=list)
    skipped: tuple[int, int] | None = None
    brokers: dict[str, BrokerState] = field(default_factory=dict)
    tombstones: list[StateRecord] = field(default_factory=list)
    log_is_new: bool = False

    def begin_in_a_new_log(self, offset: int, log: LogRange) -> None:
        c, low = self.own.commit_offset, self.own.low_water
        self.says.append(
            f"the log ends at {log.end:,}, before C {c:,}: it is another log; begins at offset "
            f"{offset:,} of it, and the {c - low:,} records from L {low:,} on, which hold the "
            "ticks of open windows, are lost"
        )
        self.log_is_new = True
        self._give_up_windows()
        self.own = self.own._replace(commit_offset=offset, low_water=offset)
        self._mark_from_the_next_tick()

    def follow(self, offset: int, log: LogRange) -> None:
        c = self.own.commit_offset
        if not c < offset <= log.end:
            self.says.append(
                f"the group's offset {offset:,} is not followed (before C {c:,} everything has "
                f"left, and the log ends at {log.end:,}); goes on from C; to write bars again, "
                "reset the state"
            )
            return
        self.says.append(
            f"goes on at the group's offset {offset:,}: the {offset - c:,} records from C {c:,} on "
            "are never read"
        )
        if self.own.low_water < c:
            self.skipped = (c, offset)
        else:
            self.own = self.own._replace(low_water=offset)
        self.own = self.own._replace(commit_offset=offset)
        self._mark_from_the_next_tick()

    def skip_lost_commits(self, offset: int, seq: int, log: LogRange) -> None:
        c = self.own.commit_offset
        start = min(max(offset, c), log.end)
        self.says.append(
            f"the state ends with commit {self.own.seq:,}, the group's offset tells of commit "
            f"{seq:,}: goes on there, at offset {start:,}; ticks of windows open then are lost, "
            "and ticks that come late may make a second bar of what closed in the lost commits"
        )
        self._give_up_windows()
        self.own = self.own._replace(commit_offset=start, low_water=start, seq=seq)
        self._mark_from_the_next_tick()

    def cut(self, start: int) -> None:
        c, low = self.own.commit_offset, self.own.low_water
        self.says.append(
            f"goes on without the {start - low:,} records from L {low:,} to the log's start "
            f"{start:,}: {max(0, start - c):,} of them were never processed, the other "
            f"{min(start, c) - low:,} may hold ticks of open windows"
        )
        self.own = self.own._replace(commit_offset=max(c, start), low_water=start)
        if start > c:
            self._mark_from_the_next_tick()
        else:
            self._mark({name: one.clock_ns for name, one in self._clocks().items()})

    def change(
        self, different: set[str], phrases: list[str], fingerprint: Mapping[str, str]
    ) -> None:
        c, low = self.own.commit_offset, self.own.low_water
        self.says.append(
            f"{'; '.join(phrases)}: holds from C {c:,} on, and for the {c - low:,} records from L "
            f"{low:,} on, which are read again; what was closed stays closed"
        )
        self.own = self.own._replace(fingerprint=_text(fingerprint))
        lost = self._give_up_windows()  # their ticks before L cannot be read again: see rejected
        if different <= _SAME_TICKS and not lost and not self.image.series:
            # An old window that was open began at closed_through or later, and so did its ticks.
            # A new bucket that begins before has lost those that are in bars already.
            self._mark({n: one.closed_through_ns - 1 for n, one in self._clocks().items()})
        else:
            self._mark({n: one.clock_ns for n, one in self._clocks().items()})

    def plan(self) -> Plan:
        seq = self.own.seq + 1
        if self.brokers:
            self.says.append("bars that may lack ticks because of this are marked partial")
        records = [broker_record(one) for one in self.brokers.values()]
        records += self.tombstones + self._rejected()
        own = partition_record(self.own._replace(seq=seq))
        return Plan(self.own.commit_offset, seq, [*records, own], self.says)

    def _give_up_windows(self) -> bool:
        """Forget the windows that are stored in full; whether there were any."""
        lost = self.image.windows if not self.tombstones else {}
        if lost:
            count = sum(block.count for block in lost.values())
            self.says.append(f"up to {count:,} open windows that are stored in full are lost")
            self.tombstones = [windows_record(number, None) for number in lost]
        return bool(lost)

    def _clocks(self) -> dict[str, BrokerState]:
        return self.image.brokers | self.brokers

    def _mark(self, through: Mapping[str, int]) -> None:
        """Buckets that begin by then are partial. A begin that is not known yet stays so."""
        for name, one in self._clocks().items():
            if one.begin_ns == NEVER and not self.own.began_whole:
                continue
            if through[name] > one.begin_ns:
                self.brokers[name] = one._replace(begin_ns=through[name])

    def _mark_from_the_next_tick(self) -> None:
        """What is open, and what begins until each broker's next tick, is partial."""
        self.own = self.own._replace(began_whole=False)
        for name, one in self._clocks().items():
            self.brokers[name] = one._replace(begin_ns=NEVER)

    def _rejected(self) -> list[StateRecord]:
        rejected = RejectedOffsets(self.image.rejected)
        if self.skipped is not None:
            rejected.add_range(*self.skipped)
        return rejected.take_records(2**63 - 1 if self.log_is_new else self.own.low_water)


def _text(fingerprint: Mapping[str, str]) -> str:
    return json.dumps(dict(fingerprint), sort_keys=True)
