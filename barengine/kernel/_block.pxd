"""The C side of a block of closed bars."""

from libc.stdint cimport uint8_t, uint64_t

from barengine.kernel._encode cimport Format
from barengine.kernel._store cimport Closed, ClosedBars, Store


cdef class CompiledBarBlock:
    cdef ClosedBars _bars
    cdef uint8_t* _names
    cdef Format _form
    cdef bint _by_offset
    cdef tuple _kept  # the bytes that _form points into

    cdef int take(self, Store* st) except -1
    cdef uint64_t _take_names(self, Store* st, Closed* one, uint64_t place) noexcept
    cdef object _bar(self, const Closed* one)
