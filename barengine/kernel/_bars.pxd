"""Merging bars, and bars in the state records of a book: model.merge and codec/page.py in C.

Python-free.
"""

from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint8_t
from libc.string cimport memset

from barengine.kernel._encode cimport put_varint
from barengine.kernel._store cimport NO_DATE, Closed
from barengine.kernel._sums cimport (
    IS_MIXED,
    IS_PARTIAL,
    IS_SIZED,
    IS_UNPRICED,
    put_wide,
    read_wide,
    wide_size,
    wide_sum,
)
from barengine.kernel._wire cimport Bytes, Cursor, long_varint


cdef enum:
    # codec.page.Flag
    PAGE_PARTIAL = 1
    PAGE_PRICED = 2
    PAGE_FILLED = 4
    PAGE_VOLUME = 8
    PAGE_DATE = 16
    CAUSE_SHIFT = 5
    CAUSES = 4        # none, and those of model.Cause
    FILLED = 1        # index in codec.bar.ORIGINS
    MOST_OF_BAR = 256  # bytes of a bar in a page: 19 varints, two decimals


cdef struct At:
    int64_t time
    int64_t offset


cdef inline At open_of(const Closed* one, bint by_offset) noexcept nogil:
    """Event time and offset of the tick that gave the open."""
    cdef At at
    cdef bint mixed = (one.flags & IS_MIXED) != 0
    if by_offset:
        at.time = one.bar.open_rest
        at.offset = one.sums.open_key if mixed else one.bar.first_offset
    else:
        at.time = one.sums.open_key if mixed else one.bar.first_event
        at.offset = one.bar.open_rest
    return at


cdef inline At close_of(const Closed* one, bint by_offset) noexcept nogil:
    """Event time and offset of the tick that gave the close."""
    cdef At at
    cdef bint mixed = (one.flags & IS_MIXED) != 0
    if by_offset:
        at.time = one.bar.close_rest
        at.offset = one.sums.close_key if mixed else one.bar.last_offset
    else:
        at.time = one.sums.close_key if mixed else one.bar.last_event
        at.offset = one.bar.close_rest
    return at


cdef inline void set_ats(Closed* one, At first, At last, bint by_offset) noexcept nogil:
    """Say which ticks gave open and close; first_* and last_* must be set already."""
    cdef bint plain
    one.bar.open_rest = first.time if by_offset else first.offset
    one.bar.close_rest = last.time if by_offset else last.offset
    one.sums.open_key = first.offset if by_offset else first.time
    one.sums.close_key = last.offset if by_offset else last.time
    if by_offset:
        plain = first.offset == one.bar.first_offset and last.offset == one.bar.last_offset
    else:
        plain = first.time == one.bar.first_event and last.time == one.bar.last_event
    if plain:
        one.flags &= ~<int>IS_MIXED
    else:
        one.flags |= IS_MIXED


cdef inline bint is_before(At a, At b, bint by_offset) noexcept nogil:
    if by_offset or a.time == b.time:
        return a.offset < b.offset
    return a.time < b.time


cdef inline void merge_into(Closed* one, const Closed* other, bint by_offset) noexcept nogil:
    """The bar of the ticks of both; neither is flat. Bucket and revision stay."""
    cdef At first = open_of(one, by_offset)
    cdef At last = close_of(one, by_offset)
    cdef At others_first = open_of(other, by_offset)
    cdef At others_last = close_of(other, by_offset)
    cdef bint unpriced = (one.flags & IS_UNPRICED) != 0
    cdef bint others_unpriced = (other.flags & IS_UNPRICED) != 0
    if unpriced and not others_unpriced:
        one.bar.open, one.bar.high = other.bar.open, other.bar.high
        one.bar.low, one.bar.close = other.bar.low, other.bar.close
        first, last = others_first, others_last
        one.flags &= ~<int>IS_UNPRICED
    elif unpriced == others_unpriced:
        if is_before(others_first, first, by_offset):
            one.bar.open = other.bar.open
            first = others_first
        if is_before(last, others_last, by_offset):
            one.bar.close = other.bar.close
            last = others_last
        one.bar.high = max(one.bar.high, other.bar.high)
        one.bar.low = min(one.bar.low, other.bar.low)
    one.bar.count += other.bar.count
    one.bar.first_event = min(one.bar.first_event, other.bar.first_event)
    one.bar.last_event = max(one.bar.last_event, other.bar.last_event)
    one.bar.first_offset = min(one.bar.first_offset, other.bar.first_offset)
    one.bar.last_offset = max(one.bar.last_offset, other.bar.last_offset)
    if other.flags & IS_SIZED:
        if one.flags & IS_SIZED:
            one.sums.volume = wide_sum(one.sums.volume, other.sums.volume)
            one.sums.turnover = wide_sum(one.sums.turnover, other.sums.turnover)
        else:
            one.sums.volume, one.sums.turnover = other.sums.volume, other.sums.turnover
    one.flags |= other.flags & (IS_PARTIAL | IS_SIZED)
    set_ats(one, first, last, by_offset)


# -- in state records ----------------------------------------------------------------------------

cdef inline uint8_t* put_bar(uint8_t* p, const Closed* one, bint by_offset) noexcept nogil:
    """At most MOST_OF_BAR bytes."""
    cdef At first = open_of(one, by_offset)
    cdef At last = close_of(one, by_offset)
    cdef int flags = one.cause << CAUSE_SHIFT
    cdef int size
    if one.flags & IS_PARTIAL:
        flags |= PAGE_PARTIAL
    if not one.flags & IS_UNPRICED:
        flags |= PAGE_PRICED
    if one.origin == FILLED:
        flags |= PAGE_FILLED
    if one.flags & IS_SIZED:
        flags |= PAGE_VOLUME
    if one.trading_date != NO_DATE:
        flags |= PAGE_DATE
    p = put_varint(p, flags)
    p = put_varint(put_varint(p, one.bar.start), one.end)
    p = put_varint(put_varint(p, one.bar.open), one.bar.high)
    p = put_varint(put_varint(p, one.bar.low), one.bar.close)
    p = put_varint(p, one.bar.count)
    p = put_varint(put_varint(p, first.time), first.offset)
    p = put_varint(put_varint(p, last.time), last.offset)
    p = put_varint(put_varint(p, one.bar.first_event), one.bar.last_event)
    p = put_varint(put_varint(p, one.bar.first_offset), one.bar.last_offset)
    p = put_varint(p, one.revision)
    if one.flags & IS_SIZED:
        size = wide_size(one.sums.volume)
        p = put_wide(put_varint(p, size), one.sums.volume, size)
        size = wide_size(one.sums.turnover)
        p = put_wide(put_varint(p, size), one.sums.turnover, size)
    if one.trading_date != NO_DATE:
        p = put_varint(p, one.trading_date)
    return p


cdef inline bint get_long(Cursor* cursor, int64_t* out) noexcept nogil:
    cdef const uint8_t* p = long_varint(cursor.p, cursor.end, out)
    if p == NULL:
        return False
    cursor.p = p
    return True


cdef inline bint get_bytes(Cursor* cursor, Bytes* out) noexcept nogil:
    if not get_long(cursor, &out.n) or not 0 <= out.n <= cursor.end - cursor.p:
        return False
    out.p = cursor.p
    cursor.p += out.n
    return True


cdef inline bint get_bar(Cursor* cursor, Closed* one, bint by_offset) noexcept nogil:
    """False where the bytes are not what put_bar writes."""
    cdef int64_t numbers[16]
    cdef int64_t flags = 0, date = NO_DATE
    cdef At first, last
    cdef Bytes volume, turnover
    cdef int at
    memset(one, 0, sizeof(Closed))
    if not get_long(cursor, &flags) or not 0 <= flags < (CAUSES << CAUSE_SHIFT):
        return False
    for at in range(16):
        if not get_long(cursor, &numbers[at]):
            return False
    one.bar.start, one.end = numbers[0], numbers[1]
    one.bar.open, one.bar.high = numbers[2], numbers[3]
    one.bar.low, one.bar.close = numbers[4], numbers[5]
    one.bar.count = numbers[6]
    first.time, first.offset, last.time, last.offset = (
        numbers[7], numbers[8], numbers[9], numbers[10]
    )
    one.bar.first_event, one.bar.last_event = numbers[11], numbers[12]
    one.bar.first_offset, one.bar.last_offset = numbers[13], numbers[14]
    if not 0 <= numbers[15] <= INT32_MAX:
        return False
    one.revision = <int32_t>numbers[15]
    if flags & PAGE_PARTIAL:
        one.flags |= IS_PARTIAL
    if not flags & PAGE_PRICED:
        one.flags |= IS_UNPRICED
    one.origin = FILLED if flags & PAGE_FILLED else 0
    one.cause = <uint8_t>(flags >> CAUSE_SHIFT)
    if flags & PAGE_VOLUME:
        if not get_bytes(cursor, &volume) or not get_bytes(cursor, &turnover):
            return False
        if volume.n > 16 or turnover.n > 16:
            return False
        one.flags |= IS_SIZED
        one.sums.volume = read_wide(volume.p, volume.n)
        one.sums.turnover = read_wide(turnover.p, turnover.n)
    if flags & PAGE_DATE:
        if not get_long(cursor, &date) or not -INT32_MAX <= date <= INT32_MAX:
            return False
    one.trading_date = <int32_t>date
    set_ats(one, first, last, by_offset)
    return True
