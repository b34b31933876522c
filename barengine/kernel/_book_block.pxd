"""The C side of blocks of pages."""

from libc.stdint cimport int64_t

from barengine.kernel._encode cimport Output
from barengine.kernel._wire cimport Bytes


cdef class CompiledBookBlock:
    cdef Output _out
    cdef int64_t _count

    cdef int add(self, Bytes key, Bytes value) except -1
