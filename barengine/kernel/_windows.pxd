"""Opening windows, adding ticks to them, and closing them; _table.py in C. Python-free."""

from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memmove

from barengine.kernel._store cimport (
    NONE,
    Broker,
    Bucket,
    Closed,
    ClosedBars,
    Ohlc,
    Series,
    Shut,
    ShutWindows,
    Store,
    Window,
    add_chunk,
    grown,
    series_at,
    sums_at,
    window_at,
)
from barengine.kernel._sums cimport IS_PARTIAL, Sums
from barengine.kernel._wire cimport likely, unlikely


# -- the calendar of a broker --------------------------------------------------------------------

cdef inline bint room_for_bucket(Broker* broker) noexcept nogil:
    """Make sure that the calendar can take one more bucket at its end."""
    cdef Bucket* moved
    if likely(broker.tail < broker.capacity):
        return True
    if broker.head > broker.capacity >> 1:
        memmove(
            broker.buckets,
            broker.buckets + broker.head,
            <size_t>(broker.tail - broker.head) * sizeof(Bucket),
        )
        broker.tail -= broker.head
        broker.head = 0
        return True
    moved = <Bucket*>grown(broker.buckets, &broker.capacity, 4, sizeof(Bucket))
    if moved == NULL:
        return False
    broker.buckets = moved
    return True


cdef inline int64_t place_of(const Broker* broker, int64_t start) noexcept nogil:
    """Index of the first bucket at or behind ``start``; most often the last or its successor."""
    cdef int64_t low = broker.head
    cdef int64_t high = broker.tail
    cdef int64_t middle
    if low == high or broker.buckets[high - 1].start < start:
        return high
    if broker.buckets[high - 1].start == start:
        return high - 1
    while low < high:
        middle = low + ((high - low) >> 1)
        if broker.buckets[middle].start < start:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline bint queue_in_bucket(Store* st, Broker* broker, uint32_t index) noexcept nogil:
    cdef Window* one = window_at(st, index)
    cdef Bucket* bucket
    cdef int64_t place
    if unlikely(not room_for_bucket(broker)):
        return False
    place = place_of(broker, one.bar.start)
    bucket = &broker.buckets[place]
    one.after = NONE
    if place < broker.tail and bucket.start == one.bar.start:
        window_at(st, bucket.last).after = index
        bucket.last = index
        return True
    memmove(bucket + 1, bucket, <size_t>(broker.tail - place) * sizeof(Bucket))
    bucket.start = one.bar.start
    bucket.first = bucket.last = index
    broker.tail += 1
    return True


# -- all windows in order of opening (WATERMARK=series) ------------------------------------------

cdef inline void append_opened(Store* st, uint32_t index) noexcept nogil:
    cdef Window* one = window_at(st, index)
    one.before = st.last_opened
    one.after = NONE
    if st.last_opened == NONE:
        st.first_opened = index
    else:
        window_at(st, st.last_opened).after = index
    st.last_opened = index


cdef inline void remove_opened(Store* st, Window* one) noexcept nogil:
    if one.before == NONE:
        st.first_opened = one.after
    else:
        window_at(st, one.before).after = one.after
    if one.after == NONE:
        st.last_opened = one.before
    else:
        window_at(st, one.after).before = one.before


# -- windows ---------------------------------------------------------------------------------------

cdef inline uint32_t new_window(Store* st) noexcept nogil:
    cdef uint32_t index = st.free_window
    if index != NONE:
        st.free_window = window_at(st, index).after
        return index
    if st.windows_made == st.window_capacity:
        if st.rules.sized and st.sums_capacity == st.window_capacity:
            if not add_chunk(<void***>&st.sums_chunks, &st.sums_capacity, sizeof(Sums)):
                return NONE
        if not add_chunk(<void***>&st.window_chunks, &st.window_capacity, sizeof(Window)):
            return NONE
    st.windows_made += 1
    return st.windows_made - 1


cdef inline void free_window(Store* st, uint32_t index) noexcept nogil:
    window_at(st, index).after = st.free_window
    st.free_window = index


cdef inline void link_to_series(
    Store* st, Series* series, uint32_t index, uint32_t older
) noexcept nogil:
    """Hang the window into its series' list in front of ``older``."""
    cdef Window* one = window_at(st, index)
    one.older = older
    one.newer = series.oldest if older == NONE else window_at(st, older).newer
    if one.newer == NONE:
        series.newest = index
    else:
        window_at(st, one.newer).older = index
    if older == NONE:
        series.oldest = index
    else:
        window_at(st, older).newer = index


cdef inline void unlink_from_series(Store* st, Series* series, Window* one) noexcept nogil:
    if one.newer == NONE:
        series.newest = one.older
    else:
        window_at(st, one.newer).older = one.older
    if one.older == NONE:
        series.oldest = one.newer
    else:
        window_at(st, one.older).newer = one.newer


cdef inline bint open_window(
    Store* st, Series* series, uint32_t series_index, uint32_t older,
    int64_t start, int64_t time, int64_t price, int64_t offset,
) noexcept nogil:
    """A window of one tick, in front of ``older`` in its series; False without memory."""
    cdef Broker* broker = &st.brokers[series.broker]
    cdef uint32_t index = new_window(st)
    cdef Window* one
    if unlikely(index == NONE):
        return False
    one = window_at(st, index)
    one.series = series_index
    one.flags = IS_PARTIAL if start <= broker.begin else 0
    one.given = 0
    one.bar.start = start
    one.bar.open = one.bar.high = one.bar.low = one.bar.close = price
    one.bar.count = 1
    one.bar.first_event = one.bar.last_event = time
    one.bar.first_offset = one.bar.last_offset = offset
    one.bar.open_rest = one.bar.close_rest = time if st.rules.by_offset else offset
    if st.rules.by_series:
        append_opened(st, index)
    elif unlikely(not queue_in_bucket(st, broker, index)):
        free_window(st, index)
        return False
    link_to_series(st, series, index, older)
    if st.open_windows == 0:
        st.disordered = False
    elif offset < st.newest_first_offset:
        st.disordered = True
    st.newest_first_offset = offset
    st.open_windows += 1
    return True


cdef inline int64_t chosen(bint first, int64_t a, int64_t b) noexcept nogil:
    return a if first else b


cdef inline void add_by_offset(Ohlc* bar, int64_t time, int64_t price) noexcept nogil:
    bar.close = price
    bar.close_rest = time
    bar.first_event = chosen(time < bar.first_event, time, bar.first_event)
    bar.last_event = chosen(time > bar.last_event, time, bar.last_event)


cdef inline void add_by_time(Ohlc* bar, int64_t time, int64_t price, int64_t offset) noexcept nogil:
    # Ticks that are a little out of order make this a coin toss: chosen, not branched.
    cdef bint last = (time > bar.last_event) | (
        (time == bar.last_event) & (offset > bar.close_rest)
    )
    bar.close = chosen(last, price, bar.close)
    bar.close_rest = chosen(last, offset, bar.close_rest)
    bar.last_event = chosen(last, time, bar.last_event)
    if unlikely(
        time < bar.first_event or (time == bar.first_event and offset < bar.open_rest)
    ):
        bar.open = price
        bar.open_rest = offset
        bar.first_event = time


cdef inline void add_tick(
    Window* one, int64_t time, int64_t price, int64_t offset, bint by_offset
) noexcept nogil:
    """One more tick for an open window."""
    cdef Ohlc* bar = &one.bar
    if unlikely(by_offset):
        add_by_offset(bar, time, price)
    else:
        add_by_time(bar, time, price, offset)
    bar.high = chosen(price > bar.high, price, bar.high)
    bar.low = chosen(price < bar.low, price, bar.low)
    bar.last_offset = offset
    bar.count += 1


# -- closing ---------------------------------------------------------------------------------------

cdef inline Closed* room_for_bar(ClosedBars* bars) noexcept nogil:
    """Where the next bar goes; NULL without memory."""
    cdef Closed* moved
    if bars.count == bars.capacity:
        moved = <Closed*>grown(bars.items, &bars.capacity, bars.count + 1, sizeof(Closed))
        if moved == NULL:
            return NULL
        bars.items = moved
    return bars.items + bars.count


cdef inline bint room_for_shut(Store* st) noexcept nogil:
    """Make sure that one more window can be shut."""
    cdef ShutWindows* all = &st.closed
    cdef void* moved
    if unlikely(all.count == all.capacity):
        moved = grown(all.items, &all.capacity, all.count + 1, sizeof(Shut))
        if moved == NULL:
            return False
        all.items = <Shut*>moved
    if unlikely(st.rules.sized and all.count == all.sums_capacity):
        moved = grown(all.sums, &all.sums_capacity, all.count + 1, sizeof(Sums))
        if moved == NULL:
            return False
        all.sums = <Sums*>moved
    return True


cdef inline bint close_window(Store* st, uint32_t index) noexcept nogil:
    """Move a window to the closed ones. The caller takes it out of calendar or list."""
    cdef Window* one = window_at(st, index)
    cdef Shut* out
    if unlikely(not room_for_shut(st)):
        return False
    out = st.closed.items + st.closed.count
    out.bar = one.bar
    out.series = one.series
    out.flags = one.flags
    if st.rules.sized:
        st.closed.sums[st.closed.count] = sums_at(st, index)[0]
    st.closed.count += 1
    unlink_from_series(st, series_at(st, one.series), one)
    free_window(st, index)
    st.open_windows -= 1
    return True


cdef inline bint close_bucket(Store* st, Broker* broker) noexcept nogil:
    """Close the first bucket of a calendar; on False the rest of it is still there."""
    cdef Bucket* bucket = &broker.buckets[broker.head]
    cdef uint32_t index
    while bucket.first != NONE:
        index = bucket.first
        bucket.first = window_at(st, index).after
        if unlikely(not close_window(st, index)):
            bucket.first = index
            return False
    broker.head += 1
    if broker.head == broker.tail:
        broker.head = broker.tail = 0
    return True


cdef inline bint close_oldest(Store* st, Series* series) noexcept nogil:
    """Close the oldest window of a series under WATERMARK=series."""
    cdef uint32_t index = series.oldest
    cdef Window* one = window_at(st, index)
    if unlikely(not room_for_shut(st)):
        return False
    remove_opened(st, one)
    return close_window(st, index)


# -- the oldest offset still needed ----------------------------------------------------------------

cdef inline int64_t smallest_of_all(Store* st) noexcept nogil:
    cdef int64_t least = -1
    cdef bint found = False
    cdef uint32_t at, index
    for at in range(st.series_count):
        index = series_at(st, at).newest
        while index != NONE:
            if not found or window_at(st, index).bar.first_offset < least:
                least = window_at(st, index).bar.first_offset
                found = True
            index = window_at(st, index).older
    return least


cdef inline int64_t oldest_first_offset(Store* st) noexcept nogil:
    """Smallest first offset of an open window; one must be open.

    Offsets grow, so the first window of each queue has the smallest of that queue.
    """
    cdef int64_t least = 0
    cdef bint found = False
    cdef int64_t place, offset
    cdef uint32_t at
    if st.disordered:
        return smallest_of_all(st)
    if st.rules.by_series:
        return window_at(st, st.first_opened).bar.first_offset
    for at in range(st.broker_count):
        for place in range(st.brokers[at].head, st.brokers[at].tail):
            offset = window_at(st, st.brokers[at].buckets[place].first).bar.first_offset
            if not found or offset < least:
                least = offset
                found = True
    return least


cdef inline bint is_stored_open(Store* st) noexcept nogil:
    """Whether a window that was stored is still open."""
    return st.open_windows != 0 and oldest_first_offset(st) < st.as_of


cdef inline int64_t low_water(Store* st) noexcept nogil:
    """The first offset that recovery must read again; a window must be open."""
    cdef int64_t oldest = oldest_first_offset(st)
    return oldest if oldest > st.as_of else st.as_of
