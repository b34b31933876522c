"""Windows that sum up sizes and heed what a tick may touch; Window in _table.py. Python-free."""

from libc.stdint cimport int64_t, uint32_t

from barengine.kernel._program cimport NO_SIZE, TOUCH_PRICE, TOUCH_VOLUME, Fields
from barengine.kernel._store cimport Ohlc, Store, Window, sums_at
from barengine.kernel._sums cimport (
    IS_MIXED,
    IS_SIZED,
    IS_UNPRICED,
    Sums,
    wide_fits,
    wide_product,
    wide_sum,
)
from barengine.kernel._windows cimport add_tick, chosen


cdef inline bint counts(const Fields* tick) noexcept nogil:
    return tick.size != NO_SIZE and tick.touch & TOUCH_VOLUME


cdef inline Sums with_size(const Window* one, const Sums* sums, const Fields* tick) noexcept nogil:
    """Sums of a window (NULL: a new one) with one more size."""
    cdef Sums out
    out.volume = wide_product(tick.size, 1)
    out.turnover = wide_product(tick.price, tick.size)
    if one != NULL and one.flags & IS_SIZED:
        out.volume = wide_sum(out.volume, sums.volume)
        out.turnover = wide_sum(out.turnover, sums.turnover)
    return out


cdef inline bint fits(
    Store* st, const Window* one, uint32_t place, const Fields* tick
) noexcept nogil:
    """Whether the tick leaves the sums of its window at ``place``, which may be a new one (NULL),
    below their limit."""
    cdef Sums sums
    if not counts(tick):
        return True
    sums = with_size(one, sums_at(st, place) if one != NULL else NULL, tick)
    return wide_fits(sums.volume) and wide_fits(sums.turnover)


cdef inline void add_size(Window* one, Sums* sums, const Fields* tick) noexcept nogil:
    cdef Sums more
    if counts(tick):
        more = with_size(one, sums, tick)
        sums.volume, sums.turnover = more.volume, more.turnover
        one.flags |= IS_SIZED


cdef inline void begin_sums(
    Store* st, Window* one, uint32_t index, const Fields* tick
) noexcept nogil:
    """The rest of what a window of one tick has."""
    if not tick.touch & TOUCH_PRICE:
        one.flags |= IS_UNPRICED
    add_size(one, sums_at(st, index), tick)


cdef inline void keep_keys(Window* one, Sums* sums, bint by_offset) noexcept nogil:
    """Ticks of both kinds from here on: those at the ends may be others than open and close."""
    if by_offset:
        sums.open_key, sums.close_key = one.bar.first_offset, one.bar.last_offset
    else:
        sums.open_key, sums.close_key = one.bar.first_event, one.bar.last_event
    one.flags |= IS_MIXED


cdef inline void take_prices_over(
    Window* one, Sums* sums, const Fields* tick, int64_t offset, bint by_offset
) noexcept nogil:
    """The first tick that may touch the price, in a window of others."""
    cdef Ohlc* bar = &one.bar
    bar.open = bar.high = bar.low = bar.close = tick.price
    bar.open_rest = bar.close_rest = tick.time if by_offset else offset
    sums.open_key = sums.close_key = offset if by_offset else tick.time
    one.flags &= ~<uint32_t>IS_UNPRICED


cdef inline void add_price(
    Window* one, Sums* sums, const Fields* tick, int64_t offset, bint by_offset
) noexcept nogil:
    """One more tick that may touch the price, where the keys tell open and close."""
    cdef Ohlc* bar = &one.bar
    cdef int64_t time = tick.time
    if by_offset:
        bar.close, bar.close_rest, sums.close_key = tick.price, time, offset
    elif time > sums.close_key or (time == sums.close_key and offset > bar.close_rest):
        bar.close, bar.close_rest, sums.close_key = tick.price, offset, time
    if not by_offset and (
        time < sums.open_key or (time == sums.open_key and offset < bar.open_rest)
    ):
        bar.open, bar.open_rest, sums.open_key = tick.price, offset, time
    bar.high = chosen(tick.price > bar.high, tick.price, bar.high)
    bar.low = chosen(tick.price < bar.low, tick.price, bar.low)


cdef inline void add_mixed(
    Window* one, Sums* sums, const Fields* tick, int64_t offset, bint by_offset
) noexcept nogil:
    """One more tick, where not all of them touch the same."""
    cdef Ohlc* bar = &one.bar
    if not one.flags & IS_MIXED:
        keep_keys(one, sums, by_offset)
    if tick.touch & TOUCH_PRICE:
        if one.flags & IS_UNPRICED:
            take_prices_over(one, sums, tick, offset, by_offset)
        else:
            add_price(one, sums, tick, offset, by_offset)
    bar.first_event = chosen(tick.time < bar.first_event, tick.time, bar.first_event)
    bar.last_event = chosen(tick.time > bar.last_event, tick.time, bar.last_event)
    bar.last_offset = offset
    bar.count += 1


cdef inline void add_sized(
    Window* one, Sums* sums, const Fields* tick, int64_t offset, bint by_offset
) noexcept nogil:
    """add_tick for windows with Sums."""
    cdef uint32_t alike = 0 if tick.touch & TOUCH_PRICE else IS_UNPRICED
    if one.flags & (IS_UNPRICED | IS_MIXED) == alike:
        add_tick(one, tick.time, tick.price, offset, by_offset)
    else:
        add_mixed(one, sums, tick, offset, by_offset)
    add_size(one, sums, tick)
