"""One batch through decoding and rules: the loop that everything else is there for.

Records are decoded in groups and then applied one by one. What decoding finds does not depend
on what earlier records do to the table, and meanwhile the memory that a tick needs can be on
its way: a series lies behind four loads, each of which needs the one before.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from barengine.kernel._batch cimport (
    AT_SCHEMA,
    AT_STOP,
    GROUP,
    MALFORMED,
    ON,
    OUT_OF_MEMORY,
    Pending,
    Rejected,
    Walk,
    add_name,
    add_reject,
    is_skipped,
)
from barengine.kernel._names cimport Name
from barengine.kernel._program cimport NO_SIZE, TIME_RANGE, Fields, WidePrice, to_time
from barengine.kernel._rules cimport (
    ACCEPTED,
    FUTURE,
    LATE_BY_WATERMARK,
    NO_MEMORY,
    Late,
    larger,
    take_tick,
)
from barengine.kernel._run cimport read_usual, run_plan
from barengine.kernel._schemas cimport BY_PLAN, SLOWLY, Schema, Schemas, find_schema
from barengine.kernel._lookup cimport (
    prefetch_series,
    prefetch_slot,
    prefetch_window,
    series_hash,
    symbol_of,
)
from barengine.kernel._sizes cimport counts
from barengine.kernel._store cimport Store, plus
from barengine.kernel._wire cimport (
    Bytes,
    Cursor,
    Record,
    big32,
    likely,
    prefetch,
    prefetch_far,
    read_record,
    unlikely,
)


cdef enum:  # model.Reason, where no other file needs them
    FRAMING = 1
    UNKNOWN_SCHEMA = 2
    EMPTY_NAME = 5
    NAME_TOO_LONG = 6
    NULL_VALUE = 10

cdef enum:  # no reasons: what the walk must do first
    NEED_SCHEMA = -3
    NEXT_GROUP = -4

cdef enum:
    FRAME_BYTES = 5
    MAX_NAME = 256       # model.MAX_NAME_BYTES
    NS_IN_MS = 1000000
    AHEAD = 1024         # bytes of payload asked for early: some fifteen records

# Runs a slow decoder: takes the GIL, returns 0 or a reason. Names live until its next call.
ctypedef int (*SlowDecode)(
    void* owner, uint32_t schema_id, Cursor value, Fields* out
) except -1 nogil


cdef struct Decoder:
    Schemas schemas
    int32_t price_scale
    bint framed
    bint by_id
    bint record_time
    WidePrice wide
    SlowDecode slow
    void* owner


cdef inline int check_tick(
    const Decoder* how, const Walk* walk, const Record* record, Fields* out
) noexcept nogil:
    """What holds for every tick, however it was read: 0 or the reason why it is none."""
    cdef int64_t time_ms
    cdef int slot
    if how.record_time:
        time_ms = walk.append_time_ms
        if not walk.has_append_time:
            time_ms = plus(walk.base_time_ms, record.time_delta)
        if unlikely(to_time(time_ms, NS_IN_MS, &out.time) != 0):
            return TIME_RANGE
    for slot in range(2):
        if unlikely(out.names[slot].n == 0):
            return EMPTY_NAME
        if unlikely(out.names[slot].n > MAX_NAME):
            return NAME_TOO_LONG
    return 0


cdef inline int decode(
    Store* st, Decoder* how, Walk* walk, Pending* one, bint first
) except -1 nogil:
    """Rule 2: 0, the reason why the record is no tick, NEED_SCHEMA or NEXT_GROUP."""
    cdef Cursor value
    cdef Schema* schema
    cdef uint32_t schema_id = 0
    cdef int reason
    if unlikely(one.record.value.n < 0):
        return NULL_VALUE
    value.p = one.record.value.p
    value.end = value.p + one.record.value.n
    if how.framed:
        if unlikely(one.record.value.n < FRAME_BYTES or value.p[0] != 0):
            return FRAMING
        if how.by_id:
            schema_id = big32(value.p + 1)
        value.p += FRAME_BYTES
    schema = find_schema(&how.schemas, schema_id)
    if unlikely(schema == NULL):
        walk.need_schema = schema_id
        return NEED_SCHEMA
    if likely(schema.how == BY_PLAN):
        reason = 0
        if not schema.plan.usual or unlikely(
            not read_usual(&schema.plan, value, walk.cursor.end, how.price_scale, &one.tick)
        ):
            reason = run_plan(
                &schema.plan, value, walk.cursor.end, how.price_scale, how.wide, &one.tick
            )
    elif schema.how == SLOWLY:
        # Its names live until the next slow decoding, and it may raise.
        if not first:
            return NEXT_GROUP
        reason = how.slow(how.owner, schema_id, value, &one.tick)
    else:
        reason = UNKNOWN_SCHEMA
    if likely(reason == 0):
        reason = check_tick(how, walk, &one.record, &one.tick)
    if likely(reason == 0):
        one.hash = series_hash(st, one.tick.names[0], one.tick.names[1])
        prefetch_slot(st, one.hash)
    return reason


cdef inline int decode_group(Store* st, Decoder* how, Walk* walk) except -1 nogil:
    """Decode the next records into ``walk.ahead``; ON, or how the walk ends behind them."""
    cdef Pending* one = walk.ahead
    cdef Cursor c = walk.cursor  # copies can live in registers
    cdef int64_t count = walk.count
    cdef int64_t top = walk.top
    cdef int end = ON
    cdef const uint8_t* at
    cdef const uint8_t* next_data = walk.behind - count * walk.behind_step
    walk.group.p, walk.group.count, walk.group.top = c.p, count, top
    while one < walk.ahead + GROUP:
        if unlikely(count <= 0):
            walk.next_offset = walk.stop
            end = AT_STOP if c.p == c.end else MALFORMED
            break
        at = c.p
        prefetch(c.p + AHEAD)
        prefetch_far(next_data)
        next_data += walk.behind_step
        if unlikely(not read_record(&c, &one.record)):
            end = MALFORMED
            break
        one.offset = plus(walk.base_offset, one.record.offset_delta)
        top = larger(top, one.offset)
        count -= 1
        if unlikely(one.offset < walk.start):
            continue
        if unlikely(walk.skip_count != 0) and is_skipped(walk, one.offset):
            continue
        if unlikely(one.offset >= walk.stop):
            walk.next_offset = walk.stop
            end = AT_STOP
            break
        one.reason = decode(st, how, walk, one, one == walk.ahead)
        if unlikely(one.reason == NEED_SCHEMA):
            walk.next_offset = one.offset
            end = AT_SCHEMA
            break
        if unlikely(one.reason == NEXT_GROUP):
            c.p, count = at, count + 1
            break
        one += 1
    walk.ahead_count = one - walk.ahead
    walk.cursor.p, walk.count, walk.top = c.p, count, top
    return end


cdef inline bint reject(
    Walk* walk, const Pending* one, int reason, const Late* missed, bint late
) noexcept nogil:
    """Note a record that goes into no window; False without memory."""
    cdef Rejected* noted = add_reject(walk, one, reason)
    cdef const Name* broker = &one.tick.names[0]
    cdef Bytes symbol
    if noted == NULL:
        return False
    if late or reason == FUTURE:
        if not add_name(walk, broker.p, broker.n):
            return False
        noted.broker_size = broker.n
    if not late:
        return True
    symbol = symbol_of(missed.series)
    if not add_name(walk, symbol.p, symbol.n):
        return False
    noted.symbol_size = symbol.n
    noted.start, noted.closed = missed.start, missed.closed
    noted.lateness = (
        <uint64_t>larger(missed.latest, missed.closed) - <uint64_t>one.tick.time
    )
    noted.time, noted.price = one.tick.time, one.tick.price
    noted.size = one.tick.size if counts(&one.tick) else NO_SIZE
    noted.touch = one.tick.touch
    return True


cdef inline bint apply(Store* st, Walk* walk, const Pending* one) noexcept nogil:
    """Apply rules 3 to 6 to one record; False without memory."""
    cdef Late missed
    cdef int reason = one.reason
    missed.start = missed.closed = missed.latest = 0
    missed.series = NULL
    walk.records += 1
    if likely(reason == 0):
        if unlikely(one.tick.time > walk.future and not walk.replay):
            reason = FUTURE
        else:
            reason = take_tick(
                st, &one.tick, one.hash, one.guess, one.offset, walk.wall, walk.replay, &missed
            )
            if likely(reason == ACCEPTED):
                walk.accepted += 1
                return True
            if unlikely(reason == NO_MEMORY):
                return False
    if walk.replay and reason != UNKNOWN_SCHEMA:
        return True
    if reason >= LATE_BY_WATERMARK:
        walk.most_late -= 1
        if walk.most_late == 0:
            st.paused = True
    return reject(walk, one, reason, &missed, reason >= LATE_BY_WATERMARK)


cdef inline int apply_group(Store* st, Walk* walk) noexcept nogil:
    """Apply rules to what was decoded: ON, or how the walk ends."""
    cdef int64_t at
    for at in range(walk.ahead_count):
        if likely(walk.ahead[at].reason == 0):
            walk.ahead[at].guess = prefetch_series(st, walk.ahead[at].hash)
    for at in range(walk.ahead_count):
        if likely(walk.ahead[at].reason == 0):
            prefetch_window(st, walk.ahead[at].guess)
    for at in range(walk.ahead_count):
        if unlikely(not apply(st, walk, &walk.ahead[at])):
            return OUT_OF_MEMORY
        if unlikely(st.paused):
            st.paused = False
            walk.next_offset = walk.ahead[at].offset + 1
            return AT_STOP
    return ON


cdef inline int walk_batch(Store* st, Decoder* how, Walk* walk) except -1 nogil:
    """Every record of the batch up to stop; how that ended."""
    cdef int end = ON
    cdef int applied
    while end == ON:
        end = decode_group(st, how, walk)
        applied = apply_group(st, walk)
        if unlikely(applied != ON):
            return applied
    return end
