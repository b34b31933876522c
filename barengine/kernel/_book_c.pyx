"""The book in C: ``_pure_book`` is the specification; results are the same to the byte."""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset

from barengine.kernel._bars cimport FILLED, merge_into
from barengine.kernel._block cimport CompiledBarBlock, empty_block
from barengine.kernel._book_memory cimport KINDS, Leaving, name_key
from barengine.kernel._book_state cimport BookState
from barengine.kernel._encode cimport reserve
from barengine.kernel._memo cimport (
    MOST_RUNGS,
    Domain,
    Memo,
    OpenRung,
    Side,
    cut_of,
    is_free,
    kept_at,
    kept_holding,
    next_real,
)
from barengine.kernel._spans cimport Span, in_halt
from barengine.kernel._store cimport NEVER, NO_DATE, Closed, grown, minus, plus
from barengine.kernel._sums cimport (
    IS_PARTIAL,
    IS_SIZED,
    IS_UNPRICED,
    wide_fits,
    wide_product,
    wide_sum,
)
from barengine.kernel._windows cimport room_for_bar

from barengine.kernel._book import Kind, Leaf, Page
from barengine.kernel._protocol import Reject
from barengine.model import Reason, Touch

cdef enum:
    QUIET = 1  # 1 + index in codec.bar.CAUSES
    HALTED = 2
    FEED_DOWN = 3
    FINAL = 0  # _book.Kind
    CORRECTION = 1

cdef int TOUCHES_PRICE = Touch.PRICE


cdef class CompiledBook(BookState):
    """See ``_book.Book``."""

    cdef const Closed* _items          # of the turn that goes on, as are all here
    cdef const uint8_t* _item_names
    cdef int64_t _taken
    cdef uint64_t _stamp

    # -- one turn ------------------------------------------------------------------------------

    def turn(self, block, late, brokers, series):
        cdef CompiledBarBlock taken = block
        cdef int64_t domain
        names = [one.broker for one in brokers]
        for name in self._starts.heed(names):
            self._copy_start(name)
        for one in brokers:
            self._sides[self._side(one.broker.encode())].begin = one.begin_ns
        self._line_up(taken)
        refused = [back for tick in late if (back := self._correct(tick)) is not None]
        if self._by_series:
            for one in series.states():
                domain = self._domain_named(one.broker, one.symbol)
                self._advance(domain, one.closed_through_ns)
        else:
            for one in brokers:
                domain = self._domain_named(one.broker, "")
                self._advance(domain, one.closed_through_ns)
        if self._taken != taken._bars.count:
            raise RuntimeError("a base bar came before its end was closed")
        self._items = NULL
        return Page(self._take_leaves(), refused)

    cdef int _line_up(self, CompiledBarBlock block) except -1:
        """Hang each base bar into the queue of its domain."""
        cdef int64_t at, place = -1
        cdef const Closed* one
        cdef const Closed* before = NULL
        cdef Domain* domain
        cdef void* moved
        self._items, self._item_names, self._taken = block._bars.items, block._names, 0
        if self._after_capacity < block._bars.count:
            moved = grown(
                self._after, &self._after_capacity, block._bars.count, sizeof(int64_t)
            )
            if moved == NULL:
                raise MemoryError
            self._after = <int64_t*>moved
        for at in range(block._bars.count):
            one = &self._items[at]
            if self._by_series or before == NULL or not same_broker(
                self._item_names, before, one
            ):
                place = self._domain(
                    self._item_names + one.names, one.broker_size, one.symbol_size
                )
            before = one
            domain = &self._domains[place]
            self._after[at] = -1
            if domain.first_waiting < 0:
                domain.first_waiting = at
            else:
                self._after[domain.last_waiting] = at
            domain.last_waiting = at
        return 0

    cdef list _take_leaves(self):
        cdef CompiledBarBlock block
        cdef Leaving* leaf
        cdef int at
        leaves = []
        for at in range(self._rungs * KINDS):
            leaf = &self._leaving[at]
            if leaf.bars.count:
                kind = Kind(at % KINDS)
                block = empty_block(self._config.forms[at // KINDS, kind])
                block.adopt(&leaf.bars, leaf.names.data)
                leaves.append(Leaf(at // KINDS, kind, block, leaf.filled))
                memset(leaf, 0, sizeof(Leaving))
        return leaves

    cdef int _leave(self, const Memo* memo, int rung, const Closed* bar, int kind) except -1:
        cdef Leaving* leaf = &self._leaving[rung * KINDS + kind]
        cdef Closed* one = room_for_bar(&leaf.bars)
        cdef int64_t size = memo.broker_size + memo.symbol_size
        if one == NULL or not reserve(&leaf.names, size):
            raise MemoryError
        one[0] = bar[0]
        one.names = leaf.names.used
        one.broker_size, one.symbol_size = memo.broker_size, memo.symbol_size
        memcpy(leaf.names.data + leaf.names.used, memo.names, size)
        leaf.names.used += size
        leaf.bars.count += 1
        leaf.filled += bar.origin == FILLED
        return 0

    # -- closing (rules 1 to 4) ----------------------------------------------------------------

    cdef int _advance(self, int64_t place, int64_t through) except -1:
        cdef Span fills[MOST_RUNGS]
        cdef bint filled[MOST_RUNGS]
        cdef int64_t end
        while True:
            self._next_fills(place, fills, filled)
            end = self._next_end(place, fills, filled)
            if end > through:
                break
            self._close(place, end, fills, filled)
            self._domains[place].closed = max(self._domains[place].closed, end)
        self._domains[place].closed = max(self._domains[place].closed, through)
        return 0

    cdef int _next_fills(self, int64_t place, Span* fills, bint* filled) except -1:
        """By rung, the next span that is filled where it is empty, if there is one."""
        cdef int rung
        cdef Domain* domain
        for rung in range(self._rungs):
            filled[rung] = False
            domain = &self._domains[place]
            if self._continuous[rung] and domain.closed != NEVER and domain.memos.count:
                filled[rung] = self._fillable(domain.side, rung, domain.closed, &fills[rung])
        return 0

    cdef int64_t _next_end(self, int64_t place, const Span* fills, const bint* filled) noexcept:
        """Where something leaves next."""
        cdef Domain* domain = &self._domains[place]
        cdef int64_t end = INT64_MAX
        cdef int rung
        if domain.first_waiting >= 0:
            end = self._items[domain.first_waiting].end
        for rung in range(self._rungs):
            if rung and domain.rungs[rung].is_open:
                end = min(end, domain.rungs[rung].span.end)
            if filled[rung] and fills[rung].end < end:
                if self._count_fills(domain, &fills[rung], True):
                    end = fills[rung].end
        return end

    def waits(self, brokers):
        cdef Span fills[MOST_RUNGS]
        cdef bint filled[MOST_RUNGS]
        cdef int64_t through
        cdef bytes name
        if self._by_series:
            return True
        for one in brokers:
            name = one.broker.encode()
            place = self._domain_of.get(name_key(name, len(name), 0))
            if place is not None:
                through = one.closed_through_ns
                self._next_fills(place, fills, filled)
                if self._next_end(place, fills, filled) <= through:
                    return True
        return False

    cdef int _close(
        self, int64_t place, int64_t end, const Span* fills, const bint* filled
    ) except -1:
        cdef Domain* domain = &self._domains[place]
        cdef int64_t at
        cdef int rung
        self._stamp += 1
        while domain.first_waiting >= 0 and self._items[domain.first_waiting].end <= end:
            at = domain.first_waiting
            domain.first_waiting = self._after[at]
            self._taken += 1
            self._base(place, &self._items[at])
            domain = &self._domains[place]
        if filled[0] and fills[0].end == end:
            self._fill(place, 0, &fills[0])
        for rung in range(1, self._rungs):
            self._stamp += 1
            if self._domains[place].rungs[rung].is_open:
                if self._domains[place].rungs[rung].span.end <= end:
                    self._close_rung(place, rung)
            if filled[rung] and fills[rung].end == end:
                self._fill(place, rung, &fills[rung])
        return 0

    cdef int _close_rung(self, int64_t place, int rung) except -1:
        cdef OpenRung* one = &self._domains[place].rungs[rung]
        cdef Memo* memo
        cdef Closed bar
        cdef Span span
        cdef int64_t at
        one.is_open = False
        for at in range(one.memos.count):
            memo = &self._memos[one.memos.items[at]]
            memo.is_open &= ~(<uint64_t>1 << rung)
            memo.stamp = self._stamp
            bar = memo.open[rung]
            span = span_of(&bar)
            self._into_span(place, rung, &bar, &span)
            self._leave(memo, rung, &bar, CORRECTION if bar.revision else FINAL)
            self._keep(memo, rung, &bar)
        one.memos.count = 0
        return 0

    cdef int _base(self, int64_t place, const Closed* bar) except -1:
        cdef int64_t at = self._memo(
            place, self._item_names + bar.names, bar.broker_size, bar.symbol_size
        )
        cdef Memo* memo = &self._memos[at]
        cdef Span span
        cdef int rung
        memo.stamp = self._stamp
        self._leave(memo, 0, bar, FINAL)
        self._keep(memo, 0, bar)
        memo.real_end, memo.close = bar.end, bar.bar.close
        self._saw(memo, bar)
        for rung in range(1, self._rungs):
            if self._span_at(self._domains[place].side, rung, bar.bar.start, &span):
                self._into_open(at, rung, &span, bar)
        return 0

    cdef void _saw(self, Memo* memo, const Closed* bar) noexcept:
        cdef Domain* domain = &self._domains[memo.domain]
        memo.event = max(memo.event, bar.bar.last_event)
        domain.event = max(domain.event, bar.bar.last_event)

    cdef int _into_open(
        self, int64_t at, int rung, const Span* span, const Closed* bar
    ) except -1:
        """Rule 3: merge into the open bar of a higher rung."""
        cdef Memo* memo = &self._memos[at]
        cdef OpenRung* one = &self._domains[memo.domain].rungs[rung]
        cdef Closed now = bar[0]
        cdef Closed* opened
        cdef Span own
        memo.dirty = True
        if (memo.is_open >> rung) & 1:
            own = span_of(&memo.open[rung])
            self._into_span(memo.domain, rung, &now, &own)
            merge_into(&memo.open[rung], &now, self._by_offset)
            return 0
        opened = self._open(memo.domain, at, rung, span)
        own = one.span
        if own.start < cut_of(memo, rung) < own.end:
            own.start = cut_of(memo, rung)
            now.flags |= IS_PARTIAL
        self._into_span(memo.domain, rung, &now, &own)
        opened[0] = now
        return 0

    cdef void _into_span(self, int64_t place, int rung, Closed* bar, const Span* span) noexcept:
        cdef const Side* side = &self._sides[self._domains[place].side]
        if span.start <= side.begin or (rung and span.start < side.begins[rung]):
            bar.flags |= IS_PARTIAL
        bar.bar.start, bar.end, bar.trading_date = span.start, span.end, span.date

    cdef int _fill(self, int64_t place, int rung, const Span* span) except -1:
        """Rule 4, for the series that had no real bar in the span that ends here."""
        cdef Domain* domain = &self._domains[place]
        cdef Closed whole, bar
        cdef Memo* memo
        cdef Span own
        cdef int64_t at
        self._flat(place, span, 0, &whole)
        for at in range(domain.memos.count):
            memo = &self._memos[domain.memos.items[at]]
            if memo.stamp == self._stamp or not self._fills(memo, span):
                continue
            bar = whole
            if self._by_session[rung]:
                if span.start < cut_of(memo, rung) < span.end:
                    own = span[0]
                    own.start = cut_of(memo, rung)
                    self._flat(place, &own, 0, &bar)
                    bar.flags |= IS_PARTIAL
                self._cut(memo, rung, span.end)
                memo.dirty = True
            bar.bar.open = bar.bar.high = bar.bar.low = bar.bar.close = memo.close
            self._leave(memo, rung, &bar, FINAL)
        return 0

    cdef int _flat(
        self, int64_t place, const Span* span, int64_t close, Closed* bar
    ) except -1:
        cdef Domain* domain = &self._domains[place]
        cdef const Side* side = &self._sides[domain.side]
        memset(bar, 0, sizeof(Closed))
        bar.bar.start, bar.end, bar.trading_date = span.start, span.end, span.date
        bar.bar.open = bar.bar.high = bar.bar.low = bar.bar.close = close
        bar.bar.first_event = bar.bar.last_event = span.start
        bar.bar.first_offset = bar.bar.last_offset = -1
        bar.bar.open_rest = bar.bar.close_rest = span.start if self._by_offset else -1
        bar.flags = IS_SIZED if self._sized else 0
        bar.origin = FILLED
        bar.cause = QUIET
        if self._ask(domain.side, span.start) and in_halt(&side.hours, span[0]):
            bar.cause = HALTED
        elif not self._by_series and self._is_down(domain, span.end):
            bar.cause = FEED_DOWN
        return 0

    cdef int _is_down(self, const Domain* domain, int64_t end) except -1:
        cdef int64_t up = NEVER, down = NEVER
        if self._feed is not None:
            up, down = self._feed(self._brokers[domain.side], end)
        if down > domain.event:
            return 1
        return minus(end, max(domain.event, up)) > self._feed_timeout

    # -- corrections (rules 5 to 7) ------------------------------------------------------------

    cdef object _correct(self, tick):
        """Rule 5; gives the tick back where it cannot correct its bar any more."""
        cdef int64_t place = self._domain_named(tick.broker, tick.symbol)
        cdef int64_t at, close, closed = tick.closed_ns
        cdef int rung
        cdef bint is_new
        cdef Memo* memo
        cdef const Closed* before
        cdef Closed bar, now
        cdef Span base
        self._advance(place, closed)
        self._tick_bar(tick, &bar)
        if bar.end <= max(
            self._sides[self._domains[place].side].since, minus(closed, self._horizon)
        ):
            return tick
        if not self._holds(tick, &bar):
            return Reject(*tick[:5], Reason.SIZE_RANGE)
        at = self._memo_named(place, tick.broker, tick.symbol)
        memo = &self._memos[at]
        memo.real_end = max(memo.real_end, bar.end)
        self._saw(memo, &bar)
        base = span_of(&bar)
        before = kept_at(&memo.kept[0], base.start)
        is_new = before == NULL or before.origin == FILLED
        close = 0 if is_new else before.bar.close
        self._replace(memo, 0, &base, &bar, &now)
        if memo.real_end == base.end:
            memo.close = now.bar.close
        for rung in range(1, self._rungs):
            self._into_rung(at, rung, &bar)
        if is_new or now.bar.close != close:
            for rung in range(self._rungs):
                if self._continuous[rung]:
                    self._refill(at, rung, &now)
        return None

    cdef bint _holds(self, tick, const Closed* bar) except -1:
        """Whether its base bar stays below MAX_SUM with it; alone the tick does."""
        cdef bytes first = tick.broker.encode()
        cdef bytes names = first + tick.symbol.encode()
        cdef const Closed* before
        place = self._memo_of.get(name_key(names, len(first), len(names) - len(first)))
        if place is None or not bar.flags & IS_SIZED:
            return True
        before = kept_at(&self._memos[<int64_t>place].kept[0], bar.bar.start)
        if before == NULL or not before.flags & IS_SIZED:
            return True
        return wide_fits(wide_sum(before.sums.volume, bar.sums.volume)) and wide_fits(
            wide_sum(before.sums.turnover, bar.sums.turnover)
        )

    cdef int _tick_bar(self, tick, Closed* bar) except -1:
        """The base bar of one late tick."""
        memset(bar, 0, sizeof(Closed))
        bar.bar.start = tick.bucket_start_ns
        bar.end = bar.bar.start + self._lengths[0]
        bar.trading_date = NO_DATE
        bar.bar.open = bar.bar.high = bar.bar.low = bar.bar.close = tick.price
        bar.bar.count = 1
        bar.bar.first_event = bar.bar.last_event = tick.event_ns
        bar.bar.first_offset = bar.bar.last_offset = tick.offset
        bar.bar.open_rest = bar.bar.close_rest = (
            bar.bar.first_event if self._by_offset else bar.bar.first_offset
        )
        if tick.size is not None:
            bar.flags |= IS_SIZED
            bar.sums.volume = wide_product(tick.size, 1)
            bar.sums.turnover = wide_product(tick.size, tick.price)
        if not tick.touch & TOUCHES_PRICE:
            bar.flags |= IS_UNPRICED
        return 0

    cdef int _into_rung(self, int64_t at, int rung, const Closed* bar) except -1:
        """The tick goes into the bar of a higher rung that holds its time."""
        cdef Memo* memo = &self._memos[at]
        cdef const Domain* domain = &self._domains[memo.domain]
        cdef int64_t time = bar.bar.start, cut = cut_of(memo, rung)
        cdef bint is_open = (memo.is_open >> rung) & 1
        cdef const Closed* kept
        cdef Closed now
        cdef Span whole, span
        if is_open and memo.open[rung].bar.start <= time < memo.open[rung].end:
            span = span_of(&memo.open[rung])
            return self._into_open(at, rung, &span, bar)
        kept = kept_holding(&memo.kept[rung], time)
        if kept != NULL:
            span = span_of(kept)
            return self._replace(memo, rung, &span, bar, &now)
        if not self._span_at(domain.side, rung, time, &whole):
            return 0
        span = whole
        if whole.start < cut < whole.end:  # what is left behind the cut, or what lies before it
            if time < cut:
                span.end = cut
            else:
                span.start = cut
        if span.end > domain.closed:
            return 0 if is_open else self._into_open(at, rung, &whole, bar)
        if (
            span.start == whole.start
            and span.start >= self._sides[domain.side].begins[rung]
            and is_free(&memo.kept[rung], span.start, span.end)
        ):
            self._replace(memo, rung, &span, bar, &now)
        return 0

    cdef int _replace(
        self, Memo* memo, int rung, const Span* span, const Closed* tick, Closed* out
    ) except -1:
        """The closed bar of one span leaves again with the tick in it."""
        cdef const Closed* before = kept_at(&memo.kept[rung], span.start)
        cdef Closed now = tick[0]
        cdef Closed merged
        now.revision = 1
        self._into_span(memo.domain, rung, &now, span)
        if before != NULL:
            now.revision = before.revision + 1
        if before != NULL and before.origin != FILLED:
            merged = before[0]
            merge_into(&merged, &now, self._by_offset)
            merged.revision = now.revision
            now = merged
        self._leave(memo, rung, &now, CORRECTION)
        self._keep(memo, rung, &now)
        out[0] = now
        return 0

    cdef int _refill(self, int64_t at, int rung, const Closed* real) except -1:
        """Rule 6: flat bars behind a real base bar take its close, up to the next such bar."""
        cdef Memo* memo = &self._memos[at]
        cdef const Domain* domain = &self._domains[memo.domain]
        cdef int64_t begins = self._sides[domain.side].begins[rung] if rung else NEVER
        cdef int64_t cut = cut_of(memo, rung)
        cdef int64_t until = min(domain.closed, plus(real.end, self._continuous_max))
        cdef Span span, left
        until = min(until, next_real(&memo.kept[0], real.bar.start, until))
        span.end = real.end
        while self._fillable(domain.side, rung, span.end, &span):
            left = span
            if span.start < cut < span.end:
                left.end = cut
            if left.end > until:
                break
            # the first one may be that of the real bar; an earlier book may not have had others
            if left.start >= real.end and left.end > begins:
                self._flat_again(memo, rung, &left, real.bar.close)
        return 0

    cdef int _flat_again(
        self, Memo* memo, int rung, const Span* span, int64_t close
    ) except -1:
        cdef const Closed* before = kept_at(&memo.kept[rung], span.start)
        cdef Closed flat
        self._flat(memo.domain, span, close, &flat)
        flat.revision = 1 if before == NULL else before.revision + 1
        self._leave(memo, rung, &flat, CORRECTION)
        self._keep(memo, rung, &flat)
        return 0


cdef inline Span span_of(const Closed* bar) noexcept:
    cdef Span span
    span.start, span.end, span.date = bar.bar.start, bar.end, bar.trading_date
    return span


cdef inline bint same_broker(const uint8_t* names, const Closed* a, const Closed* b) noexcept:
    cdef int at
    if a.broker_size != b.broker_size:
        return False
    for at in range(a.broker_size):
        if names[a.names + at] != names[b.names + at]:
            return False
    return True
