"""Records packed back to back. Blocks write theirs by ``_encode``, without the GIL.

``_pure_payloads`` is the specification; results are the same to the byte.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, int64_t
from libc.stdlib cimport free
from libc.string cimport memset

from barengine.kernel._bridge cimport bytes_of
from barengine.kernel._encode cimport Packing, Segment, add_record

from barengine.codec.records import encode_headers
from barengine.kernel._pure_payloads import EncodedRecords


cdef class Payloads:
    """See ``_pure_payloads``."""

    def __cinit__(self, max_bytes):
        memset(&self.packing, 0, sizeof(Packing))
        self.packing.max_bytes = max(0, min(max_bytes, INT64_MAX))

    def __dealloc__(self):
        free(self.packing.out.data)
        free(self.packing.all.items)

    def __repr__(self):
        return f"<Payloads: {self.packing.out.used} bytes in {self.packing.all.count}>"

    def add(self, bytes key, bytes value, headers, int64_t time_ms):
        cdef bytes own = encode_headers(headers)
        if not add_record(&self.packing, time_ms, bytes_of(key), bytes_of(value), bytes_of(own)):
            raise MemoryError

    def encoded(self):
        cdef int64_t at
        cdef Segment* one
        cdef list found = []
        for at in range(self.packing.all.count):
            one = &self.packing.all.items[at]
            payload = PyBytes_FromStringAndSize(
                <const char*>self.packing.out.data + one.begin, one.end - one.begin
            )
            found.append(EncodedRecords(payload, one.count, one.base_ms, one.max_ms))
        return found
