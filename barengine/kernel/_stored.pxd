"""Open windows to bytes and back, for recovery: _pure_stored.py in C. Python-free."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort
from libc.string cimport memcpy

from barengine.kernel._batch cimport MALFORMED, ON, OUT_OF_MEMORY
from barengine.kernel._encode cimport (
    Output,
    Segment,
    Segments,
    begin_segment,
    put_text,
    put_varint,
    reserve,
)
from barengine.kernel._lookup cimport broker_size, find_series, series_hash, symbol_size
from barengine.kernel._names cimport Name, is_utf8, named
from barengine.kernel._program cimport MAX_EVENT
from barengine.kernel._rules cimport find_window, is_due, larger, mark_due
from barengine.kernel._store cimport (
    IS_STORED,
    NEVER,
    NONE,
    Closed,
    ClosedBars,
    Ohlc,
    Series,
    Store,
    Window,
    floor_to,
    minus,
    series_at,
    sums_at,
    window_at,
)
from barengine.kernel._sums cimport (
    IS_MIXED,
    IS_PARTIAL,
    IS_SIZED,
    IS_UNPRICED,
    WIDEST,
    Sums,
    Wide,
    put_wide,
    read_wide,
    wide_fits,
    wide_size,
)
from barengine.kernel._windows cimport open_window
from barengine.kernel._wire cimport Bytes, Cursor, read_bytes, read_varint


cdef enum:  # flags of a stored window
    STORED_UNPRICED = 1
    STORED_SIZED = 2
    STORED_MIXED = 4
    ALL_STORED = 7

cdef enum:
    NUMBERS = 12      # int64 fields of an Ohlc, written in their order
    ROOM = 240        # more than fifteen varints, four lengths and two sums
    MAX_NAME = 256    # model.MAX_NAME_BYTES


cdef struct Opened:
    int64_t first_offset
    int64_t place   # ties cannot be, unless offsets go back


# -- a copy as of now ------------------------------------------------------------------------------

cdef inline void copy_series(
    Store* st, Series* series, ClosedBars* found, uint64_t place
) noexcept nogil:
    """Every open window of a series whose names are at ``place``."""
    cdef uint32_t index = series.oldest
    cdef Closed* one
    while index != NONE:
        one = &found.items[found.count]
        one.bar = window_at(st, index).bar
        one.flags = window_at(st, index).flags
        if st.rules.sized:
            one.sums = sums_at(st, index)[0]
        one.names = place
        one.broker_size = <uint16_t>broker_size(series)
        one.symbol_size = <uint16_t>symbol_size(series)
        found.count += 1
        index = window_at(st, index).newer


cdef inline bint copy_windows(
    Store* st, int64_t as_of, ClosedBars* found, uint8_t** names
) noexcept nogil:
    """Every open window, which is stored from now on; False without memory, then none is. The
    caller frees items and names."""
    cdef uint64_t place = 0
    cdef uint64_t size
    cdef uint32_t at
    cdef Series* series
    found.items = <Closed*>malloc((<size_t>st.open_windows + 1) * sizeof(Closed))
    names[0] = <uint8_t*>malloc(<size_t>st.names.total + 1)  # of all series: more than enough
    if found.items == NULL or names[0] == NULL:
        return False
    for at in range(st.series_count):
        series = series_at(st, at)
        series.sizes &= ~<uint32_t>IS_STORED
        if series.newest != NONE:
            series.sizes |= IS_STORED
            size = broker_size(series) + symbol_size(series)
            memcpy(names[0] + place, series.names, size)
            copy_series(st, series, found, place)
            place += size
    st.as_of = as_of
    return True


# -- to bytes --------------------------------------------------------------------------------------

cdef inline int by_first_offset(const void* left, const void* right) noexcept nogil:
    cdef const Opened* a = <const Opened*>left
    cdef const Opened* b = <const Opened*>right
    if a.first_offset != b.first_offset:
        return 1 if a.first_offset > b.first_offset else -1
    return 1 if a.place > b.place else -1


cdef inline Opened* in_order(const ClosedBars* windows) noexcept nogil:
    """Places of the windows in the order of their first ticks; NULL without memory."""
    cdef Opened* found = <Opened*>malloc((<size_t>windows.count + 1) * sizeof(Opened))
    cdef int64_t at
    if found == NULL:
        return NULL
    for at in range(windows.count):
        found[at].first_offset = windows.items[at].bar.first_offset
        found[at].place = at
    qsort(found, <size_t>windows.count, sizeof(Opened), by_first_offset)
    return found


cdef inline uint8_t* put_sum(uint8_t* p, Wide value) noexcept nogil:
    cdef int size = wide_size(value)
    return put_wide(put_varint(p, size), value, size)


cdef inline uint8_t* put_sums(uint8_t* p, uint32_t flags, const Sums* sums) noexcept nogil:
    p = put_varint(
        p,
        (STORED_UNPRICED if flags & IS_UNPRICED else 0)
        | (STORED_SIZED if flags & IS_SIZED else 0)
        | (STORED_MIXED if flags & IS_MIXED else 0),
    )
    if flags & IS_SIZED:
        p = put_sum(put_sum(p, sums.volume), sums.turnover)
    if flags & IS_MIXED:
        p = put_varint(put_varint(p, sums.open_key), sums.close_key)
    return p


cdef inline bint put_window(
    const Closed* one, const uint8_t* names, bint sized, int64_t max_bytes, Output* out,
    Segments* blocks
) noexcept nogil:
    """Append a window to the last block, or to a new one where that would get too large."""
    cdef const int64_t* numbers = <const int64_t*>&one.bar
    cdef Bytes broker, symbol
    broker.p, broker.n = names + one.names, one.broker_size
    symbol.p, symbol.n = broker.p + broker.n, one.symbol_size
    cdef Segment* block = &blocks.items[blocks.count - 1] if blocks.count else NULL
    cdef int64_t begin = out.used
    cdef int at
    cdef uint8_t* p
    if not reserve(out, broker.n + symbol.n + ROOM):
        return False
    p = out.data + begin
    if sized:
        p[0] = 0
        p += 1
    p = put_text(put_text(p, broker), symbol)
    for at in range(NUMBERS):
        p = put_varint(p, numbers[at])
    if sized:
        p = put_sums(p, one.flags, &one.sums)
    out.used = p - out.data
    if block == NULL or out.used - block.begin > max_bytes:
        block = begin_segment(blocks, begin, 0)
        if block == NULL:
            return False
    block.end = out.used
    block.count += 1
    return True


cdef inline bint pack_windows(
    const ClosedBars* windows, const uint8_t* names, bint sized, int64_t max_bytes, Output* out,
    Segments* blocks
) noexcept nogil:
    """All of a copy; False without memory. The caller frees ``out`` and ``blocks``."""
    cdef Opened* found = in_order(windows)
    cdef int64_t at
    cdef bint good = found != NULL
    if good:
        for at in range(windows.count):
            good = put_window(
                &windows.items[found[at].place], names, sized, max_bytes, out, blocks
            )
            if not good:
                break
    free(found)
    return good


# -- and back --------------------------------------------------------------------------------------

cdef inline bint read_name(Cursor* c, Name* out) noexcept nogil:
    cdef Bytes content
    if not read_bytes(c, &content) or content.n == 0 or content.n > MAX_NAME:
        return False
    out[0] = named(content)
    return is_utf8(out[0])


cdef inline bint read_sum(Cursor* c, Wide* out) noexcept nogil:
    cdef Bytes content
    if not read_bytes(c, &content) or content.n > WIDEST:
        return False
    out[0] = read_wide(content.p, content.n)
    return wide_fits(out[0])


cdef inline bint read_sums(Cursor* c, Sums* out, uint32_t* flags) noexcept nogil:
    cdef int64_t stored = 0
    if not read_varint(c, &stored) or stored < 0 or stored > ALL_STORED:
        return False
    if stored & STORED_SIZED:
        flags[0] |= IS_SIZED
        if not read_sum(c, &out.volume) or not read_sum(c, &out.turnover) or out.volume.high < 0:
            return False
    if stored & STORED_MIXED:
        flags[0] |= IS_MIXED
        if not read_varint(c, &out.open_key) or not read_varint(c, &out.close_key):
            return False
    if stored & STORED_UNPRICED:
        flags[0] |= IS_UNPRICED
    return not (stored & STORED_UNPRICED and stored & STORED_MIXED)


cdef inline bint read_ohlc(Cursor* c, Ohlc* out) noexcept nogil:
    cdef int64_t* numbers = <int64_t*>out
    cdef int at
    for at in range(NUMBERS):
        if not read_varint(c, &numbers[at]):
            return False
    return True


cdef inline bint is_plausible(const Store* st, const Ohlc* bar, int64_t previous) noexcept nogil:
    """What holds for every window that was stored, and what the table relies on."""
    return (
        bar.start == floor_to(bar.start, st.rules.period)
        and bar.start <= bar.first_event <= bar.last_event <= MAX_EVENT
        and minus(bar.last_event, bar.start) < st.rules.period
        and bar.count > 0
        and bar.low <= bar.open <= bar.high
        and bar.low <= bar.close <= bar.high
        and previous <= bar.first_offset < st.as_of
        and 0 <= bar.last_offset < st.as_of
    )


cdef inline int load_window(Store* st, Cursor* c, int64_t* previous) noexcept nogil:
    """One window into the table, unless it was closed since; ON, MALFORMED or OUT_OF_MEMORY."""
    cdef Name broker, symbol
    cdef Ohlc bar
    cdef Series* series
    cdef Window* window
    cdef uint32_t index = 0
    cdef uint32_t place = NONE
    cdef int64_t start = 0
    cdef Sums sums
    cdef uint32_t flags = 0
    cdef bint summed = st.rules.sized and c.p < c.end and c.p[0] == 0
    if summed:
        c.p += 1
    if not read_name(c, &broker) or not read_name(c, &symbol) or not read_ohlc(c, &bar):
        return MALFORMED
    if summed and not read_sums(c, &sums, &flags):
        return MALFORMED
    if not is_plausible(st, &bar, previous[0]):
        return MALFORMED
    previous[0] = bar.first_offset
    series = find_series(st, broker, symbol, series_hash(st, broker, symbol), &index)
    if series == NULL:
        return OUT_OF_MEMORY
    series.sizes |= IS_STORED
    if bar.start + st.rules.period <= larger(series.closed, st.brokers[series.broker].closed):
        return ON
    if find_window(st, series, bar.start, &start, &place) != NULL:
        return MALFORMED
    if not open_window(st, series, index, place, bar.start, 0, 0, bar.first_offset):
        return OUT_OF_MEMORY
    place = series.oldest if place == NONE else window_at(st, place).newer
    window = window_at(st, place)
    window.bar = bar
    if summed:
        window.flags |= flags
        sums_at(st, place)[0] = sums
    if st.brokers[series.broker].begin == NEVER and not st.rules.began_whole:
        window.flags |= IS_PARTIAL  # else open_window has decided it
    return ON if raise_clock(st, series, index, bar.last_event) else OUT_OF_MEMORY


cdef inline bint raise_clock(
    Store* st, Series* series, uint32_t index, int64_t time
) noexcept nogil:
    """As accepting the window's ticks did; False without memory."""
    series.clock = larger(series.clock, time)
    if st.rules.by_series and is_due(st, series):
        return mark_due(st, series, index)
    return True


cdef inline int load_block(
    Store* st, Bytes content, int64_t count, int64_t* previous
) noexcept nogil:
    """All windows of a block; ``previous`` is the first offset of the window before it."""
    cdef Cursor c
    cdef int end
    c.p = content.p
    c.end = content.p + content.n
    while count > 0:
        end = load_window(st, &c, previous)
        if end != ON:
            return end
        count -= 1
    return ON if count == 0 and c.p == c.end else MALFORMED
