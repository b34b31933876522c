"""What a kernel is: the open-window table of one partition and the rules that fill and close it.

There are two kernels with this interface: ``_pure.PureKernel`` is the readable specification,
``_kernel.CompiledKernel`` the fast one. Both get the same bytes and give the same bytes.
A kernel reads no clock and does no I/O: wall time and observed silence come in as arguments.

Rules, in the order in which one record meets them (design: "decided tick by tick, in offset
order; batch boundaries never matter"):

1. A record outside [start, stop) or listed in ``skip`` is passed over.
2. It is decoded. What cannot become a tick is a dead letter. A schema id that no plan was added
   for ends the call: ``Outcome.need_schema`` names it, ``Outcome.next_offset`` is that record.
   Its symbol is replaced by the one that ``names`` has for it.
3. Event time > wall + max_future: dead letter FUTURE; no clock moves.
   Where the configuration has trading hours, and its broker does not trade at that time: rejected
   for ``out_of_session``. It is no arrival, and moves no clock.
4. ``bucket_end <= closed`` is late, where closed = max(series.closed_through,
   broker.closed_through, floor(clock - grace)), the clock being the broker's (WATERMARK=broker)
   or the series' own (WATERMARK=series).
5. A tick that would lift volume or turnover of its window to MAX_SUM, or (a late one) has that
   much alone: dead letter SIZE_RANGE; no clock moves. It depends on the window alone, so replay
   decides the same.
6. Otherwise accepted: both clocks take max(clock, event time), the tick goes into its window.

A late tick and an accepted one are arrivals: they end the silence of their broker and series.
In replay (the range [L, C) of recovery) rule 3 is off (who was rejected by it is in ``skip``), and
rule 4 looks at the two stored closed_through only; a record it skips leaves no trace, and nothing
is rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from barengine.codec.plan import FieldPlan
from barengine.codec.symbols import SymbolNames
from barengine.codec.tick import BadTick as BadTick
from barengine.codec.tick import DecodedTick as DecodedTick
from barengine.codec.tick import SlowDecoder as SlowDecoder
from barengine.kernel._blocks import BarBlock as BarBlock
from barengine.kernel._blocks import BlockForm as BlockForm
from barengine.kernel._blocks import OpenWindows as OpenWindows
from barengine.kernel._blocks import SeriesBlock as SeriesBlock
from barengine.kernel._blocks import SeriesState as SeriesState
from barengine.kernel._blocks import WindowBlock as WindowBlock
from barengine.kernel._pure_payloads import EncodedRecords as EncodedRecords
from barengine.kernel._pure_payloads import Payloads as Payloads
from barengine.model import INT64_MAX, Framing, KeyFormat, Order, Period, Reason, Touch, Watermark

Trading = Callable[[str, int], tuple[int, int, bool]]
"""Whether a broker trades at a time, and the stretch [from, to) around it in which that holds.
Times in ns. What it says must not change but by :meth:`Kernel.reschedule`. What it raises comes
out of :meth:`Kernel.process` in the middle of a batch: throw the kernel away then."""


@dataclass(frozen=True, slots=True)
class KernelConfig:
    """Everything a kernel must know beforehand. Durations in ns."""

    period: Period
    grace_ns: int
    watermark: Watermark = Watermark.BROKER
    idle_timeout_ns: int | None = None
    """Observed silence after which a market clock runs on; None: never."""
    max_future_ns: int = 300 * 10**9
    order: Order = Order.EVENT_TIME
    price_scale: int = 9
    framing: Framing = Framing.CONFLUENT
    schema_by_id: bool = False
    """True: the id in the frame chooses the plan. False: plan 0 reads every value."""
    record_time: bool = False
    """True: event time is the Kafka record timestamp."""
    key_format: KeyFormat = KeyFormat.STRING
    key_header: bytes = b""
    value_header: bytes = b""
    live_header: bytes = b""
    """Confluent frames of bar key (Avro keys only), bar value and live bar value; empty without a
    registry."""
    began_whole: bool = False
    """The engine began at the log's first record: no bar is partial."""
    sizes: bool = False
    """Windows sum up sizes and heed what a tick may touch; else both are not looked at."""
    book: bool = False
    """There is a book above. Under WATERMARK=series closed_through of a series then rises (and is
    given by take_series) with every bucket, not only where a bar closes. Under WATERMARK=broker
    brokers close only as far as :meth:`Kernel.allow` lets them."""
    trading: Trading | None = None
    """Hours outside of which ticks are rejected; None: all are taken."""
    out_of_session: Reason = Reason.OUT_OF_SESSION
    """What they are rejected for: that, or OUT_OF_SESSION_LATE."""
    names: SymbolNames | None = None
    """Aliases and normal form of symbols; None: they are taken as they come."""
    skip_partial: bool = False
    """Partial bars are made and closed as any, and left out when a block is encoded."""

    def form(self, *, live: bool = False) -> BlockForm:
        """How its bars are written."""
        return BlockForm(
            self.period.name,
            self.order,
            self.key_format,
            self.key_header,
            self.live_header if live else self.value_header,
            self.skip_partial,
            live,
        )


class RecordBatch(NamedTuple):
    """The records of one decompressed v2 record batch.

    ``payload`` is ``records`` records back to back, each (KIP-98):
    length varint, attributes int8, timestamp delta varlong, offset delta varint,
    key length varint (-1 null) + key, value length varint (-1 null) + value,
    header count varint + headers. Varints are zigzag.
    """

    payload: bytes
    records: int
    base_offset: int
    base_time_ms: int
    append_time_ms: int | None = None
    """Set when the topic stamps LogAppendTime: then it is every record's timestamp."""
    behind: bytes | memoryview | None = None
    """What is read next, about: the compiled kernel asks the memory for it while it works."""


class BatchHeader(NamedTuple):
    """Where a batch of a fetch ends, and what it says of itself; see ``_pure_fetched``."""

    stop: int
    """The byte behind it."""
    magic: int
    """Its format; what follows the base offset is of format 2 alone."""
    crc: int
    attributes: int
    base_offset: int
    next_offset: int
    """Where the log goes on behind it; not always the last record's offset + 1 (compaction)."""
    base_time_ms: int
    max_time_ms: int
    producer_id: int
    records: int


class Reject(NamedTuple):
    """A record that went into no window, as it must be written to tick_late or tick_dead."""

    offset: int
    time_ms: int
    key: bytes | None
    value: bytes | None
    headers: bytes
    """The record's own headers, raw: count varint and headers, as in the batch."""
    reason: Reason
    bucket_start_ns: int = 0
    """Late ticks only: start of the bucket it missed."""
    lateness_ns: int = 0
    """Late ticks only: max(clock, closed) - event time; a grace above it would have kept it."""
    broker: str = ""
    """Late and future ticks only."""
    symbol: str = ""
    """Late ticks only, as all that follows: what a correction needs. In normal form."""
    price: int = 0
    size: int | None = None
    event_ns: int = 0
    touch: Touch = Touch.BOTH
    closed_ns: int = 0
    """``closed`` of rule 4 at this tick: the same wherever batches and commits are cut."""


class Outcome(NamedTuple):
    """What one call of process did."""

    next_offset: int
    """First offset not processed: ``stop``, the record that needs a schema, or the one behind a
    tick that made its broker wait or was the last late one to be taken."""
    need_schema: int | None
    records: int
    """Records processed in this call: accepted + rejected (replay: those that were looked at)."""
    accepted: int
    rejects: list[Reject]


class BrokerState(NamedTuple):
    """Clocks of one broker; NEVER where unset. All in ns."""

    broker: str
    clock_ns: int
    """The market clock: largest accepted event time, moved on by observed silence."""
    event_clock_ns: int
    """Largest accepted event time alone."""
    arrival_clock_ns: int
    """The market clock just after the last arrival; silence counts from here."""
    closed_through_ns: int
    begin_ns: int
    """Buckets that start by then are partial. NEVER when began_whole; else it is the market clock
    after the first accepted tick, and as long as it is NEVER what replay opens is partial."""
    arrival_wall_ns: int
    """Wall clock at the last arrival."""


class Kernel(Protocol):
    """The window table of one partition. Not thread-safe; one owner."""

    def __init__(self, config: KernelConfig) -> None: ...

    def add_schema(
        self, schema_id: int, plan: FieldPlan | None, slow: SlowDecoder | None = None
    ) -> None:
        """How values of this schema id are read: by a plan, by a slow decoder, or (both None)
        not at all: unknown to the registry, UNKNOWN_SCHEMA. A second call replaces the first."""
        ...

    def forget_schema(self, schema_id: int) -> None:
        """Ask for this id again when it next occurs."""
        ...

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
        """Take the records with start <= offset < stop in offset order.

        Ends behind a tick that takes its broker's watermark beyond what :meth:`allow` said: no
        tick is decided by a close that must wait. Ends behind the ``most_late``-th late tick, too
        (at least one): whoever makes corrections of them can only make so many at once.

        ``skip`` are offsets (ascending) to pass over. A payload that breaks off or contradicts
        itself raises ValueError: the batch passed its CRC, so its writer was broken.
        """
        ...

    def advance(self, observed_ns: int) -> None:
        """Tell the total observed silence time of the partition so far (never decreasing).

        A broker silent for S >= idle_timeout has clock = max(clock, arrival_clock + S). Under
        WATERMARK=series a series with open windows, silent for S >= idle_timeout, gets
        closed_through = max(closed_through, floor(clock + S - grace)); its clock stays.
        Drains before and after, so that the outcome does not depend on batch boundaries.
        """
        ...

    def reschedule(self) -> None:
        """The trading hours may have changed: ask again."""
        ...

    def resume_silence(self, wall_ns: int) -> None:
        """After recovery with nothing new in the log: wall - arrival_wall counts as observed."""
        ...

    def drain(self) -> int:
        """Move every due window to the pending block; returns the number of pending bars.

        WATERMARK=broker: also lifts each broker's closed_through to floor(clock - grace), or as
        far as it is allowed. WATERMARK=series: each series' to floor(its clock - grace)."""
        ...

    def held(self) -> list[tuple[str, int]]:
        """Brokers that may not be closed as far as their watermarks, and these. Empty without a
        book, and under WATERMARK=series."""
        ...

    def allow(self, broker: str, through_ns: int) -> None:
        """The broker, which held() named, may be closed through that time; until take_bars."""
        ...

    @property
    def lifted(self) -> bool:
        """Whether drain has lifted a closed_through since take_bars."""
        ...

    def take_bars(self) -> BarBlock:
        """The pending bars (call drain first); the kernel forgets them."""
        ...

    def take_live(self) -> BarBlock:
        """The newest open window of each series, where a tick has gone into it since it was last
        given (or the kernel was made): the bar so far, in order of the series' first appearance.
        Nothing changes but that; call drain first. Looks at every series."""
        ...

    def give_live_again(self) -> None:
        """What take_live gave was lost: the next call gives every bar so far."""
        ...

    def take_series(self) -> SeriesBlock:
        """WATERMARK=series: states of series with a bar closed, a closed_through that silence has
        lifted, or a late tick that the broker's closed_through does not cover, since the last
        call. Else empty."""
        ...

    def brokers(self) -> list[BrokerState]:
        """Clocks of every broker seen."""
        ...

    def load(self, brokers: Sequence[BrokerState], series: Sequence[SeriesState]) -> None:
        """Put stored clocks back (recovery, before replay)."""
        ...

    def store_windows(self, as_of: int) -> OpenWindows:
        """Every open window as it is now; call drain first.

        ``as_of`` is the offset up to which everything is processed. From now on low_water is not
        below it. What comes back is a copy: another thread may pack it while the kernel goes on.
        """
        ...

    def load_windows(self, as_of: int, blocks: Sequence[WindowBlock]) -> None:
        """Put stored windows back, save those that were closed since (recovery, after load).
        Every other call has to wait: a thread of its own may make this one.

        A window closed by the stored closed_through of its broker or series is passed over; the
        others go on where they were, and their series' clocks with them.

        Raises:
            ValueError: a block is damaged; the kernel must be thrown away.
        """
        ...

    @property
    def stored_open(self) -> bool:
        """Whether a window is still open that store_windows gave or load_windows took. Once it
        is False, the blocks are of no use any more."""
        ...

    def evict(self, before_wall_ns: int) -> list[tuple[str, str]]:
        """Forget series without an open window whose last arrival is older; returns the names of
        those that may have a stored record.

        The last arrival of a series that was met in recovery is that of its broker. Kept are
        series with something to tell (take_bars, take_series), and those whose closed_through
        recovery needs: it is above the broker's, and WATERMARK=broker, or a tick of the series is
        at or behind low_water, or a window of it is in the blocks of store_windows while one of
        those is still open.
        """
        ...

    def low_water(self) -> int | None:
        """L: from here on recovery must read again; None without an open window. Call drain first.

        The smallest first offset of an open window; for one that was stored, its ``as_of``."""
        ...

    @property
    def open_windows(self) -> int: ...

    @property
    def pending(self) -> int: ...
