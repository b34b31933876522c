"""Rules 3 to 6 of ``_protocol`` for one tick, and everything that closes. Python-free.

Bucket ends are multiples of the period, so ``end <= floor(clock - grace)`` is decided as
``end <= clock - grace``, without a division.
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint32_t, uint64_t

from barengine.kernel._program cimport SIZE_RANGE, Fields
from barengine.kernel._lookup cimport find_series, guessed_series
from barengine.kernel._store cimport (
    IS_DIRTY,
    IS_DUE,
    NEVER,
    NONE,
    Broker,
    Series,
    Store,
    Window,
    floor_to,
    grown,
    minus,
    plus,
    series_at,
    sums_at,
    window_at,
)
from barengine.kernel._sizes cimport add_sized, begin_sums, fits
from barengine.kernel._windows cimport add_tick, close_bucket, close_oldest, open_window
from barengine.kernel._wire cimport likely, unlikely


cdef enum:  # what became of a tick: 0, or model.Reason
    ACCEPTED = 0
    FUTURE = 11
    LATE_BY_WATERMARK = 20
    LATE_BY_SILENCE = 21
    NO_MEMORY = -2


cdef struct Late:
    int64_t start
    int64_t closed
    int64_t latest  # lateness is max(latest, closed) - event time
    const Series* series


cdef inline int64_t watermark(const Store* st, int64_t clock) noexcept nogil:
    """Everything that ends at or before it is closed; NEVER for no clock."""
    if clock == NEVER:
        return NEVER
    return floor_to(minus(clock, st.rules.grace), st.rules.period)


cdef inline bint is_past(const Store* st, int64_t end, int64_t clock) noexcept nogil:
    """``end <= watermark(clock)``."""
    return clock != NEVER and end <= minus(clock, st.rules.grace)


cdef inline int64_t larger(int64_t a, int64_t b) noexcept nogil:
    return a if a > b else b


# -- accepting -------------------------------------------------------------------------------------

cdef inline bint mark_due(Store* st, Series* series, uint32_t index) noexcept nogil:
    """Put the series into the queue of those with something to close, once."""
    cdef uint32_t* moved
    if series.sizes & IS_DUE:
        return True
    if st.due_count == st.due_capacity:
        moved = <uint32_t*>grown(st.due, &st.due_capacity, 64, sizeof(uint32_t))
        if moved == NULL:
            return False
        st.due = moved
    st.due[st.due_count] = index
    st.due_count += 1
    series.sizes |= IS_DUE
    return True


cdef inline bint is_due(Store* st, const Series* series) noexcept nogil:
    """Whether the series' own clock closes something: a window, or with a book a bucket."""
    cdef int64_t end = window_at(st, series.oldest).bar.start + st.rules.period
    if unlikely(st.rules.book) and series.closed != NEVER:
        end = plus(floor_to(series.closed, st.rules.period), st.rules.period)
    return is_past(st, end, series.clock)


cdef inline bint accept(
    Store* st, Series* series, uint32_t index, uint32_t place, Window* window,
    int64_t start, const Fields* tick, int64_t offset, bint replay,
) noexcept nogil:
    """Take the tick into ``window``, or (NULL) into a new one in front of ``place``.

    Of a begin that replay had to make up the caller must get rid.
    """
    cdef Broker* broker = &st.brokers[series.broker]
    cdef int64_t time = tick.time
    broker.clock = larger(broker.clock, time)
    if unlikely(broker.begin == NEVER and not st.rules.began_whole):
        broker.begin = start if replay else broker.clock
    broker.event_clock = larger(broker.event_clock, time)
    series.clock = larger(series.clock, time)
    if likely(window != NULL):
        if likely(not st.rules.sized):
            add_tick(window, time, tick.price, offset, st.rules.by_offset)
        else:
            add_sized(window, sums_at(st, place), tick, offset, st.rules.by_offset)
    elif unlikely(
        not open_window(st, series, index, place, start, time, tick.price, offset)
    ):
        return False
    elif st.rules.sized:
        place = series.oldest if place == NONE else window_at(st, place).newer
        begin_sums(st, window_at(st, place), place, tick)
    if unlikely(st.rules.by_series) and is_due(st, series):
        return mark_due(st, series, index)
    return True


cdef inline int late(
    Store* st, Series* series, int64_t start, int64_t stored, Late* out
) noexcept nogil:
    cdef Broker* broker = &st.brokers[series.broker]
    cdef int64_t end = start + st.rules.period
    cdef int64_t clock = series.clock if st.rules.by_series else broker.clock
    cdef int64_t event_clock = series.clock if st.rules.by_series else broker.event_clock
    out.start = start
    out.series = series
    out.closed = larger(stored, watermark(st, clock))
    out.latest = clock
    if st.rules.by_series and end > broker.closed:
        series.closed = larger(series.closed, watermark(st, series.clock))
        series.sizes |= IS_DIRTY
    return LATE_BY_WATERMARK if is_past(st, end, event_clock) else LATE_BY_SILENCE


cdef inline Window* find_window(
    Store* st, const Series* series, int64_t time, int64_t* start, uint32_t* place
) noexcept nogil:
    """The open window of a time, or NULL; the start of its bucket; the window at or before it."""
    cdef Window* window
    cdef uint32_t at = series.newest
    if likely(at != NONE):
        window = window_at(st, at)
        if likely(<uint64_t>time - <uint64_t>window.bar.start < <uint64_t>st.rules.period):
            start[0] = window.bar.start
            place[0] = at
            return window
    start[0] = floor_to(time, st.rules.period)
    while at != NONE and window_at(st, at).bar.start > start[0]:
        at = window_at(st, at).older
    place[0] = at
    if at != NONE and window_at(st, at).bar.start == start[0]:
        return window_at(st, at)
    return NULL


cdef inline int take_tick(
    Store* st, const Fields* tick, uint32_t hash, uint32_t guess, int64_t offset, int64_t wall,
    bint replay, Late* out,
) noexcept nogil:
    """Rules 4 to 6: ACCEPTED, LATE_… (replay: without a trace), SIZE_RANGE or NO_MEMORY."""
    cdef uint32_t index = guess
    cdef uint32_t place = NONE
    cdef int64_t start = 0
    cdef int64_t end, stored, clock, begin
    cdef int answer = ACCEPTED
    cdef Series* series = guessed_series(st, tick.names[0], tick.names[1], &index)
    cdef Broker* broker
    cdef Window* window
    if unlikely(series == NULL):
        series = find_series(st, tick.names[0], tick.names[1], hash, &index)
        if series == NULL:
            return NO_MEMORY
    broker = &st.brokers[series.broker]
    window = find_window(st, series, tick.time, &start, &place)
    if unlikely(st.ask_hours != NULL) and not replay:
        if not broker.hours_from <= tick.time < broker.hours_to:
            if not st.ask_hours(st.owner, series.broker, tick.time):
                return NO_MEMORY
        if not broker.trades:
            out.start, out.closed, out.latest, out.series = start, NEVER, tick.time, series
            return st.outside
    series.last_offset = offset
    end = start + st.rules.period
    stored = larger(series.closed, broker.closed)
    clock = series.clock if st.rules.by_series else broker.clock
    if likely(end > stored and (replay or not is_past(st, end, clock))):
        if unlikely(st.rules.sized) and not fits(st, window, place, tick):
            return SIZE_RANGE
        begin = broker.begin
        if unlikely(not accept(st, series, index, place, window, start, tick, offset, replay)):
            return NO_MEMORY
        if unlikely(replay):
            broker.begin = begin
    elif replay:
        return LATE_BY_WATERMARK
    elif unlikely(st.rules.sized) and not fits(st, NULL, NONE, tick):
        return SIZE_RANGE
    else:
        answer = late(st, series, start, stored, out)
    if likely(not replay):
        broker.arrival_clock = broker.clock
        broker.mark = series.mark = st.observed
        broker.arrival_wall = series.arrival_wall = wall
        st.paused = broker.clock >= broker.pause
    return answer


# -- closing ---------------------------------------------------------------------------------------

cdef inline void allow(Store* st, Broker* broker, int64_t through) noexcept nogil:
    """Let it be closed through that time, or as far as it is; also once it was loaded."""
    cdef int64_t top = larger(through, broker.closed)
    broker.allowed = through
    broker.pause = INT64_MAX
    if st.rules.book and not st.rules.by_series:
        broker.pause = INT64_MIN + 1
        if top != NEVER:
            broker.pause = plus(plus(floor_to(top, st.rules.period), st.rules.period), st.rules.grace)


cdef inline void forget_allowed(Store* st) noexcept nogil:
    """Whoever takes the bars is asked anew."""
    cdef uint32_t at
    st.lifted = False
    for at in range(st.broker_count):
        allow(st, &st.brokers[at], NEVER)


cdef inline bint is_held(const Broker* broker) noexcept nogil:
    return broker.clock != NEVER and broker.clock >= broker.pause


cdef inline bint drain_broker(Store* st, Broker* broker) noexcept nogil:
    cdef int64_t through = watermark(st, broker.clock)
    if is_held(broker):
        through = larger(broker.allowed, broker.closed)
    if through > broker.closed:
        broker.closed = through
        st.lifted = True
    while (
        broker.head < broker.tail
        and broker.buckets[broker.head].start + st.rules.period <= through
    ):
        if unlikely(not close_bucket(st, broker)):
            return False
    return True


cdef inline bint drain_series(Store* st) noexcept nogil:
    cdef int64_t at
    cdef Series* series
    st.lifted = st.lifted or st.due_count > 0
    for at in range(st.due_count):
        series = series_at(st, st.due[at])
        series.closed = larger(series.closed, watermark(st, series.clock))
        series.sizes = (series.sizes | IS_DIRTY) & ~<uint32_t>IS_DUE
        while (
            series.oldest != NONE
            and window_at(st, series.oldest).bar.start + st.rules.period <= series.closed
        ):
            if unlikely(not close_oldest(st, series)):
                return False
    st.due_count = 0
    return True


cdef inline bint drain(Store* st) noexcept nogil:
    """Close everything that is due; False without memory."""
    cdef uint32_t at
    if st.rules.by_series:
        return drain_series(st)
    for at in range(st.broker_count):
        if unlikely(not drain_broker(st, &st.brokers[at])):
            return False
    return True


# -- silence ---------------------------------------------------------------------------------------

cdef inline bint advance_series(Store* st) noexcept nogil:
    """Close through the watermark that the series would have, had its clock run on."""
    cdef uint32_t at
    cdef Series* series
    cdef int64_t silent, limit
    for at in range(st.series_count):
        series = series_at(st, at)
        silent = minus(st.observed, series.mark)
        if series.oldest == NONE or silent < st.rules.idle:
            continue
        limit = watermark(st, plus(series.clock, silent))
        if limit > series.closed:
            # Told even if no bar closes: silence is not in the log to be read again.
            series.closed = limit
            series.sizes |= IS_DIRTY
        if window_at(st, series.oldest).bar.start + st.rules.period <= series.closed:
            if unlikely(not mark_due(st, series, at)):
                return False
    return True


cdef inline bint advance(Store* st, int64_t observed) noexcept nogil:
    """Observed silence in total so far; False without memory."""
    cdef uint32_t at
    cdef Broker* broker
    cdef int64_t silent
    if not drain(st):
        return False
    st.observed = larger(st.observed, observed)
    if st.rules.idle >= 0:
        for at in range(st.broker_count):
            broker = &st.brokers[at]
            silent = minus(st.observed, broker.mark)
            if silent >= st.rules.idle and broker.clock != NEVER:
                broker.clock = larger(broker.clock, plus(broker.arrival_clock, silent))
        if st.rules.by_series and not advance_series(st):
            return False
    return drain(st)


cdef inline void resume_silence(Store* st, int64_t wall) noexcept nogil:
    """What passed since the last arrival counts as observed."""
    cdef uint32_t at
    cdef Broker* broker
    for at in range(st.broker_count):
        broker = &st.brokers[at]
        if broker.arrival_wall != NEVER:
            broker.mark = minus(st.observed, larger(0, minus(wall, broker.arrival_wall)))
    for at in range(st.series_count):
        series_at(st, at).mark = st.brokers[series_at(st, at).broker].mark
