"""The state of the book in C: loaded from records, written to them, forgotten.

``_pure_book_memory`` is the specification; results are the same to the byte.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from barengine.kernel._bars cimport (
    FILLED,
    MOST_OF_BAR,
    get_bar,
    get_bytes,
    get_long,
    merge_into,
    put_bar,
)
from barengine.kernel._book_block cimport CompiledBookBlock
from barengine.kernel._book_memory cimport BookMemory
from barengine.kernel._bridge cimport bytes_of, to_bytes
from barengine.kernel._encode cimport (
    BAR,
    NUMBERS,
    STATE_VERSION,
    put_digits,
    put_escaped,
    put_raw,
    put_text,
    put_varint,
    reserve,
)
from barengine.kernel._memo cimport (
    Domain,
    Indices,
    Kept,
    Memo,
    OpenRung,
    cut_of,
    domain_free,
    drop_first,
    keep_bar,
    kept_place,
    memo_free,
)
from barengine.kernel._spans cimport Span
from barengine.kernel._store cimport NEVER, Closed, minus
from barengine.kernel._sums cimport IS_PARTIAL
from barengine.kernel._wire cimport Bytes, Cursor

from barengine.codec.page import decode_key


cdef Cursor behind_version(bytes value) except *:
    """Over the content of a state record's value."""
    cdef Bytes content = bytes_of(value)
    cdef Cursor cursor
    if content.n < 1:
        raise damaged()
    cursor.p, cursor.end = content.p + 1, content.p + content.n
    return cursor


cdef class BookState(BookMemory):
    """All of ``_book.Book`` but the turn."""

    def load(self, brokers, series, starts):
        cdef Domain* domain
        cdef bytes broker, names
        for one in brokers:
            self._sides[self._side(one.broker.encode())].closed = one.closed_through_ns
        self._starts.load(brokers, series, starts)
        for one in brokers:
            self._copy_start(one.broker)
        for one in series if self._by_series else ():
            domain = &self._domains[self._domain_named(one.broker, one.symbol)]
            domain.closed = max(domain.closed, <int64_t>one.closed_through_ns)

    def load_pages(self, pages):
        for key, value in pages:
            broker, symbol, period = decode_key(key)
            if period is None:
                self._load_page(broker, symbol, value)
            else:
                self._load_kept(key, broker, symbol, period, value)

    cdef int _load_page(self, str broker, str symbol, bytes value) except -1:
        cdef int64_t at = self._memo_named(
            self._domain_named(broker, symbol), broker, symbol
        )
        cdef Memo* memo = &self._memos[at]
        cdef Cursor cursor = behind_version(value)
        cdef int64_t end = 0, close = 0, event = 0
        if not (
            get_long(&cursor, &end) and get_long(&cursor, &close) and get_long(&cursor, &event)
        ):
            raise damaged()
        memo.real_end, memo.close, memo.event = end, close, event
        self._domains[memo.domain].event = max(self._domains[memo.domain].event, event)
        unkept, missed = self._starts.missed(broker)
        self._load_open(at, &cursor, missed, unkept or not self._corrects)
        if cursor.p != cursor.end:
            self._load_cuts(&self._memos[at], &cursor)
        if cursor.p != cursor.end:
            raise damaged()
        return 0

    cdef int _load_open(self, int64_t at, Cursor* cursor, missed, bint unkept) except -1:
        """The array of open bars; those of periods that were missed are passed over, and those
        that were opened again where that came to nothing."""
        cdef int64_t count = 0
        cdef Bytes period
        cdef Closed bar
        cdef Span span
        while True:
            if not get_long(cursor, &count) or count < 0:
                raise damaged()
            if count == 0:
                return 0
            for _ in range(count):
                if not get_bytes(cursor, &period) or not get_bar(cursor, &bar, self._by_offset):
                    raise damaged()
                name = to_bytes(period).decode(errors="replace")
                if bar.revision > 0 and unkept:
                    continue
                if self._numbers.get(name, 0) > 0 and name not in missed:
                    span.start, span.end, span.date = bar.bar.start, bar.end, bar.trading_date
                    self._open(self._memos[at].domain, at, self._numbers[name], &span)[0] = bar

    cdef int _load_cuts(self, Memo* memo, Cursor* cursor) except -1:
        cdef int64_t count = 0, end = 0
        cdef Bytes period
        while True:
            if not get_long(cursor, &count) or count < 0:
                raise damaged()
            if count == 0:
                return 0
            for _ in range(count):
                if not get_bytes(cursor, &period) or not get_long(cursor, &end):
                    raise damaged()
                name = to_bytes(period).decode(errors="replace")
                self._cut(memo, self._numbers.get(name, 0), end)

    cdef int _load_kept(
        self, bytes key, str broker, str symbol, str period, bytes value
    ) except -1:
        cdef Cursor cursor = behind_version(value)
        cdef Closed bar
        cdef Bytes nothing
        cdef int64_t at
        if not get_bar(&cursor, &bar, self._by_offset) or cursor.p != cursor.end:
            raise damaged()
        missed, _ = self._starts.missed(broker)
        if period not in self._numbers or not self._corrects or missed:
            nothing.p, nothing.n = NULL, -1
            return self._block.add(bytes_of(key), nothing)
        at = self._memo_named(self._domain_named(broker, symbol), broker, symbol)
        if not keep_bar(&self._memos[at].kept[<int>self._numbers[period]], &bar):
            raise MemoryError
        return self._cut(&self._memos[at], self._numbers[period], bar.end)

    def take_starts(self):
        return self._starts.take()

    def take_pages(self):
        cdef CompiledBookBlock block = self._block
        cdef int64_t at
        for at in range(self._memo_count):
            if self._memos[at].dirty:
                self._put_page(&self._memos[at])
                self._memos[at].dirty = False
        self._block = CompiledBookBlock()
        return block

    cdef uint8_t* _put_names(self, uint8_t* p, const Memo* memo) noexcept:
        cdef Bytes broker, symbol
        broker.p, broker.n = memo.names, memo.broker_size
        symbol.p, symbol.n = memo.names + broker.n, memo.symbol_size
        p = put_escaped(p, broker)
        p[0] = BAR
        return put_escaped(p + 1, symbol)

    cdef Bytes _page_key(self, const Memo* memo) except *:
        """In the scratch, which has room for a page's value behind it."""
        cdef Bytes key
        cdef int64_t names = 2 * (memo.broker_size + memo.symbol_size)
        if not reserve(&self._scratch, names + NUMBERS + (self._rungs + 1) * (MOST_OF_BAR + 32)):
            raise MemoryError
        key.p = self._scratch.data
        memcpy(self._scratch.data, b"page|", 5)
        key.n = self._put_names(self._scratch.data + 5, memo) - key.p
        return key

    cdef Bytes _kept_key(self, const Memo* memo, int rung, int64_t start) except *:
        """The same with room for a bar."""
        cdef Bytes key = self._page_key(memo)
        cdef uint8_t* p = self._scratch.data + key.n
        memcpy(self._scratch.data, b"kept", 4)
        p[0] = BAR
        p = put_raw(p + 1, bytes_of(self._periods[rung]))
        p[0] = BAR
        key.n = put_digits(p + 1, start) - key.p
        return key

    cdef int _put_page(self, const Memo* memo) except -1:
        cdef Bytes value, key = self._page_key(memo)
        cdef uint8_t* p = self._scratch.data + key.n
        cdef int rung
        cdef int64_t count = 0
        value.p = p
        p[0] = STATE_VERSION
        p = put_varint(put_varint(put_varint(p + 1, memo.real_end), memo.close), memo.event)
        for rung in range(1, self._rungs):
            count += (memo.is_open >> rung) & 1
        p = put_varint(p, count)
        for rung in range(1, self._rungs):
            if (memo.is_open >> rung) & 1:
                p = put_text(p, bytes_of(self._periods[rung]))
                p = put_bar(p, &memo.open[rung], self._by_offset)
        if count:
            p = put_varint(p, 0)
        count = 0
        for rung in range(1, self._rungs):
            count += cut_of(memo, rung) != NEVER
        if count:
            p = put_varint(p, count)
        for rung in range(1, self._rungs):
            if cut_of(memo, rung) != NEVER:
                p = put_varint(put_text(p, bytes_of(self._periods[rung])), cut_of(memo, rung))
        if count:
            p = put_varint(p, 0)
        value.n = p - value.p
        return self._block.add(key, value)

    cdef int _put_kept(self, const Memo* memo, int rung, const Closed* bar, bint dropped) except -1:
        cdef Bytes value, key = self._kept_key(memo, rung, bar.bar.start)
        cdef uint8_t* p = self._scratch.data + key.n
        value.p, value.n = p, -1
        if not dropped:
            p[0] = STATE_VERSION
            value.n = put_bar(p + 1, bar, self._by_offset) - value.p
        return self._block.add(key, value)

    cdef int _keep(self, Memo* memo, int rung, const Closed* bar) except -1:
        cdef int64_t limit, at = 0
        cdef Kept* kept
        memo.dirty = True
        self._cut(memo, rung, bar.end)
        if not self._corrects:
            return 0
        kept = &memo.kept[rung]
        limit = minus(self._domains[memo.domain].closed, self._horizon)
        if not keep_bar(kept, bar):
            raise MemoryError
        self._put_kept(memo, rung, bar, False)
        # ends ascend with starts; where hours have changed, some may stay a little longer
        while at < kept.count and kept.items[at].end <= limit:
            self._put_kept(memo, rung, &kept.items[at], True)
            at += 1
        if at:
            drop_first(kept, at)
        return 0

    def evict(self, ttl_ns):
        cdef int64_t at, ttl = min(ttl_ns, INT64_MAX)
        cdef Memo* memo
        keys = []
        stale = []
        for at in range(self._memo_count):
            memo = &self._memos[at]
            if memo.is_open or memo.dirty:
                continue
            if memo.event < minus(self._domains[memo.domain].closed, ttl):
                stale.append(at)
                keys += self._keys(memo)
        if stale:
            self._remove(stale)
        return keys

    cdef list _keys(self, const Memo* memo):
        """Of all state records of a series."""
        cdef list keys = [to_bytes(self._page_key(memo))]
        cdef int64_t at
        cdef int rung
        for rung in range(self._rungs if self._corrects else 0):
            for at in range(memo.kept[rung].count):
                keys.append(to_bytes(self._kept_key(memo, rung, memo.kept[rung].items[at].bar.start)))
        return keys

    cdef int _remove(self, list stale) except -1:
        """Take memos out; the others keep their order, and get new indices."""
        cdef int64_t at, place, left, new = 0
        cdef Domain* domain
        cdef Indices* list_of
        cdef int rung
        gone = set(stale)
        moved = {}
        for at in range(self._memo_count):
            if at in gone:
                memo_free(&self._memos[at], self._rungs)
                continue
            moved[at] = new
            self._memos[new] = self._memos[at]
            new += 1
        self._memo_count = new
        self._memo_of = {
            key: moved[index] for key, index in self._memo_of.items() if index in moved
        }
        for place in range(self._domain_count):
            domain = &self._domains[place]
            for rung in range(self._rungs):
                list_of = &domain.rungs[rung].memos if rung else &domain.memos
                left = 0
                for at in range(list_of.count):
                    if list_of.items[at] in moved:
                        list_of.items[left] = moved[list_of.items[at]]
                        left += 1
                list_of.count = left
        if self._by_series:
            self._remove_domains()
        return 0

    cdef int _remove_domains(self) except -1:
        """Take out those without a series."""
        cdef int64_t at, new = 0
        cdef uint32_t memo
        moved = {}
        for at in range(self._domain_count):
            if self._domains[at].memos.count == 0:
                domain_free(&self._domains[at], self._rungs)
                continue
            for place in range(self._domains[at].memos.count):
                memo = self._domains[at].memos.items[place]
                self._memos[memo].domain = <uint32_t>new
            moved[at] = new
            self._domains[new] = self._domains[at]
            new += 1
        self._domain_count = new
        self._domain_of = {
            key: moved[index] for key, index in self._domain_of.items() if index in moved
        }
        return 0

    # -- other hours (rule 7) ------------------------------------------------------------------

    def reschedule(self):
        cdef int64_t at, place
        cdef int rung
        cdef Domain* domain
        for at in range(self._side_count):
            self._sides[at].asked = False
        for place in range(self._domain_count):
            domain = &self._domains[place]
            for rung in range(1, self._rungs):
                if not self._by_session[rung] or domain.closed == NEVER:
                    continue
                self._end_anew(domain, rung)
                if self._corrects:
                    for at in range(domain.memos.count):
                        self._open_again(domain.memos.items[at], rung)

    cdef int _end_anew(self, Domain* domain, int rung) except -1:
        """Let open bars end when the span does that now holds the newest closed time."""
        cdef OpenRung* one = &domain.rungs[rung]
        cdef Memo* memo
        cdef Closed* bar
        cdef Span after
        cdef int64_t at
        if not one.is_open:
            return 0
        if not self._span_at(domain.side, rung, domain.closed - 1, &after):
            if self._fillable(domain.side, rung, domain.closed, &after):
                one.span.end = min(one.span.end, after.start)
        else:
            one.span = after
        for at in range(one.memos.count):
            memo = &self._memos[one.memos.items[at]]
            bar = &memo.open[rung]
            if bar.end != one.span.end or bar.trading_date != one.span.date:
                bar.end, bar.trading_date = one.span.end, one.span.date
                memo.dirty = True
        return 0

    cdef int _open_again(self, int64_t at, int rung) except -1:
        """Let the newest bar go on, where its span now goes on beyond what is closed."""
        cdef Memo* memo = &self._memos[at]
        cdef Domain* domain = &self._domains[memo.domain]
        cdef const Kept* kept = &memo.kept[rung]
        cdef const Kept* base = &memo.kept[0]
        cdef Closed bar, more
        cdef Span span
        cdef int64_t end, place
        if (memo.is_open >> rung) & 1 or kept.count == 0:
            return 0
        bar = kept.items[kept.count - 1]
        end = bar.end
        if bar.origin == FILLED or end != cut_of(memo, rung):
            return 0
        if not self._span_at(domain.side, rung, end - 1, &span) or span.end <= domain.closed:
            return 0
        bar.end, bar.trading_date = span.end, span.date
        for place in range(kept_place(base, end), base.count):
            if base.items[place].origin != FILLED:
                more = base.items[place]
                merge_into(&bar, &more, self._by_offset)
        if end < minus(domain.closed, self._horizon):
            bar.flags |= IS_PARTIAL
        bar.revision += 1
        self._open(memo.domain, at, rung, &span)[0] = bar
        memo.dirty = True
        return 0


cdef object damaged():
    return ValueError("it breaks off, or holds what no page holds")
