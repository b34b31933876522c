"""Closed bars and states of series to Kafka records: codec/bar.py, codec/state.py and
codec/records.py in bulk. Python-free."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from barengine.kernel._store cimport NO_DATE, Closed, ClosedBars, grown
from barengine.kernel._sums cimport (
    IS_PARTIAL,
    IS_SIZED,
    Wide,
    put_wide,
    vwap_of,
    wide_size,
)
from barengine.kernel._wire cimport Bytes, likely, unlikely


cdef extern from *:
    """
    /* Bits of an integer, 0 for 0. */
    #define be_bits(x) ((x) ? 64 - __builtin_clzll(x) : 0)
    """
    int bits_of "be_bits"(uint64_t x) noexcept nogil


cdef enum:
    NS_PER_MS = 1000000
    NUMBERS = 384     # more than all numbers, flags and lengths of one record
    BACKSLASH = 0x5C
    BAR = 0x7C
    STATE_VERSION = 1  # codec.state.VERSION

cdef struct Format:  # _protocol.BlockForm
    Bytes period_name
    Bytes key_header
    Bytes value_header
    bint by_offset
    bint avro_keys
    bint skip_partial
    bint live


cdef struct Remembered:  # a series' state record
    int64_t closed
    int64_t clock
    uint64_t names       # in the kernel: the series; in a block: where its names begin
    uint16_t broker_size
    uint16_t symbol_size


cdef struct Output:
    uint8_t* data
    int64_t used
    int64_t capacity


cdef struct Segment:  # one EncodedRecords
    int64_t begin
    int64_t end
    int64_t count
    int64_t base_ms
    int64_t max_ms


cdef struct Segments:
    Segment* items
    int64_t count
    int64_t capacity


cdef inline bint reserve(Output* out, int64_t more) noexcept nogil:
    cdef void* moved
    if likely(out.capacity - out.used >= more):
        return True
    moved = grown(out.data, &out.capacity, out.used + more, 1)
    if moved == NULL:
        return False
    out.data = <uint8_t*>moved
    return True


cdef struct Packing:  # Payloads
    Output out
    Segments all
    int64_t max_bytes


# -- primitives: each writes at p and returns the place behind -----------------------------------

cdef inline uint64_t zigzag(int64_t value) noexcept nogil:
    return (<uint64_t>value << 1) ^ (0 - (<uint64_t>value >> 63))


cdef inline uint8_t* put_varint(uint8_t* p, int64_t value) noexcept nogil:
    cdef uint64_t rest = zigzag(value)
    while rest > 0x7F:
        p[0] = <uint8_t>(rest | 0x80)
        rest >>= 7
        p += 1
    p[0] = <uint8_t>rest
    return p + 1


cdef inline int varint_size(int64_t value) noexcept nogil:
    return (bits_of(zigzag(value) | 1) + 6) // 7


cdef inline uint8_t* put_raw(uint8_t* p, Bytes content) noexcept nogil:
    if content.n > 0:
        memcpy(p, content.p, <size_t>content.n)
    return p + content.n


cdef inline uint8_t* put_text(uint8_t* p, Bytes content) noexcept nogil:
    return put_raw(put_varint(p, content.n), content)


cdef inline uint8_t* put_nullable(uint8_t* p, Bytes content) noexcept nogil:
    """Null where its size is -1."""
    p = put_varint(p, content.n)
    return put_raw(p, content) if content.n > 0 else p


cdef inline uint8_t* put_escaped(uint8_t* p, Bytes name) noexcept nogil:
    cdef int64_t at
    for at in range(name.n):
        if name.p[at] == BACKSLASH or name.p[at] == BAR:
            p[0] = BACKSLASH
            p += 1
        p[0] = name.p[at]
        p += 1
    return p


cdef inline uint8_t* put_digits(uint8_t* p, int64_t value) noexcept nogil:
    cdef uint8_t digits[20]
    cdef int n = 0
    cdef uint64_t rest = <uint64_t>value
    if value < 0:
        p[0] = 0x2D
        p += 1
        rest = 0 - rest
    while True:
        digits[n] = <uint8_t>(0x30 + rest % 10)
        rest //= 10
        n += 1
        if rest == 0:
            break
    while n > 0:
        n -= 1
        p[0] = digits[n]
        p += 1
    return p


cdef inline uint8_t* put_price(uint8_t* p, int64_t value) noexcept nogil:
    """Length and big-endian two's complement; the length as codec.bar chooses it."""
    cdef uint64_t raw = <uint64_t>value
    cdef int size = (bits_of(0 - raw if value < 0 else raw) + 8) >> 3
    p = put_varint(p, size)
    if size > 8:
        p[0] = 0xFF if value < 0 else 0
        p += 1
        size = 8
    while size > 0:
        size -= 1
        p[0] = <uint8_t>(raw >> (8 * size))
        p += 1
    return p


cdef inline int64_t to_ms(int64_t time) noexcept nogil:
    return time // NS_PER_MS  # floor, as everywhere in Cython without cdivision


cdef inline uint8_t* put_ms(uint8_t* p, int64_t time) noexcept nogil:
    return put_varint(p, to_ms(time))


# -- one bar -------------------------------------------------------------------------------------

cdef inline uint8_t* put_key(
    uint8_t* p, const Format* form, Bytes broker, Bytes symbol, int64_t start
) noexcept nogil:
    if form.avro_keys and not form.live:
        return put_ms(put_text(put_text(put_raw(p, form.key_header), broker), symbol), start)
    if not form.live:
        p = put_raw(p, form.key_header)
    p = put_escaped(p, broker)
    p[0] = BAR
    p = put_escaped(p + 1, symbol)
    if form.live:
        return p
    p[0] = BAR
    return put_digits(p + 1, to_ms(start))


cdef inline uint8_t* put_decimal(uint8_t* p, Wide value) noexcept nogil:
    """A decimal that is not null, in the second branch of its union."""
    cdef int size = wide_size(value)
    p[0] = 2
    return put_wide(put_varint(p + 1, size), value, size)


cdef inline uint8_t* put_volumes(uint8_t* p, const Closed* one) noexcept nogil:
    """Volume, turnover, vwap."""
    cdef int64_t mean = 0
    if not one.flags & IS_SIZED:
        p[0] = p[1] = p[2] = 0
        return p + 3
    p = put_decimal(put_decimal(p, one.sums.volume), one.sums.turnover)
    if vwap_of(one.sums.turnover, one.sums.volume, one.bar.low, one.bar.high, &mean):
        p[0] = 2
        return put_price(p + 1, mean)
    p[0] = 0
    return p + 1


cdef inline uint8_t* put_status(uint8_t* p, const Format* form, const Closed* one) noexcept nogil:
    """Everything from the revision on."""
    p = put_varint(p, one.revision)
    p[0] = 0 if form.live else 1
    p[1] = one.origin << 1
    p += 2
    if one.cause == 0:
        p[0] = 0
    else:
        p[0] = 2
        p[1] = (one.cause - 1) << 1
        p += 1
    p[1] = 1 if one.flags & IS_PARTIAL else 0
    p += 2
    if one.trading_date == NO_DATE:
        p[0] = 0
        return p + 1
    p[0] = 2
    return put_varint(p + 1, one.trading_date)


cdef inline uint8_t* put_value(
    uint8_t* p, const Format* form, Bytes broker, Bytes symbol, const Closed* one
) noexcept nogil:
    p = put_text(put_text(put_raw(p, form.value_header), broker), symbol)
    p = put_text(p, form.period_name)
    p = put_ms(p, one.bar.start)
    p = put_ms(p, one.end)
    p = put_price(p, one.bar.open)
    p = put_price(p, one.bar.high)
    p = put_price(p, one.bar.low)
    p = put_price(p, one.bar.close)
    p = put_volumes(p, one)
    p = put_varint(p, one.bar.count)
    p = put_ms(p, one.bar.first_event)
    p = put_ms(p, one.bar.last_event)
    p = put_varint(p, one.bar.first_offset)
    p = put_varint(p, one.bar.last_offset)
    return put_status(p, form, one)


cdef inline Bytes no_headers() noexcept nogil:
    """Their count alone."""
    cdef Bytes none
    none.p = <const uint8_t*>b"\0"
    none.n = 1
    return none


cdef inline int64_t nullable_size(int64_t size) noexcept nogil:
    return varint_size(size) + (size if size > 0 else 0)


cdef inline int64_t body_size(
    int64_t offset_delta, int64_t time_delta, Bytes key, Bytes value, Bytes headers
) noexcept nogil:
    """Bytes of a record behind its length. Key and value are null where their size is -1."""
    return (
        1  # attributes
        + varint_size(time_delta)
        + varint_size(offset_delta)
        + nullable_size(key.n)
        + nullable_size(value.n)
        + headers.n
    )


cdef inline uint8_t* put_record(
    uint8_t* p, int64_t offset_delta, int64_t time_delta, Bytes key, Bytes value, Bytes headers
) noexcept nogil:
    p = put_varint(p, body_size(offset_delta, time_delta, key, value, headers))
    p[0] = 0
    p = put_varint(put_varint(p + 1, time_delta), offset_delta)
    p = put_nullable(put_nullable(p, key), value)
    if likely(headers.n == 1):  # none: no call for one byte
        p[0] = headers.p[0]
        return p + 1
    return put_raw(p, headers)


# -- all bars ------------------------------------------------------------------------------------

cdef inline Segment* begin_segment(Segments* all, int64_t begin, int64_t time_ms) noexcept nogil:
    cdef Segment* moved
    if all.count == all.capacity:
        moved = <Segment*>grown(all.items, &all.capacity, 16, sizeof(Segment))
        if moved == NULL:
            return NULL
        all.items = moved
    moved = &all.items[all.count]
    all.count += 1
    moved.begin = moved.end = begin
    moved.count = 0
    moved.base_ms = moved.max_ms = time_ms
    return moved


cdef inline bint add_record(
    Packing* to, int64_t time_ms, Bytes key, Bytes value, Bytes headers
) noexcept nogil:
    """Append a record to the last segment, or to a new one where that would get too large; False
    without memory."""
    cdef Output* out = &to.out
    cdef Segment* last = &to.all.items[to.all.count - 1] if to.all.count else NULL
    cdef int64_t size
    if last != NULL:
        size = body_size(last.count, time_ms - last.base_ms, key, value, headers)
        size += varint_size(size)
        if last.end - last.begin + size > to.max_bytes:
            last = NULL
    if last == NULL:
        last = begin_segment(&to.all, out.used, time_ms)
        if last == NULL:
            return False
    if unlikely(not reserve(out, key.n + value.n + headers.n + NUMBERS)):
        return False
    out.used = put_record(
        out.data + out.used, last.count, time_ms - last.base_ms, key, value, headers
    ) - out.data
    last.end = out.used
    last.count += 1
    if time_ms > last.max_ms:
        last.max_ms = time_ms
    return True


cdef inline bint encode_bars(
    const ClosedBars* bars, const uint8_t* names, const Format* form, Packing* to
) noexcept nogil:
    """Every bar that is not skipped as a record; False without memory."""
    cdef Output scratch
    cdef const Closed* one
    cdef int64_t at
    cdef Bytes broker, symbol, key, value
    cdef int64_t fixed = form.key_header.n + form.value_header.n + form.period_name.n + NUMBERS
    cdef bint good = True
    scratch.data = NULL
    scratch.used = scratch.capacity = 0
    for at in range(bars.count):
        one = &bars.items[at]
        if unlikely(form.skip_partial) and one.flags & IS_PARTIAL:
            continue
        broker.p = names + one.names
        broker.n = one.broker_size
        symbol.p = broker.p + broker.n
        symbol.n = one.symbol_size
        good = reserve(&scratch, fixed + 3 * (broker.n + symbol.n))
        if unlikely(not good):
            break
        key.p = scratch.data
        value.p = put_key(scratch.data, form, broker, symbol, one.bar.start)
        key.n = value.p - key.p
        value.n = put_value(<uint8_t*>value.p, form, broker, symbol, one) - value.p
        good = add_record(to, to_ms(one.bar.start), key, value, no_headers())
        if unlikely(not good):
            break
    free(scratch.data)
    return good


# -- state records of series ---------------------------------------------------------------------

cdef inline bint encode_series(
    const Remembered* items, int64_t count, const uint8_t* names, int64_t time_ms, Packing* to
) noexcept nogil:
    """Every series as a state record (codec/state.py); False without memory."""
    cdef Output scratch
    cdef const Remembered* one
    cdef int64_t at
    cdef Bytes broker, symbol, key, value
    cdef uint8_t* p
    cdef bint good = True
    scratch.data = NULL
    scratch.used = scratch.capacity = 0
    for at in range(count):
        one = &items[at]
        broker.p = names + one.names
        broker.n = one.broker_size
        symbol.p = broker.p + broker.n
        symbol.n = one.symbol_size
        good = reserve(&scratch, 2 * (broker.n + symbol.n) + NUMBERS)
        if unlikely(not good):
            break
        key.p = scratch.data
        memcpy(scratch.data, b"series|", 7)
        p = put_escaped(scratch.data + 7, broker)
        p[0] = BAR
        value.p = put_escaped(p + 1, symbol)
        key.n = value.p - key.p
        p = <uint8_t*>value.p
        p[0] = STATE_VERSION
        value.n = put_varint(put_varint(p + 1, one.closed), one.clock) - value.p
        good = add_record(to, time_ms, key, value, no_headers())
        if unlikely(not good):
            break
    free(scratch.data)
    return good
