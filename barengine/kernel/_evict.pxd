"""Forgetting series: the rest moves together in the same order. Python-free."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from barengine.kernel._names cimport Arena, arena_free, arena_take, named
from barengine.kernel._lookup cimport (
    broker_of,
    broker_size,
    put_slot,
    series_hash,
    symbol_of,
    symbol_size,
)
from barengine.kernel._store cimport (
    CHUNK,
    CHUNK_BITS,
    IS_ALIAS,
    IS_CLOSING,
    IS_DIRTY,
    IS_STORED,
    NONE,
    Series,
    Slot,
    Store,
    empty_slots,
    series_at,
    window_at,
)
from barengine.kernel._windows cimport is_stored_open, low_water


cdef inline bint is_forgettable(
    Store* st, const Series* one, int64_t before_wall, int64_t least_offset, uint32_t needed
) noexcept nogil:
    """No window, no late arrival, nothing to tell, and recovery can do without its record."""
    if one.newest != NONE or one.arrival_wall >= before_wall:
        return False
    if one.sizes & (IS_DIRTY | IS_CLOSING):
        return False
    if one.closed <= st.brokers[one.broker].closed:
        return True
    if one.sizes & needed:
        return False
    return st.rules.by_series and (st.open_windows == 0 or one.last_offset < least_offset)


cdef inline uint32_t choose(Store* st, int64_t before_wall, uint32_t* moves) noexcept nogil:
    """Fill ``moves`` with the new index of every series, NONE for those to go; count those.

    Spellings go whenever anything does: the next tick makes them anew. So that they cannot pile up
    where no series ever goes, they are counted as soon as there are more of them than series.
    """
    cdef int64_t place
    cdef uint32_t at
    cdef uint32_t kept = 0
    cdef const Series* one
    cdef int64_t least_offset = low_water(st) if st.open_windows else 0
    # What was stored is read as long as one window of it is open: closed ones must be known.
    cdef uint32_t needed = IS_STORED if is_stored_open(st) else 0
    for place in range(st.closed.count):
        series_at(st, st.closed.items[place].series).sizes |= IS_CLOSING
    for at in range(st.series_count):
        one = series_at(st, at)
        if one.sizes & IS_ALIAS or is_forgettable(st, one, before_wall, least_offset, needed):
            moves[at] = NONE
        else:
            moves[at] = kept
            kept += 1
    for place in range(st.closed.count):
        series_at(st, st.closed.items[place].series).sizes &= ~<uint32_t>IS_CLOSING
    return st.series_count - kept - (st.spellings if st.spellings <= kept else 0)


cdef inline void move_references(Store* st, const uint32_t* moves) noexcept nogil:
    cdef int64_t place
    cdef uint32_t at, window
    for at in range(st.series_count):
        window = series_at(st, at).newest
        while window != NONE:
            window_at(st, window).series = moves[at]
            window = window_at(st, window).older
    for place in range(st.closed.count):
        st.closed.items[place].series = moves[st.closed.items[place].series]
    for place in range(st.due_count):
        st.due[place] = moves[st.due[place]]


cdef inline bint compact(Store* st, const uint32_t* moves) noexcept nogil:
    """Carry ``moves`` out; False without memory, and then nothing has changed."""
    cdef Arena names
    cdef int64_t size = 0
    cdef uint8_t* p
    cdef uint32_t at, hash
    cdef uint32_t kept = 0
    cdef Series* one
    cdef Slot* slots
    for at in range(st.series_count):
        if moves[at] != NONE:
            size += broker_size(series_at(st, at)) + symbol_size(series_at(st, at))
    names.newest = NULL
    names.total = 0
    p = arena_take(&names, size)
    slots = empty_slots(st.slot_mask + 1)
    if p == NULL or slots == NULL:
        arena_free(&names)
        free(slots)
        return False
    move_references(st, moves)
    for at in range(st.series_count):
        if moves[at] == NONE:
            continue
        one = series_at(st, kept)
        one[0] = series_at(st, at)[0]
        memcpy(p, one.names, broker_size(one) + symbol_size(one))
        one.names = p
        p += broker_size(one) + symbol_size(one)
        hash = series_hash(st, named(broker_of(one)), named(symbol_of(one)))
        put_slot(slots, st.slot_mask, hash, kept)
        kept += 1
    arena_free(&st.names)
    free(st.slots)
    st.names = names
    st.slots = slots
    st.series_count = kept
    st.spellings = 0
    while st.series_capacity >= kept + CHUNK:
        st.series_capacity -= CHUNK
        free(st.series_chunks[st.series_capacity >> CHUNK_BITS])
    return True
