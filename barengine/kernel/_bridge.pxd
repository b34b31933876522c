"""The C side of what the kernel takes from Python and gives to it."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from barengine.kernel._batch cimport Walk
from barengine.kernel._program cimport Plan
from barengine.kernel._wire cimport Bytes


cdef Bytes bytes_of(bytes content) noexcept
cdef bytes to_bytes(Bytes content)
cdef str to_text(Bytes content)
cdef int wide_price(
    int32_t kind, const uint8_t* p, int64_t n, int32_t scale, int32_t price_scale, int64_t* out
) except -1 nogil
cdef int load_plan(plan, Plan* out) except -1
cdef int set_walk(Walk* walk, batch, bytes payload) except -1
cdef int set_skip(Walk* walk, skip) except -1
cdef int raise_malformed(batch) except -1
cdef list rejects(const Walk* walk, batch, bint sized)
