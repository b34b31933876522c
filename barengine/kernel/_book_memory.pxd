"""The C side of a book's memory, for the book itself."""

from libc.stdint cimport int64_t, uint8_t

from barengine.kernel._book_block cimport CompiledBookBlock
from barengine.kernel._encode cimport Output
from barengine.kernel._memo cimport MOST_RUNGS, Domain, Memo, Side
from barengine.kernel._spans cimport Span
from barengine.kernel._store cimport Closed, ClosedBars

cdef enum:
    KINDS = 2  # of _book.Kind


cdef struct Leaving:  # a leaf that grows
    ClosedBars bars
    Output names
    int64_t filled


cdef bytes name_key(const uint8_t* names, int broker_size, int symbol_size)


cdef class BookMemory:
    cdef object _config
    cdef object _calendar
    cdef object _starts
    cdef int _rungs
    cdef int64_t _lengths[MOST_RUNGS]
    cdef bint _by_session[MOST_RUNGS]
    cdef bint _continuous[MOST_RUNGS]
    cdef list _periods       # names of rungs, as bytes
    cdef dict _numbers       # rung of a period's name
    cdef bint _by_series
    cdef bint _by_offset
    cdef bint _corrects
    cdef bint _sized
    cdef int64_t _horizon
    cdef int64_t _continuous_max
    cdef int64_t _feed_timeout
    cdef object _feed
    cdef dict _side_of       # broker, as bytes -> index
    cdef list _brokers       # their names
    cdef list _hours         # what their tables point into
    cdef Side* _sides
    cdef int64_t _side_count
    cdef int64_t _side_capacity
    cdef dict _domain_of     # name_key -> index
    cdef Domain* _domains
    cdef int64_t _domain_count
    cdef int64_t _domain_capacity
    cdef dict _memo_of       # name_key -> index
    cdef Memo* _memos
    cdef int64_t _memo_count
    cdef int64_t _memo_capacity
    cdef Leaving _leaving[MOST_RUNGS * KINDS]
    cdef int64_t* _after     # next base bar of the same domain, by index in the turn's block
    cdef int64_t _after_capacity
    cdef CompiledBookBlock _block  # state records since take_pages
    cdef Output _scratch           # one of them

    cdef int64_t _side(self, bytes broker) except -1
    cdef int _copy_start(self, str broker) except -1
    cdef int64_t _domain(self, const uint8_t* names, int broker_size, int symbol_size) except -1
    cdef int64_t _domain_named(self, str broker, str symbol) except -1
    cdef int64_t _memo(
        self, int64_t domain, const uint8_t* names, int broker_size, int symbol_size
    ) except -1
    cdef int _ask(self, int64_t at, int64_t time) except -1
    cdef int _span_at(self, int64_t side, int rung, int64_t time, Span* span) except -1
    cdef int _fillable(self, int64_t side, int rung, int64_t after, Span* span) except -1
    cdef int64_t _memo_named(self, int64_t place, str broker, str symbol) except -1
    cdef int _cut(self, Memo* memo, int rung, int64_t end) except -1
    cdef Closed* _open(self, int64_t domain, int64_t at, int rung, const Span* span) except NULL
    cdef int64_t _next_filled(
        self, int64_t place, int64_t behind, int64_t more, int64_t* left
    ) except? -1
    cdef bint _fills(self, const Memo* memo, const Span* span) noexcept
    cdef int64_t _count_fills(self, const Domain* domain, const Span* span, bint one) noexcept
