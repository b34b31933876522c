"""The memory of the book in C: brokers, what closes together, series, and the spans of each.

``_pure_book`` is the specification; ``_book_state`` has how it is loaded, stored and forgotten,
``_book_c`` what happens in a turn.
"""

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from barengine.kernel._book_block cimport CompiledBookBlock
from barengine.kernel._bridge cimport bytes_of
from barengine.kernel._encode cimport Output
from barengine.kernel._memo cimport (
    MOST_RUNGS,
    Domain,
    Memo,
    OpenRung,
    Side,
    domain_free,
    domain_init,
    lift_cut,
    memo_free,
    memo_init,
    open_bar,
    push_index,
)
from barengine.kernel._spans cimport (
    Column,
    Span,
    Table,
    next_trading,
    plain_span,
    session_span,
)
from barengine.kernel._store cimport NEVER, Closed, grown, plus

from barengine.kernel._book import AHEAD
from barengine.kernel._book_starts import Starts
from barengine.model import MAX_EVENT_NS, Order

cdef int64_t LAST_EVENT = MAX_EVENT_NS
cdef int64_t MOST_AHEAD = AHEAD


cdef bytes name_key(const uint8_t* names, int broker_size, int symbol_size):
    """What a dictionary knows a series by, or a broker (no symbol)."""
    cdef bytes key = PyBytes_FromStringAndSize(NULL, 2 + broker_size + symbol_size)
    cdef uint8_t* p = <uint8_t*>PyBytes_AS_STRING(key)
    p[0], p[1] = <uint8_t>(broker_size >> 8), <uint8_t>broker_size
    memcpy(p + 2, names, broker_size + symbol_size)
    return key


cdef Column column(array.array content):
    cdef Column found
    found.at = <const int64_t*>content.data.as_longlongs
    found.n = len(content)
    return found


cdef class BookMemory:
    """What ``_book.Book`` knows of brokers and series."""

    def __cinit__(self):
        memset(self._leaving, 0, sizeof(self._leaving))
        memset(&self._scratch, 0, sizeof(Output))
        self._sides = NULL
        self._domains = NULL
        self._memos = NULL
        self._after = NULL

    def __init__(self, config, calendar):
        if len(config.rungs) > MOST_RUNGS:
            raise ValueError(f"{len(config.rungs)} periods are more than {MOST_RUNGS}")
        self._config, self._calendar, self._starts = config, calendar, Starts(config)
        self._rungs = len(config.rungs)
        for at, rung in enumerate(config.rungs):
            self._lengths[at] = rung.period.length_ns
            self._by_session[at] = at > 0 and rung.by_session
            self._continuous[at] = rung.continuous
        self._periods = [rung.period.name.encode() for rung in config.rungs]
        self._numbers = {rung.period.name: at for at, rung in enumerate(config.rungs)}
        self._by_series = config.by_series
        self._by_offset = config.order is Order.OFFSET
        self._corrects = config.horizon_ns is not None
        self._sized = config.sized
        self._horizon = config.horizon_ns if self._corrects else -1
        self._continuous_max = config.continuous_max_ns
        self._feed_timeout, self._feed = config.feed_timeout_ns, config.feed
        self._side_of, self._brokers, self._hours = {}, [], []
        self._domain_of, self._memo_of = {}, {}
        self._block = CompiledBookBlock()

    def __dealloc__(self):
        cdef int64_t at
        for at in range(self._memo_count):
            memo_free(&self._memos[at], self._rungs)
        for at in range(self._domain_count):
            domain_free(&self._domains[at], self._rungs)
        for at in range(MOST_RUNGS * KINDS):
            free(self._leaving[at].bars.items)
            free(self._leaving[at].names.data)
        free(self._scratch.data)
        free(self._sides)
        free(self._domains)
        free(self._memos)
        free(self._after)

    def __repr__(self):
        return f"<{type(self).__name__} of {len(self._memo_of)} series>"

    @property
    def late_bars(self):
        return self._config.late_bars

    # -- brokers, what closes together, series -------------------------------------------------

    cdef int64_t _side(self, bytes broker) except -1:
        cdef void* moved
        cdef Side* side
        found = self._side_of.get(broker)
        if found is not None:
            return found
        if self._side_count == self._side_capacity:
            moved = grown(self._sides, &self._side_capacity, 8, sizeof(Side))
            if moved == NULL:
                raise MemoryError
            self._sides = <Side*>moved
        side = &self._sides[self._side_count]
        memset(side, 0, sizeof(Side))
        side.closed = side.begin = side.since = NEVER
        for rung in range(MOST_RUNGS):
            side.begins[rung] = NEVER
        self._brokers.append(broker.decode())
        self._hours.append(None)
        self._side_of[broker] = self._side_count
        self._side_count += 1
        return self._side_count - 1

    cdef int _copy_start(self, str broker) except -1:
        cdef Side* side = &self._sides[self._side(broker.encode())]
        start = self._starts[broker]
        side.since = start.since_ns
        for rung in range(1, self._rungs):
            side.begins[rung] = start.begins[(<bytes>self._periods[rung]).decode()]
        return 0

    cdef int64_t _domain(self, const uint8_t* names, int broker_size, int symbol_size) except -1:
        cdef void* moved
        cdef int64_t side
        cdef Domain* domain
        cdef bytes key = name_key(names, broker_size, symbol_size if self._by_series else 0)
        found = self._domain_of.get(key)
        if found is not None:
            return found
        side = self._side(PyBytes_FromStringAndSize(<const char*>names, broker_size))
        if self._domain_count == self._domain_capacity:
            moved = grown(self._domains, &self._domain_capacity, 8, sizeof(Domain))
            if moved == NULL:
                raise MemoryError
            self._domains = <Domain*>moved
        domain = &self._domains[self._domain_count]
        memset(domain, 0, sizeof(Domain))
        if not domain_init(domain, self._rungs):
            raise MemoryError
        domain.side = side
        domain.closed = self._sides[side].closed
        self._domain_of[key] = self._domain_count
        self._domain_count += 1
        return self._domain_count - 1

    cdef int64_t _memo(
        self, int64_t domain, const uint8_t* names, int broker_size, int symbol_size
    ) except -1:
        cdef void* moved
        cdef Memo* memo
        cdef bytes key = name_key(names, broker_size, symbol_size)
        found = self._memo_of.get(key)
        if found is not None:
            return found
        if self._memo_count == self._memo_capacity:
            moved = grown(self._memos, &self._memo_capacity, 64, sizeof(Memo))
            if moved == NULL:
                raise MemoryError
            self._memos = <Memo*>moved
        memo = &self._memos[self._memo_count]
        memset(memo, 0, sizeof(Memo))
        memo.domain = <uint32_t>domain
        if not memo_init(
            memo, names, broker_size, symbol_size, self._rungs, self._corrects
        ) or not push_index(&self._domains[domain].memos, <uint32_t>self._memo_count):
            memo_free(memo, self._rungs)
            raise MemoryError
        self._memo_of[key] = self._memo_count
        self._memo_count += 1
        return self._memo_count - 1

    cdef int64_t _domain_named(self, str broker, str symbol) except -1:
        cdef bytes first = broker.encode()
        cdef bytes names = first + symbol.encode()
        return self._domain(bytes_of(names).p, len(first), len(names) - len(first))

    cdef int64_t _memo_named(self, int64_t place, str broker, str symbol) except -1:
        cdef bytes first = broker.encode()
        cdef bytes names = first + symbol.encode()
        return self._memo(place, bytes_of(names).p, len(first), len(names) - len(first))

    cdef Closed* _open(self, int64_t domain, int64_t at, int rung, const Span* span) except NULL:
        """The place of a bar that opens now, in the open span of its domain, or in this one."""
        cdef OpenRung* one = &self._domains[domain].rungs[rung]
        cdef Closed* bar = open_bar(&self._memos[at], rung, self._rungs)
        if bar == NULL or not push_index(&one.memos, <uint32_t>at):
            raise MemoryError
        if not one.is_open:
            one.is_open, one.span = True, span[0]
        self._memos[at].is_open |= <uint64_t>1 << rung
        return bar

    cdef int _cut(self, Memo* memo, int rung, int64_t end) except -1:
        """A bar of the rung that ends there has left."""
        if self._by_session[rung] and not lift_cut(memo, rung, self._rungs, end):
            raise MemoryError
        return 0

    # -- hours and spans -----------------------------------------------------------------------

    cdef int _ask(self, int64_t at, int64_t time) except -1:
        """Make sure that the hours of a broker hold a time; whether it has any."""
        cdef Side* side = &self._sides[at]
        if side.asked and (not side.has_hours or side.hours.begin <= time < side.hours.end):
            return side.has_hours
        hours = self._calendar(self._brokers[at], time)
        self._hours[at] = hours
        side.asked, side.has_hours = True, hours is not None
        if side.has_hours:
            side.hours.begin, side.hours.end = hours.from_ns, hours.to_ns
            side.hours.opens = column(hours.opens)
            side.hours.closes = column(hours.closes)
            side.hours.dates = column(hours.dates)
            side.hours.break_starts = column(hours.break_starts)
            side.hours.break_ends = column(hours.break_ends)
            side.hours.halt_starts = column(hours.halt_starts)
            side.hours.halt_ends = column(hours.halt_ends)
        return side.has_hours

    cdef int _span_at(self, int64_t side, int rung, int64_t time, Span* span) except -1:
        """Whether a bucket of the rung holds the time, and which."""
        if not self._ask(side, time) or not self._by_session[rung]:
            span[0] = plain_span(self._lengths[rung], time)
            return True
        return session_span(&self._sides[side].hours, self._lengths[rung], time, span)

    cdef int _fillable(self, int64_t side, int rung, int64_t after, Span* span) except -1:
        """The first bucket with some trading time that ends behind ``after``; False: never."""
        cdef int64_t time = after
        cdef const Table* hours
        while time <= LAST_EVENT:
            if not self._ask(side, time):
                span[0] = plain_span(self._lengths[rung], time)
                return True
            hours = &self._sides[side].hours
            if self._span_at(side, rung, time, span):
                if next_trading(hours, span.start) < span.end:
                    return True
                time = span.end
            if time < hours.end:
                time = next_trading(hours, time)
        return False

    # -- flat bars ----------------------------------------------------------------------------

    def due(self, broker, through_ns, limit, more):
        cdef int64_t through = through_ns, left = limit, unknown = more, flat = 0
        cdef int64_t place, reached, end, ahead
        cdef bytes name = broker.encode()
        cdef int rung
        for rung in range(self._rungs):
            flat += self._continuous[rung]
        if flat == 0:
            return INT64_MAX
        place = self._domain(bytes_of(name).p, len(name), 0)
        reached = self._domains[place].closed
        while NEVER < reached < through:
            end = self._next_filled(place, reached, unknown, &left)
            if end == INT64_MAX:
                break
            reached = end
            if left <= 0 and reached < through:
                return reached
        ahead = max(0, left) // max(1, flat * (self._domains[place].memos.count + unknown))
        return plus(through, min(ahead, MOST_AHEAD) * self._lengths[0])

    cdef int64_t _next_filled(
        self, int64_t place, int64_t behind, int64_t more, int64_t* left
    ) except? -1:
        """The next end behind a time where bars are filled, ``left`` less by them; INT64_MAX where
        none of the spans around it has any."""
        cdef Span spans[MOST_RUNGS]
        cdef bint filled[MOST_RUNGS]
        cdef int64_t end = INT64_MAX
        cdef bint any_filled = more > 0
        cdef int rung
        for rung in range(self._rungs):
            filled[rung] = self._continuous[rung] and self._fillable(
                self._domains[place].side, rung, behind, &spans[rung]
            )
            if filled[rung]:
                end = min(end, spans[rung].end)
                if not any_filled:
                    any_filled = self._count_fills(&self._domains[place], &spans[rung], True) > 0
        if not any_filled:
            return INT64_MAX
        for rung in range(self._rungs):
            if filled[rung] and spans[rung].end == end:
                left[0] -= more + self._count_fills(&self._domains[place], &spans[rung], False)
        return end

    cdef bint _fills(self, const Memo* memo, const Span* span) noexcept:
        """Whether an empty bucket of the series gets a flat bar."""
        return memo.real_end != NEVER and span.end - memo.real_end <= self._continuous_max

    cdef int64_t _count_fills(self, const Domain* domain, const Span* span, bint one) noexcept:
        """How many series get a flat bar in an empty span; ``one``: whether any does."""
        cdef int64_t at, count = 0
        for at in range(domain.memos.count):
            count += self._fills(&self._memos[domain.memos.items[at]], span)
            if one and count:
                break
        return count
