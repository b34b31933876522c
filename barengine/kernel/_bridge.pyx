"""What the kernel takes from Python and gives to it: plans, batches, rejected records, numbers that
need Python's integers."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, malloc
from libc.string cimport memcpy

from barengine.kernel._batch cimport Rejected, Walk
from barengine.kernel._program cimport (
    KIND_DECIMAL_TEXT,
    MISSING_FIELD,
    NO_SIZE,
    Plan,
    Side,
    noted,
)
from barengine.kernel._run cimport USUAL_WORDS, is_usual
from barengine.kernel._schemas cimport free_plan
from barengine.kernel._wire cimport Bytes

from barengine.codec.convert import price_from_decimal, price_from_text
from barengine.codec.plan import Slot
from barengine.codec.read import exact
from barengine.codec.records import iter_records
from barengine.codec.tick import BadTick, mid
from barengine.kernel._plans import prepare
from barengine.kernel._protocol import Reject
from barengine.model import Reason, Touch

_REQUIRED = frozenset({Slot.BROKER, Slot.SYMBOL, Slot.PRICE})
_IF_STORED = frozenset({Slot.TIME, Slot.ASK})
_REASONS = {int(reason): reason for reason in Reason}


# -- bytes ---------------------------------------------------------------------------------------

cdef Bytes bytes_of(bytes content) noexcept:
    """A view of a bytes object that its holder keeps alive; of -1 bytes where there is none."""
    cdef Bytes view
    view.p, view.n = NULL, -1
    if content is not None:
        view.p = <const uint8_t*>PyBytes_AS_STRING(content)
        view.n = PyBytes_GET_SIZE(content)
    return view


cdef bytes to_bytes(Bytes content):
    return PyBytes_FromStringAndSize(<const char*>content.p, content.n)


cdef object to_nullable(Bytes content):
    return None if content.n < 0 else to_bytes(content)


cdef str to_text(Bytes content):
    return to_bytes(content).decode()


# -- numbers -------------------------------------------------------------------------------------

cdef int wide_price(
    int32_t kind, const uint8_t* p, int64_t n, int32_t scale, int32_t price_scale, int64_t* out
) except -1 nogil:
    """Decimal text, and decimals of more than 16 bytes."""
    with gil:
        content = PyBytes_FromStringAndSize(<const char*>p, n)
        try:
            if kind == KIND_DECIMAL_TEXT:
                out[0] = price_from_text(content, price_scale)
            else:
                unscaled = int.from_bytes(content, "big", signed=True)
                out[0] = price_from_decimal(unscaled, scale, price_scale)
        except BadTick as bad:
            return bad.reason
        return 0


cdef int wide_mid(
    const Side* bid, const Side* ask, int32_t price_scale, int64_t* out
) except -1 nogil:
    """Sides that are no doubles of about the same size."""
    with gil:
        out[0] = mid(exact_side(bid), exact_side(ask), price_scale)
        return 0


cdef object exact_side(const Side* side):
    content = PyBytes_FromStringAndSize(<const char*>side.p, side.n)
    return exact(content, side.words[0], side.words[1], side.words[2])


# -- plans: Python to C ----------------------------------------------------------------------

cdef int load_plan(plan, Plan* out) except -1:
    """Copy a checked plan. On an exception nothing is left allocated."""
    cdef int32_t slot
    words, slots = prepare(plan)
    for slot in _REQUIRED.union(_IF_STORED & slots):
        out.lacks = noted(out.lacks, slot, MISSING_FIELD)
    if Slot.ASK in slots:
        out.mid = wide_mid
    try:
        _load_words(words, &out.words)
        out.usual = len(words) == USUAL_WORDS and is_usual(out.words)
        _load_enums(plan.enums, out)
    except BaseException:
        free_plan(out)
        raise
    return 0


cdef int _load_words(tuple words, int32_t** out) except -1:
    cdef Py_ssize_t at
    out[0] = <int32_t*>calloc(len(words) + 1, sizeof(int32_t))
    if out[0] == NULL:
        raise MemoryError
    for at in range(len(words)):
        out[0][at] = words[at]
    return 0


cdef int _load_enums(tuple enums, Plan* out) except -1:
    names = [name for table in enums for name in table]
    cdef bytes text = b"".join(names)
    cdef Py_ssize_t size = len(text)
    cdef Py_ssize_t at
    out.text = <uint8_t*>malloc(size + 1)
    out.symbols = <Bytes*>calloc(len(names) + 1, sizeof(Bytes))
    out.first_symbol = <int32_t*>calloc(len(enums) + 1, sizeof(int32_t))
    if out.text == NULL or out.symbols == NULL or out.first_symbol == NULL:
        raise MemoryError
    memcpy(out.text, PyBytes_AS_STRING(text), size)
    size = 0
    for at in range(len(names)):
        out.symbols[at].p = out.text + size
        out.symbols[at].n = len(names[at])
        size += len(names[at])
    for at in range(len(enums)):
        out.first_symbol[at + 1] = out.first_symbol[at] + <int32_t>len(enums[at])
    return 0


# -- batches: Python to C and back -----------------------------------------------------------

cdef int set_walk(Walk* walk, batch, bytes payload) except -1:
    walk.cursor.p = <const uint8_t*>PyBytes_AS_STRING(payload)
    walk.cursor.end = walk.cursor.p + PyBytes_GET_SIZE(payload)
    walk.count = batch.records
    walk.base_offset = batch.base_offset
    walk.base_time_ms = batch.base_time_ms
    walk.has_append_time = batch.append_time_ms is not None
    if walk.has_append_time:
        walk.append_time_ms = batch.append_time_ms
    return set_behind(walk, batch.behind)


cdef int set_behind(Walk* walk, behind) except -1:
    """Only where it is: what is but asked for need not stay there."""
    cdef Py_buffer view
    walk.behind = walk.cursor.end
    if behind is None or walk.count <= 0:
        return 0
    PyObject_GetBuffer(behind, &view, PyBUF_SIMPLE)
    walk.behind = <const uint8_t*>view.buf + view.len
    walk.behind_step = view.len // walk.count
    PyBuffer_Release(&view)
    return 0


cdef int set_skip(Walk* walk, skip) except -1:
    cdef list offsets
    cdef Py_ssize_t at
    if not skip:
        return 0
    offsets = sorted(skip)
    walk.skip = <int64_t*>calloc(len(offsets), sizeof(int64_t))
    if walk.skip == NULL:
        raise MemoryError
    for at in range(len(offsets)):
        walk.skip[at] = offsets[at]
    walk.skip_count = len(offsets)
    return 0


cdef int raise_malformed(batch) except -1:
    """Let the readable parser say what is wrong."""
    for _ in iter_records(batch.payload, batch.records):
        pass
    raise ValueError("a malformed record batch")


cdef list rejects(const Walk* walk, batch, bint sized):
    cdef int64_t at
    cdef list found = []
    for at in range(walk.reject_count):
        found.append(_reject(walk, &walk.rejects[at], batch, sized))
    return found


cdef object _reject(const Walk* walk, const Rejected* one, batch, bint sized):
    cdef Bytes broker, symbol
    broker.p = walk.names.data + one.name_at
    broker.n = one.broker_size
    symbol.p = broker.p + broker.n
    symbol.n = one.symbol_size
    time_ms = batch.append_time_ms
    if time_ms is None:
        time_ms = batch.base_time_ms + one.record.time_delta
    return Reject(
        one.offset,
        time_ms,
        to_nullable(one.record.key),
        to_nullable(one.record.value),
        to_bytes(one.record.headers),
        _REASONS[one.reason],
        one.start,
        one.lateness,
        to_text(broker) if broker.n else "",
        to_text(symbol) if symbol.n else "",
        one.price,
        one.size if sized and one.size != NO_SIZE else None,
        one.time,
        Touch(one.touch) if sized else Touch.BOTH,
        one.closed,
    )
