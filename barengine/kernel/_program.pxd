"""The compiled interpreter of field plans (codec/plan.py); codec/read.py is its specification.

Plans come here proven whole (_plans.prepare): the words can be trusted, the value never is.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from barengine.kernel._names cimport Name, is_utf8, named
from barengine.kernel._price cimport (
    TOO_WIDE,
    price_from_decimal,
    price_from_double,
    price_from_long,
    widened,
)
from barengine.kernel._wire cimport (
    Bytes,
    Cursor,
    first_bit,
    likely,
    load32,
    load64,
    read_bytes,
    read_varint,
    unlikely,
)


cdef extern from *:
    """
    #define be_mul_overflows(a, b, out) __builtin_mul_overflow(a, b, out)
    #define be_max_event (1ll << 62)
    """
    const int64_t MAX_EVENT "be_max_event"  # model.MAX_EVENT_NS
    bint multiply_overflows "be_mul_overflows"(int64_t a, int64_t b, int64_t* out) noexcept nogil


# A STORE is loaded as STORE_AS + its kind, so that one jump decides everything.
cdef enum:  # codec.plan.Op
    OP_END = 0
    OP_SKIP_VARINT = 1
    OP_SKIP_BYTES = 2
    OP_SKIP_FIXED = 3
    OP_UNION = 4
    OP_JUMP = 5
    OP_BLOCKS = 6
    OP_NEXT = 7
    OP_STORE = 8
    STORE_AS = 16

cdef enum:  # codec.plan.Slot
    SLOT_BROKER = 0
    SLOT_SYMBOL = 1
    SLOT_TIME = 2
    SLOT_PRICE = 3

cdef enum:  # codec.plan.Kind
    KIND_NULL = 0
    KIND_NAME = 1
    KIND_NAME_ENUM = 2
    KIND_TIME = 3
    KIND_LONG = 4
    KIND_FLOAT = 5
    KIND_DOUBLE = 6
    KIND_DECIMAL_BYTES = 7
    KIND_DECIMAL_FIXED = 8
    KIND_DECIMAL_TEXT = 9

cdef enum:  # model.Reason
    UNDECODABLE = 3
    MISSING_FIELD = 4
    TIME_RANGE = 9

cdef enum:
    MAX_LOOPS = 8  # codec.plan.MAX_DEPTH
    NOWHERE = -2   # in place of the next word: the value is UNDECODABLE

# Converts what needs Python's integers: takes the GIL, returns 0 or a reason.
ctypedef int (*WidePrice)(
    int32_t kind, const uint8_t* p, int64_t n, int32_t scale, int32_t price_scale, int64_t* out
) except -1 nogil


cdef struct Plan:
    int32_t* words
    Bytes* symbols          # of all NAME_ENUM tables, one behind the other
    int32_t* first_symbol   # table t is symbols[first_symbol[t]:first_symbol[t + 1]]
    uint8_t* text           # what ``symbols`` point into
    uint32_t lacks          # where nothing is read: MISSING_FIELD in the byte of each slot


cdef struct Fields:
    Name names[2]     # by slot: broker, symbol
    int64_t time
    int64_t price


cdef struct Loop:
    int32_t begin          # the word of its BLOCKS
    uint64_t left          # items of the block, with the one being read
    const uint8_t* item    # where that one began


cdef struct Frame:  # of one run
    int depth       # loops around the place
    uint32_t lacks  # a byte for each slot: 0, or the reason why it is empty
    Loop loops[MAX_LOOPS]


cdef inline bint read_symbol(
    Cursor* c, const Plan* plan, int32_t table, Bytes* out
) noexcept nogil:
    cdef int64_t index = 0
    cdef int32_t first = plan.first_symbol[table]
    if not read_varint(c, &index) or index < 0 or index >= plan.first_symbol[table + 1] - first:
        return False
    out[0] = plan.symbols[first + index]
    return True


cdef inline int to_time(int64_t value, int32_t unit_ns, int64_t* out) noexcept nogil:
    if unlikely(
        multiply_overflows(value, unit_ns, out) or out[0] > MAX_EVENT or out[0] < -MAX_EVENT
    ):
        return TIME_RANGE
    return 0


cdef inline uint32_t noted(uint32_t lacks, int32_t slot, int reason) noexcept nogil:
    """``lacks`` with another reason (0: filled) for a slot."""
    return lacks & ~(<uint32_t>0xFF << 8 * slot) | <uint32_t>reason << 8 * slot


cdef inline int read_double(Cursor* c, int32_t price_scale, int64_t* out) noexcept nogil:
    if unlikely(c.end - c.p < 8):
        return UNDECODABLE
    c.p += 8
    return price_from_double(load64(c.p - 8), price_scale, out)


cdef inline int read_price(
    Cursor* c, const int32_t* words, int32_t price_scale, WidePrice wide, int64_t* out
) except -1 nogil:
    """A price that is no double; ``words`` begin with its kind. 0 or why it is none."""
    cdef Bytes content
    cdef int64_t whole = 0
    cdef int32_t kind = words[0]
    cdef int answer
    if kind == KIND_LONG:
        return price_from_long(whole, price_scale, out) if read_varint(c, &whole) else UNDECODABLE
    if kind == KIND_FLOAT or kind == KIND_DECIMAL_FIXED:
        content.p = c.p
        content.n = 4 if kind == KIND_FLOAT else words[2]
        if content.n > c.end - c.p:
            return UNDECODABLE
        c.p += content.n
    elif not read_bytes(c, &content):
        return UNDECODABLE
    if kind == KIND_FLOAT:
        return price_from_double(widened(load32(content.p)), price_scale, out)
    if kind != KIND_DECIMAL_TEXT:
        answer = price_from_decimal(content.p, content.n, words[1], price_scale, out)
        if answer != TOO_WIDE:
            return answer
    return wide(kind, content.p, content.n, words[1], price_scale, out)


cdef inline int next_item(const Cursor* c, Frame* frame) noexcept nogil:
    """The word at which NEXT goes on."""
    cdef Loop* loop
    if unlikely(frame.depth == 0):
        return NOWHERE
    loop = &frame.loops[frame.depth - 1]
    # An item of no bytes leaves everything as it was, and so would all that follow it.
    if loop.left > 1 and loop.item != c.p:
        loop.left -= 1
        loop.item = c.p
        return loop.begin + 2
    frame.depth -= 1
    return loop.begin


cdef inline int enter_block(
    Cursor* c, const int32_t* words, int32_t pc, Frame* frame
) noexcept nogil:
    """The word at which BLOCKS goes on."""
    cdef Loop* loop
    cdef int64_t count = 0
    cdef int64_t size = 0
    if unlikely(not read_varint(c, &count)):
        return NOWHERE
    if count == 0:
        return words[pc + 1]
    if count < 0 and not read_varint(c, &size):
        return NOWHERE
    if frame.depth >= MAX_LOOPS:
        return NOWHERE
    loop = &frame.loops[frame.depth]
    loop.begin = pc
    loop.left = 0 - <uint64_t>count if count < 0 else <uint64_t>count
    loop.item = c.p
    frame.depth += 1
    return pc + 2


cdef inline int skip(Cursor* c, const int32_t* words, int32_t pc, Frame* frame) noexcept nogil:
    """Run an instruction that stores nothing; the next word."""
    cdef int32_t op = words[pc]
    cdef int64_t n = 0
    cdef Bytes content
    if op == OP_SKIP_VARINT:
        return pc + 1 if read_varint(c, &n) else NOWHERE
    elif op == OP_SKIP_BYTES:
        return pc + 1 if read_bytes(c, &content) else NOWHERE
    elif op == OP_SKIP_FIXED:
        n = words[pc + 1]
        if unlikely(n > c.end - c.p):
            return NOWHERE
        c.p += n
        return pc + 2
    elif op == OP_UNION:
        if unlikely(not read_varint(c, &n) or n < 0 or n >= words[pc + 1]):
            return NOWHERE
        return words[pc + 2 + n]
    elif op == OP_JUMP:
        return words[pc + 1]
    elif op == OP_BLOCKS:
        return enter_block(c, words, pc, frame)
    return next_item(c, frame)


cdef inline int store_rarely(
    const Plan* plan, Cursor* c, int32_t pc, int32_t price_scale, WidePrice wide, Frame* frame,
    Fields* out,
) except -1 nogil:
    """Run a STORE of a kind that few schemas have; the next word."""
    cdef const int32_t* words = plan.words + pc
    cdef int32_t slot = words[1]
    cdef Bytes content
    cdef int answer = 0
    if words[0] == STORE_AS + KIND_NULL:
        answer = MISSING_FIELD
    elif words[0] == STORE_AS + KIND_NAME_ENUM:
        if unlikely(not read_symbol(c, plan, words[3], &content)):
            return NOWHERE
        out.names[slot] = named(content)
    else:
        answer = read_price(c, words + 2, price_scale, wide, &out.price)
        if unlikely(answer == UNDECODABLE):
            return NOWHERE
    frame.lacks = noted(frame.lacks, slot, answer)
    return pc + 5


cdef inline int run_plan(
    const Plan* plan, Cursor c, int32_t price_scale, WidePrice wide, Fields* out
) except -1 nogil:
    """Read one value. 0, or why it is no tick; -1 with a Python exception from ``wide``.

    What most schemas have is done here. For the rest the cursor is copied: one whose address is
    passed on could not live in registers.
    """
    cdef Frame frame
    cdef Cursor copy
    cdef Bytes content
    cdef const int32_t* words = plan.words
    cdef int32_t pc = 0
    cdef int32_t op
    cdef int answer
    cdef int64_t n = 0
    frame.depth = 0
    frame.lacks = plan.lacks
    out.time = 0
    while True:
        op = words[pc]
        if likely(op == STORE_AS + KIND_NAME):
            n = words[pc + 1]
            if unlikely(not read_bytes(&c, &content)):
                return UNDECODABLE
            out.names[n] = named(content)
            if unlikely(not is_utf8(out.names[n])):
                return UNDECODABLE
            frame.lacks = noted(frame.lacks, <int32_t>n, 0)
            pc += 5
        elif likely(op == STORE_AS + KIND_TIME):
            if unlikely(not read_varint(&c, &n)):
                return UNDECODABLE
            answer = to_time(n, words[pc + 3], &out.time)
            frame.lacks = noted(frame.lacks, SLOT_TIME, answer)
            pc += 5
        elif likely(op == STORE_AS + KIND_DOUBLE):
            answer = read_double(&c, price_scale, &out.price)
            if unlikely(answer == UNDECODABLE):
                return UNDECODABLE
            frame.lacks = noted(frame.lacks, SLOT_PRICE, answer)
            pc += 5
        elif likely(op == OP_END):
            break
        else:
            copy = c
            if op >= STORE_AS:
                pc = store_rarely(plan, &copy, pc, price_scale, wide, &frame, out)
            else:
                pc = skip(&copy, words, pc, &frame)
            if unlikely(pc < 0):
                return UNDECODABLE
            c = copy
    if unlikely(c.p != c.end):
        return UNDECODABLE
    if likely(frame.lacks == 0):
        return 0
    return (frame.lacks >> (first_bit(frame.lacks) & ~7)) & 0xFF  # the first slot's
