"""What few schemas are asked for: sizes, what a tick may touch, a price between two sides.

codec/read.py is the specification.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t

from barengine.kernel._price cimport (
    PRICE_NOT_FINITE,
    PRICE_RANGE,
    TOO_WIDE,
    half_sum,
    mid_of_doubles,
)
from barengine.kernel._program cimport (
    FLAGS,
    KIND_DECIMAL_BYTES,
    KIND_DECIMAL_FIXED,
    KIND_DOUBLE,
    KIND_LONG,
    KIND_NULL,
    KIND_TOUCH_BITS,
    KIND_TOUCH_ENUM,
    MISSING_FIELD,
    NOWHERE,
    SIZE_NOT_FINITE,
    SIZE_RANGE,
    SIZE_SCALE,
    SLOT_ASK,
    SLOT_PRICE,
    SLOT_SIZE,
    SLOT_TOUCH,
    TOUCHES_NOTHING,
    TOUCH_BOTH,
    TOUCH_PRICE,
    TOUCH_VOLUME,
    UNDECODABLE,
    Fields,
    Frame,
    Plan,
    Side,
    WidePrice,
    noted,
    read_price,
    read_symbol,
)
from barengine.kernel._wire cimport Bytes, Cursor, load64, read_bytes, read_varint, unlikely


cdef inline int touch_of_word(Bytes word, int32_t* out) noexcept nogil:
    """codec.convert.touch_from_word: 0 or why it is none."""
    if is_word(word, b"both", 4):
        out[0] = TOUCH_BOTH
    elif is_word(word, b"price", 5):
        out[0] = TOUCH_PRICE
    elif is_word(word, b"volume", 6):
        out[0] = TOUCH_VOLUME
    elif is_word(word, b"none", 4):
        return TOUCHES_NOTHING
    else:
        return FLAGS
    return 0


cdef inline bint is_word(Bytes text, const char* word, int64_t n) noexcept nogil:
    """Whether it is that word, in any case of letters."""
    cdef int64_t at
    cdef uint8_t byte
    if text.n != n:
        return False
    for at in range(n):
        byte = text.p[at]
        if 0x41 <= byte <= 0x5A:
            byte |= 0x20
        if byte != <uint8_t>word[at]:
            return False
    return True


cdef inline int read_touch(
    Cursor* c, const Plan* plan, const int32_t* words, int32_t* out
) noexcept nogil:
    """What the tick may touch; ``words`` begin with its kind. 0 or why that is not known."""
    cdef Bytes word
    cdef int64_t bits = 0
    if words[0] == KIND_TOUCH_BITS:
        if not read_varint(c, &bits):
            return UNDECODABLE
        if bits < 0 or bits > TOUCH_BOTH:
            return FLAGS
        out[0] = <int32_t>bits
        return 0 if bits else TOUCHES_NOTHING
    if words[0] == KIND_TOUCH_ENUM:
        if not read_symbol(c, plan, words[1], &word):
            return UNDECODABLE
    elif not read_bytes(c, &word):
        return UNDECODABLE
    return touch_of_word(word, out)


cdef inline int read_size(
    Cursor* c, const int32_t* words, WidePrice wide, int64_t* out
) except -1 nogil:
    cdef int answer = read_price(c, words, SIZE_SCALE, wide, out)
    if answer == PRICE_NOT_FINITE:
        return SIZE_NOT_FINITE
    if answer == PRICE_RANGE:
        return SIZE_RANGE
    return SIZE_RANGE if answer == 0 and out[0] < 0 else answer


cdef inline int read_side(
    Cursor* c, const int32_t* words, int32_t price_scale, WidePrice wide, Side* out
) except -1 nogil:
    out.words = words
    out.p = c.p
    cdef int answer = read_price(c, words, price_scale, wide, &out.price)
    out.n = c.p - out.p
    return answer


cdef inline bint is_exact(const Side* side, int32_t price_scale) noexcept nogil:
    """Whether its price is the very number, not a rounded one."""
    cdef int32_t kind = side.words[0]
    if kind == KIND_DECIMAL_BYTES or kind == KIND_DECIMAL_FIXED:
        return side.words[1] <= price_scale
    return kind == KIND_LONG


cdef inline int midpoint(
    const Plan* plan, const Side* bid, const Side* ask, int32_t price_scale, int64_t* out
) except -1 nogil:
    """The mean of both sides, rounded once: codec.tick.mid."""
    cdef int answer = TOO_WIDE
    if is_exact(bid, price_scale) and is_exact(ask, price_scale):
        out[0] = half_sum(bid.price, ask.price)
        return 0
    if bid.words[0] == KIND_DOUBLE and ask.words[0] == KIND_DOUBLE:
        answer = mid_of_doubles(load64(bid.p), load64(ask.p), price_scale, out)
    if answer == TOO_WIDE:
        return plan.mid(bid, ask, price_scale, out)
    return answer


cdef inline int store_else(
    const Plan* plan, Cursor* c, int32_t pc, int32_t price_scale, WidePrice wide, Frame* frame,
    Fields* out,
) except -1 nogil:
    """Run a STORE of a size, of what may be touched or of a side of the price; the next word."""
    cdef const int32_t* words = plan.words + pc
    cdef int32_t slot = words[1]
    cdef int answer = 0
    if words[2] == KIND_NULL:
        answer = MISSING_FIELD if slot == SLOT_PRICE or slot == SLOT_ASK else 0
    elif slot == SLOT_SIZE:
        answer = read_size(c, words + 2, wide, &out.size)
    elif slot == SLOT_TOUCH:
        answer = read_touch(c, plan, words + 2, &out.touch)
    else:
        answer = read_side(c, words + 2, price_scale, wide, &frame.sides[slot == SLOT_ASK])
    if unlikely(answer == UNDECODABLE):
        return NOWHERE
    frame.lacks = noted(frame.lacks, slot, answer)
    return pc + 5
