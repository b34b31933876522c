"""Field plans (codec/plan.py) in C: their words, what they fill, and how a name, a time, a number is
read. ``_run`` is the interpreter; codec/read.py is the specification of both. Python-free.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from barengine.kernel._names cimport Name
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


# A STORE is loaded as STORE_AS + its kind, so that one jump decides everything; one of a size, of
# what may be touched, or of a side of the price as STORE_ELSE + its kind.
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
    STORE_ELSE = 32

cdef enum:  # codec.plan.Slot
    SLOT_BROKER = 0
    SLOT_SYMBOL = 1
    SLOT_TIME = 2
    SLOT_PRICE = 3
    SLOT_ASK = 4
    SLOT_SIZE = 5
    SLOT_TOUCH = 6
    SLOTS = 7

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
    KIND_TOUCH_WORD = 10
    KIND_TOUCH_ENUM = 11
    KIND_TOUCH_BITS = 12

cdef enum:  # model.Touch
    TOUCH_NOTHING = 0
    TOUCH_PRICE = 1
    TOUCH_VOLUME = 2
    TOUCH_BOTH = 3

cdef enum:  # model.Reason
    UNDECODABLE = 3
    MISSING_FIELD = 4
    TIME_RANGE = 9
    SIZE_NOT_FINITE = 13
    SIZE_RANGE = 14
    FLAGS = 15
    TOUCHES_NOTHING = 16

cdef enum:
    NO_SIZE = -1
    SIZE_SCALE = 9  # model.SIZE_SCALE
    MAX_LOOPS = 8  # codec.plan.MAX_DEPTH
    NOWHERE = -2   # in place of the next word: the value is UNDECODABLE

# Converts what needs Python's integers: takes the GIL, returns 0 or a reason.
ctypedef int (*WidePrice)(
    int32_t kind, const uint8_t* p, int64_t n, int32_t scale, int32_t price_scale, int64_t* out
) except -1 nogil


cdef struct Side:  # of a price between two
    const int32_t* words  # its kind and operands
    const uint8_t* p      # where it stands in the value
    int64_t n
    int64_t price


# The same for the mean of two sides.
ctypedef int (*WideMid)(
    const Side* bid, const Side* ask, int32_t price_scale, int64_t* out
) except -1 nogil


cdef struct Plan:
    int32_t* words
    Bytes* symbols          # of all NAME_ENUM tables, one behind the other
    int32_t* first_symbol   # table t is symbols[first_symbol[t]:first_symbol[t + 1]]
    uint8_t* text           # what ``symbols`` point into
    uint64_t lacks          # where nothing is read: MISSING_FIELD in the byte of each slot
    WideMid mid             # of a price between two sides; else NULL
    bint usual              # it is two names, a time, a double: see read_usual


cdef struct Fields:
    Name names[2]     # by slot: broker, symbol
    int64_t time
    int64_t price
    int64_t size      # or NO_SIZE
    int32_t touch


cdef struct Loop:
    int32_t begin          # the word of its BLOCKS
    uint64_t left          # items of the block, with the one being read
    const uint8_t* item    # where that one began


cdef struct Frame:  # of one run
    int depth       # loops around the place
    uint64_t lacks  # a byte for each slot: 0, or the reason why it is empty
    Loop loops[MAX_LOOPS]
    Side sides[2]


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


cdef inline uint64_t noted(uint64_t lacks, int32_t slot, int reason) noexcept nogil:
    """``lacks`` with another reason (0: filled) for a slot."""
    return lacks & ~(<uint64_t>0xFF << 8 * slot) | <uint64_t>reason << 8 * slot


cdef inline int read_double(Cursor* c, int32_t price_scale, int64_t* out) noexcept nogil:
    if unlikely(c.end - c.p < 8):
        return UNDECODABLE
    c.p += 8
    return price_from_double(load64(c.p - 8), price_scale, out)


cdef inline int read_price(
    Cursor* c, const int32_t* words, int32_t price_scale, WidePrice wide, int64_t* out
) except -1 nogil:
    """A price or size; ``words`` begin with its kind. 0 or why it is none."""
    cdef Bytes content
    cdef int64_t whole = 0
    cdef int32_t kind = words[0]
    cdef int answer
    if kind == KIND_DOUBLE:
        return read_double(c, price_scale, out)
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
