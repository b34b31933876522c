"""The C side of blocks of closed bars and of states of series."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from barengine.kernel._encode cimport Format, Remembered
from barengine.kernel._store cimport Closed, ClosedBars, Series, Store


cdef class CompiledBarBlock:
    cdef ClosedBars _bars
    cdef uint8_t* _names
    cdef Format _form
    cdef bint _by_offset
    cdef tuple _kept  # the bytes that _form points into

    cdef int take(self, Store* st) except -1
    cdef uint64_t _take_names(self, Store* st, Closed* one, uint64_t place) noexcept
    cdef object _bar(self, const Closed* one)


cdef class CompiledSeriesBlock:
    cdef Remembered* _items
    cdef int64_t _count
    cdef uint8_t* _names

    cdef int take(self, Store* st) except -1
    cdef uint64_t _take_one(self, Series* series, uint64_t place) noexcept
