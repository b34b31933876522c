"""The compiled interpreter of field plans; codec/read.py is its specification.

Plans come here proven whole (_plans.prepare): the words can be trusted, the value never is.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from barengine.kernel._extras cimport midpoint, store_else
from barengine.kernel._names cimport Name, is_ascii, is_utf8, named, named_before
from barengine.kernel._program cimport (
    KIND_DOUBLE,
    KIND_NAME,
    KIND_NAME_ENUM,
    KIND_NULL,
    KIND_TIME,
    MAX_LOOPS,
    MISSING_FIELD,
    NOWHERE,
    NO_SIZE,
    OP_BLOCKS,
    OP_END,
    OP_JUMP,
    OP_SKIP_BYTES,
    OP_SKIP_FIXED,
    OP_SKIP_VARINT,
    OP_UNION,
    SLOT_BROKER,
    SLOT_PRICE,
    SLOT_SYMBOL,
    SLOT_TIME,
    STORE_AS,
    STORE_ELSE,
    TOUCH_BOTH,
    UNDECODABLE,
    Fields,
    Frame,
    Loop,
    Plan,
    WidePrice,
    noted,
    read_double,
    read_price,
    read_symbol,
    to_time,
)
from barengine.kernel._wire cimport (
    Bytes,
    Cursor,
    first_bit,
    likely,
    read_bytes,
    read_varint,
    take_size,
    take_varint,
    unlikely,
)


cdef enum:
    USUAL_WORDS = 21  # of a usual plan: four STOREs and an END


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


cdef inline bint is_usual(const int32_t* words) noexcept nogil:
    """Whether a plan of USUAL_WORDS is two names, a time, a double as the price, in this order."""
    return (
        words[0] == words[5] == STORE_AS + KIND_NAME
        and words[1] + words[6] == SLOT_BROKER + SLOT_SYMBOL
        and words[1] != words[6]
        and words[10] == STORE_AS + KIND_TIME
        and words[15] == STORE_AS + KIND_DOUBLE
        and words[20] == OP_END
    )


cdef inline bint read_name(Cursor* c, const uint8_t* readable, Name* out) noexcept nogil:
    """A name as most are, in ASCII."""
    cdef Bytes content
    if unlikely(not read_bytes(c, &content)):
        return False
    out[0] = named_before(content, readable)
    return is_ascii(out[0])


cdef inline bint read_usual(
    const Plan* plan, Cursor c, const uint8_t* readable, int32_t price_scale, Fields* out
) noexcept nogil:
    """What run_plan does, in one line for the plan of most topics and values without a fault.

    False: run_plan must read the value, and tell what is wrong with it.
    """
    cdef const int32_t* words = plan.words
    cdef int64_t n = 0
    out.size = NO_SIZE
    out.touch = TOUCH_BOTH
    return (
        likely(read_name(&c, readable, &out.names[words[1]]))
        and likely(read_name(&c, readable, &out.names[words[6]]))
        and likely(take_varint(&c.p, c.end, &n))
        and likely(to_time(n, words[13], &out.time) == 0)
        and likely(read_double(&c, price_scale, &out.price) == 0)
        and likely(c.p == c.end)
    )


cdef inline int run_plan(
    const Plan* plan, Cursor c, const uint8_t* readable, int32_t price_scale, WidePrice wide,
    Fields* out,
) except -1 nogil:
    """Read one value. 0, or why it is no tick; -1 with a Python exception from ``wide``.

    Up to ``readable`` goes the payload that the value is part of. What most schemas have is done
    here. For the rest the cursor is copied: one whose address is passed on could not live in
    registers.
    """
    cdef Frame frame
    cdef Cursor copy
    cdef Bytes content
    cdef const int32_t* words = plan.words
    cdef uint64_t lacks = plan.lacks
    cdef int32_t pc = 0
    cdef int32_t op
    cdef int answer
    cdef int64_t n = 0
    frame.depth = 0
    out.time = 0
    out.size = NO_SIZE
    out.touch = TOUCH_BOTH
    while True:
        op = words[pc]
        if likely(op == STORE_AS + KIND_NAME):
            n = words[pc + 1]
            if unlikely(not read_bytes(&c, &content)):
                return UNDECODABLE
            out.names[n] = named_before(content, readable)
            if unlikely(not is_utf8(out.names[n])):
                return UNDECODABLE
            lacks = noted(lacks, <int32_t>n, 0)
            pc += 5
        elif likely(op == STORE_AS + KIND_TIME):
            if unlikely(not take_varint(&c.p, c.end, &n)):
                return UNDECODABLE
            answer = to_time(n, words[pc + 3], &out.time)
            lacks = noted(lacks, SLOT_TIME, answer)
            pc += 5
        elif likely(op == STORE_AS + KIND_DOUBLE):
            answer = read_double(&c, price_scale, &out.price)
            if unlikely(answer == UNDECODABLE):
                return UNDECODABLE
            lacks = noted(lacks, SLOT_PRICE, answer)
            pc += 5
        elif likely(op == OP_UNION):
            if unlikely(not take_size(&c.p, c.end, &n) or n < 0 or n >= words[pc + 1]):
                return UNDECODABLE
            pc = words[pc + 2 + n]
        elif likely(op == OP_JUMP):
            pc = words[pc + 1]
        elif likely(op == OP_END):
            break
        else:
            copy = c
            frame.lacks = lacks
            if op >= STORE_ELSE:
                pc = store_else(plan, &copy, pc, price_scale, wide, &frame, out)
            elif op >= STORE_AS:
                pc = store_rarely(plan, &copy, pc, price_scale, wide, &frame, out)
            else:
                pc = skip(&copy, words, pc, &frame)
            if unlikely(pc < 0):
                return UNDECODABLE
            c = copy
            lacks = frame.lacks
    if unlikely(c.p != c.end):
        return UNDECODABLE
    if likely(lacks == 0):
        if unlikely(plan.mid != NULL):
            return midpoint(plan, &frame.sides[0], &frame.sides[1], price_scale, &out.price)
        return 0
    return (lacks >> (first_bit(lacks) & ~7)) & 0xFF  # the first slot's
