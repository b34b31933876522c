"""State records of a book on their way to the state topic, written when they are put in.

``_pure_book_block.PureBookBlock`` is the specification; results are the same to the byte.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from barengine.kernel._encode cimport Output, Packing, add_record, no_headers, reserve
from barengine.kernel._payloads cimport Payloads
from barengine.kernel._wire cimport Bytes


cdef class CompiledBookBlock:
    """Keys and values, in the order in which they were put in."""

    def __cinit__(self):
        memset(&self._out, 0, sizeof(Output))
        self._count = 0

    def __dealloc__(self):
        free(self._out.data)

    def __len__(self):
        return self._count

    def __repr__(self):
        return f"<CompiledBookBlock of {self._count} records>"

    cdef int add(self, Bytes key, Bytes value) except -1:
        """One more record, a tombstone where ``value.n`` is -1; both are copied."""
        cdef uint8_t* p
        cdef int64_t size = max(value.n, 0)
        if not reserve(&self._out, key.n + size + 2 * <int64_t>sizeof(int64_t)):
            raise MemoryError
        p = self._out.data + self._out.used
        memcpy(p, &key.n, sizeof(int64_t))
        memcpy(p + sizeof(int64_t), &value.n, sizeof(int64_t))
        memcpy(p + 2 * sizeof(int64_t), key.p, key.n)
        memcpy(p + 2 * sizeof(int64_t) + key.n, value.p, size)
        self._out.used += 2 * <int64_t>sizeof(int64_t) + key.n + size
        self._count += 1
        return 0

    def encode(self, Payloads to, int64_t time_ms):
        cdef bint good
        with nogil:
            good = encode_pages(&self._out, time_ms, &to.packing)
        if not good:
            raise MemoryError


cdef bint encode_pages(const Output* pages, int64_t time_ms, Packing* to) noexcept nogil:
    """Every one as a record; False without memory."""
    cdef const uint8_t* p = pages.data
    cdef const uint8_t* end = p + pages.used
    cdef Bytes key, value
    while p < end:
        memcpy(&key.n, p, sizeof(int64_t))
        memcpy(&value.n, p + sizeof(int64_t), sizeof(int64_t))
        key.p = p + 2 * sizeof(int64_t)
        value.p = key.p + key.n
        p = value.p + max(value.n, 0)
        if not add_record(to, time_ms, key, value, no_headers()):
            return False
    return True
