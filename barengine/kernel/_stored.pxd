"""Open windows to bytes and back, for recovery: _pure_stored.py in C. Python-free."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc, qsort

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
from barengine.kernel._lookup cimport broker_of, find_series, series_hash, symbol_of
from barengine.kernel._names cimport Name, is_utf8, named
from barengine.kernel._program cimport MAX_EVENT
from barengine.kernel._rules cimport find_window, is_past, larger, mark_due
from barengine.kernel._store cimport (
    IS_STORED,
    NEVER,
    NONE,
    Ohlc,
    Series,
    Store,
    Window,
    floor_to,
    minus,
    series_at,
    window_at,
)
from barengine.kernel._windows cimport open_window
from barengine.kernel._wire cimport Bytes, Cursor, read_bytes, read_varint


cdef enum:
    NUMBERS = 12      # int64 fields of an Ohlc, written in their order
    ROOM = 160        # more than twelve varints and two lengths
    MAX_NAME = 256    # model.MAX_NAME_BYTES


cdef struct Opened:
    int64_t first_offset
    uint32_t place   # ties cannot be, unless offsets go back
    uint32_t window


# -- to bytes --------------------------------------------------------------------------------------

cdef inline int by_first_offset(const void* left, const void* right) noexcept nogil:
    cdef const Opened* a = <const Opened*>left
    cdef const Opened* b = <const Opened*>right
    if a.first_offset != b.first_offset:
        return 1 if a.first_offset > b.first_offset else -1
    return 1 if a.place > b.place else -1


cdef inline Opened* in_order(Store* st) noexcept nogil:
    """Every open window in the order of their first ticks; NULL without memory."""
    cdef Opened* found = <Opened*>malloc((st.open_windows + 1) * sizeof(Opened))
    cdef uint32_t at, index
    cdef uint32_t count = 0
    if found == NULL:
        return NULL
    for at in range(st.series_count):
        index = series_at(st, at).oldest
        while index != NONE:
            found[count].first_offset = window_at(st, index).bar.first_offset
            found[count].place = count
            found[count].window = index
            count += 1
            index = window_at(st, index).newer
    qsort(found, count, sizeof(Opened), by_first_offset)
    return found


cdef inline void mark_stored(Store* st) noexcept nogil:
    cdef uint32_t at
    cdef Series* one
    for at in range(st.series_count):
        one = series_at(st, at)
        one.sizes &= ~<uint32_t>IS_STORED
        if one.newest != NONE:
            one.sizes |= IS_STORED


cdef inline bint put_window(
    Store* st, uint32_t index, int64_t max_bytes, Output* out, Segments* blocks
) noexcept nogil:
    """Append a window to the last block, or to a new one where that would get too large."""
    cdef const Series* series = series_at(st, window_at(st, index).series)
    cdef const int64_t* numbers = <const int64_t*>&window_at(st, index).bar
    cdef Bytes broker = broker_of(series)
    cdef Bytes symbol = symbol_of(series)
    cdef Segment* block = &blocks.items[blocks.count - 1] if blocks.count else NULL
    cdef int64_t begin = out.used
    cdef int at
    cdef uint8_t* p
    if not reserve(out, broker.n + symbol.n + ROOM):
        return False
    p = put_text(put_text(out.data + begin, broker), symbol)
    for at in range(NUMBERS):
        p = put_varint(p, numbers[at])
    out.used = p - out.data
    if block == NULL or out.used - block.begin > max_bytes:
        block = begin_segment(blocks, begin, 0)
        if block == NULL:
            return False
    block.end = out.used
    block.count += 1
    return True


cdef inline bint store_windows(
    Store* st, int64_t as_of, int64_t max_bytes, Output* out, Segments* blocks
) noexcept nogil:
    """Every open window; False without memory. The caller frees ``out`` and ``blocks``."""
    cdef Opened* found = in_order(st)
    cdef uint32_t at
    cdef bint good = found != NULL
    if good:
        for at in range(st.open_windows):
            good = put_window(st, found[at].window, max_bytes, out, blocks)
            if not good:
                break
    free(found)
    if good:
        mark_stored(st)
        st.as_of = as_of
    return good


# -- and back --------------------------------------------------------------------------------------

cdef inline bint read_name(Cursor* c, Name* out) noexcept nogil:
    cdef Bytes content
    if not read_bytes(c, &content) or content.n == 0 or content.n > MAX_NAME:
        return False
    out[0] = named(content)
    return is_utf8(out[0])


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
    if not read_name(c, &broker) or not read_name(c, &symbol) or not read_ohlc(c, &bar):
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
    window = window_at(st, series.oldest if place == NONE else window_at(st, place).newer)
    window.bar = bar
    if st.brokers[series.broker].begin == NEVER and not st.rules.began_whole:
        window.partial = True  # else open_window has decided it
    return ON if raise_clock(st, series, index, bar.last_event) else OUT_OF_MEMORY


cdef inline bint raise_clock(
    Store* st, Series* series, uint32_t index, int64_t time
) noexcept nogil:
    """As accepting the window's ticks did; False without memory."""
    series.clock = larger(series.clock, time)
    if st.rules.by_series and is_past(
        st, window_at(st, series.oldest).bar.start + st.rules.period, series.clock
    ):
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
