"""Buckets of rungs in C: _spans.py. Python-free; who knows the hours hands them in."""

from libc.stdint cimport int32_t, int64_t

from barengine.kernel._store cimport NO_DATE, floor_to

cdef enum:
    DAY_S = 86400

cdef struct Span:
    int64_t start
    int64_t end
    int32_t date  # days since 1970-01-01, or NO_DATE


cdef struct Column:
    const int64_t* at
    int64_t n


cdef struct Table:  # _book.Hours
    int64_t begin
    int64_t end
    Column opens
    Column closes
    Column dates
    Column break_starts
    Column break_ends
    Column halt_starts
    Column halt_ends


cdef inline int64_t place_right(Column column, int64_t value) noexcept nogil:
    """bisect_right."""
    cdef int64_t low = 0
    cdef int64_t high = column.n
    cdef int64_t middle
    while low < high:
        middle = (low + high) >> 1
        if value < column.at[middle]:
            high = middle
        else:
            low = middle + 1
    return low


cdef inline int64_t next_trading(const Table* hours, int64_t time) noexcept nogil:
    """The first trading time at or behind ``time``; the table's end where it knows none."""
    cdef int64_t place = place_right(hours.closes, time)
    cdef int64_t pause
    while place < hours.closes.n:
        if hours.opens.at[place] > time:
            time = hours.opens.at[place]
        pause = place_right(hours.break_ends, time)
        if pause == hours.break_starts.n or hours.break_starts.at[pause] > time:
            return time
        time = hours.break_ends.at[pause]
        place = place_right(hours.closes, time)
    return hours.end


cdef inline Span plain_span(int64_t length, int64_t time) noexcept nogil:
    cdef Span span
    span.start = floor_to(time, length)
    span.end = span.start + length
    span.date = NO_DATE
    if length == <int64_t>DAY_S * 1000000000:
        span.date = <int32_t>(span.start // length)
    return span


cdef inline bint session_span(
    const Table* hours, int64_t length, int64_t time, Span* span
) noexcept nogil:
    """The part of a session that holds a time; False outside sessions."""
    cdef int64_t place = place_right(hours.closes, time)
    cdef int64_t opens, closes
    if place == hours.closes.n or hours.opens.at[place] > time:
        return False
    opens, closes = hours.opens.at[place], hours.closes.at[place]
    span.start, span.end = opens, closes
    if length != <int64_t>DAY_S * 1000000000:
        span.start += (time - opens) // length * length
        if closes - span.start > length:
            span.end = span.start + length
    span.date = <int32_t>hours.dates.at[place]
    return True


cdef inline bint in_halt(const Table* hours, Span span) noexcept nogil:
    """Whether all of it lies in one trading halt."""
    cdef int64_t place = place_right(hours.halt_ends, span.start)
    return (
        place < hours.halt_ends.n
        and hours.halt_starts.at[place] <= span.start
        and span.end <= hours.halt_ends.at[place]
    )
