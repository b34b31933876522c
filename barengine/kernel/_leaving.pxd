"""Windows as bars on their way out: closed ones, and open ones so far. Python-free."""

from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from barengine.kernel._store cimport (
    NO_DATE,
    NONE,
    Closed,
    ClosedBars,
    Ohlc,
    Shut,
    ShutWindows,
    Store,
    Window,
    series_at,
    sums_at,
    window_at,
)
from barengine.kernel._sums cimport Sums
from barengine.kernel._windows cimport room_for_bar


cdef inline void put_closed(
    const Store* st, const Ohlc* bar, uint32_t series, uint32_t flags, const Sums* sums,
    Closed* out,
) noexcept nogil:
    out.bar = bar[0]
    if st.rules.sized:
        out.sums = sums[0]
    out.end = bar.start + st.rules.period
    out.names = series
    out.flags = flags
    out.revision = 0
    out.trading_date = NO_DATE
    out.origin = out.cause = out.period = 0


cdef inline bint copy_shut(Store* st, ClosedBars* out) noexcept nogil:
    """Every closed window as a bar; False without memory."""
    cdef int64_t at
    cdef const Shut* one
    cdef const Sums* sums = NULL
    out.items = <Closed*>malloc((st.closed.count + 1) * sizeof(Closed))
    if out.items == NULL:
        return False
    out.count = out.capacity = st.closed.count
    for at in range(st.closed.count):
        one = &st.closed.items[at]
        if st.rules.sized:
            sums = &st.closed.sums[at]
        put_closed(st, &one.bar, one.series, one.flags, sums, &out.items[at])
    return True


cdef inline void forget_shut(Store* st) noexcept nogil:
    free(st.closed.items)
    free(st.closed.sums)
    memset(&st.closed, 0, sizeof(ShutWindows))


# -- bars so far -----------------------------------------------------------------------------------

cdef inline Window* to_give(Store* st, uint32_t at) noexcept nogil:
    """The newest window of a series, if a tick has gone into it since it was given; else NULL."""
    cdef uint32_t index = series_at(st, at).newest
    if index == NONE or window_at(st, index).bar.count == window_at(st, index).given:
        return NULL
    return window_at(st, index)


cdef inline bint copy_live(Store* st, ClosedBars* out) noexcept nogil:
    """Every window to give as a bar, in order of the series; False without memory."""
    cdef uint32_t at, index
    cdef const Window* window
    cdef Closed* one
    for at in range(st.series_count):
        window = to_give(st, at)
        if window != NULL:
            index = series_at(st, at).newest
            one = room_for_bar(out)
            if one == NULL:
                return False
            put_closed(
                st, &window.bar, at, window.flags,
                sums_at(st, index) if st.rules.sized else NULL, one,
            )
            out.count += 1
    return True


cdef inline void mark_given(Store* st) noexcept nogil:
    cdef uint32_t at
    cdef Window* one
    for at in range(st.series_count):
        one = to_give(st, at)
        if one != NULL:
            one.given = one.bar.count


cdef inline void mark_not_given(Store* st) noexcept nogil:
    cdef uint32_t at, index
    for at in range(st.series_count):
        index = series_at(st, at).newest
        if index != NONE:
            window_at(st, index).given = 0
