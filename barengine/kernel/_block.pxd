"""The C side of blocks of bars and of states of series."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from barengine.kernel._encode cimport Format, Remembered
from barengine.kernel._store cimport Closed, ClosedBars, Series, Store


cdef class CompiledBarBlock:
    cdef ClosedBars _bars
    cdef uint8_t* _names
    cdef Format _form
    cdef int64_t _skipped
    cdef tuple _kept  # the bytes that _form points into

    cdef int adopt(self, ClosedBars* bars, uint8_t* names) except -1
    cdef int take(self, Store* st, ClosedBars* bars) except -1
    cdef object _bar(self, const Closed* one)


cdef class CompiledOpenWindows:
    cdef ClosedBars _windows
    cdef uint8_t* _names
    cdef bint _sized

    cdef int take(self, Store* st, int64_t as_of) except -1


cdef CompiledBarBlock empty_block(form)


cdef class CompiledSeriesBlock:
    cdef Remembered* _items
    cdef int64_t _count
    cdef uint8_t* _names

    cdef int take(self, Store* st) except -1
    cdef uint64_t _take_one(self, Series* series, uint64_t place) noexcept
