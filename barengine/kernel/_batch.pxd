"""The state of one ``process`` call, and the records that it rejects. Python-free."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from barengine.kernel._encode cimport Output, reserve
from barengine.kernel._program cimport NO_SIZE, TOUCH_BOTH, Fields
from barengine.kernel._store cimport grown
from barengine.kernel._wire cimport Cursor, Record


cdef enum:  # how the walk over a batch ended
    AT_STOP = 0
    AT_SCHEMA = 1
    MALFORMED = 2
    OUT_OF_MEMORY = 3
    ON = 4  # not at all

cdef enum:
    GROUP = 32  # records decoded ahead: enough to hide loads behind, in 6 KiB of stack


cdef struct Rejected:
    int64_t offset
    Record record
    int32_t reason
    int64_t name_at      # in Walk.names: the broker, behind it the symbol
    int64_t broker_size
    int64_t symbol_size
    # late ticks alone:
    int64_t start
    uint64_t lateness
    int64_t closed
    int64_t time
    int64_t price
    int64_t size
    int32_t touch


cdef struct Pending:
    Record record
    int64_t offset
    int32_t reason     # 0: it is a tick
    uint32_t hash      # of its series
    uint32_t guess     # its entry, unless another has that hash too; or NONE
    Fields tick


cdef struct Place:  # in a batch, between two records
    const uint8_t* p
    int64_t count       # records from here on
    int64_t top         # largest offset before


cdef struct Walk:
    Cursor cursor
    int64_t count
    int64_t base_offset
    int64_t base_time_ms
    int64_t append_time_ms
    bint has_append_time
    int64_t start
    int64_t stop
    int64_t wall
    int64_t future      # the first event time that is too far ahead
    bint replay
    int64_t* skip       # ascending
    int64_t skip_count
    int64_t most_late   # how many more late ticks may be taken
    const uint8_t* behind  # the end of what is read next: to ask for, and never to be read here
    Py_ssize_t behind_step # bytes of it for each record
    # results
    int64_t next_offset
    uint32_t need_schema
    int64_t records
    int64_t accepted
    Rejected* rejects
    int64_t reject_count
    int64_t reject_capacity
    Output names
    Pending ahead[GROUP]  # decoded, not yet applied
    int64_t ahead_count
    Place group           # where that group begins
    int64_t top           # largest offset so far


cdef inline bint is_skipped(const Walk* walk, int64_t offset) noexcept nogil:
    cdef int64_t low = 0
    cdef int64_t high = walk.skip_count
    cdef int64_t middle
    while low < high:
        middle = low + ((high - low) >> 1)
        if walk.skip[middle] < offset:
            low = middle + 1
        else:
            high = middle
    return low < walk.skip_count and walk.skip[low] == offset


cdef inline Rejected* add_reject(
    Walk* walk, const Pending* rejected, int32_t reason
) noexcept nogil:
    """Note a record that went into no window; NULL without memory."""
    cdef Rejected* one
    if walk.reject_count == walk.reject_capacity:
        one = <Rejected*>grown(walk.rejects, &walk.reject_capacity, 16, sizeof(Rejected))
        if one == NULL:
            return NULL
        walk.rejects = one
    one = &walk.rejects[walk.reject_count]
    memset(one, 0, sizeof(Rejected))
    one.offset = rejected.offset
    one.record = rejected.record
    one.reason = reason
    one.name_at = walk.names.used
    one.size = NO_SIZE
    one.touch = TOUCH_BOTH
    walk.reject_count += 1
    return one


cdef inline bint add_name(Walk* walk, const uint8_t* p, int64_t n) noexcept nogil:
    if not reserve(&walk.names, n):
        return False
    memcpy(walk.names.data + walk.names.used, p, <size_t>n)
    walk.names.used += n
    return True


cdef inline void free_walk(Walk* walk) noexcept nogil:
    free(walk.skip)
    free(walk.rejects)
    free(walk.names.data)
