"""Headers of batches and frames of LZ4 in the bytes of a fetch. ``_pure_fetched`` is the
specification; results are the same to the byte."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from barengine.kernel._view cimport view_of
from barengine.kernel._wire cimport big32, load32

from barengine.errors import CorruptBatchError
from barengine.kernel._fresh import Fresh
from barengine.kernel._protocol import BatchHeader, RecordBatch


cdef extern from "Python.h":
    object PyMemoryView_FromMemory(char* p, Py_ssize_t size, int flags)
    enum: PyBUF_READ
    enum: PyBUF_WRITE


cdef enum:  # _pure_fetched: BATCH_PREFIX, _MAGIC_AT, ATTRIBUTES_AT, BATCH_HEADER, _MIN_LENGTH
    PREFIX = 12
    MAGIC_AT = 16
    ATTRIBUTES_AT = 21
    HEADER = 61
    MIN_LENGTH = 14

cdef enum:
    LOG_APPEND_TIME = 0x08
    LZ4 = 3
    LZ4_HEADER = 7
    LZ4_BLOCK_CHECKSUM = 0x10
    LZ4_CHECKSUM = 0x04
    LZ4_FLAGS = 0x60
    LZ4_RATIO = 255

cdef extern from *:
    """
    #define be_lz4_magic 0x184D2204u
    #define be_lz4_as_is 0x80000000u
    """
    const uint32_t LZ4_MAGIC "be_lz4_magic"
    const uint32_t LZ4_AS_IS "be_lz4_as_is"


cdef struct Block:
    Py_ssize_t start
    Py_ssize_t size
    bint as_is
    bint ends  # no block, but the end of the frame


# -- big-endian numbers of a header ----------------------------------------------------------------

cdef inline int64_t big64(const uint8_t* p) noexcept nogil:
    return <int64_t>(<uint64_t>big32(p) << 32 | big32(p + 4))


cdef inline int16_t big16(const uint8_t* p) noexcept nogil:
    return <int16_t>(<uint16_t>p[0] << 8 | p[1])


# A NamedTuple's own constructor is written in Python.
cdef object new_tuple = tuple.__new__


cdef inline Py_ssize_t stop_of(const uint8_t* p, Py_ssize_t size, Py_ssize_t start) noexcept nogil:
    """The end of a whole batch; 0 where there is none."""
    cdef int64_t length
    if start < 0 or start > size - MAGIC_AT - 1:
        return 0
    length = <int32_t>big32(p + start + 8)
    if length < MIN_LENGTH or length > size - start - PREFIX:
        return 0
    return start + PREFIX + <Py_ssize_t>length


def header_at(data, Py_ssize_t start):
    """See ``_pure_fetched``."""
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return header(<const uint8_t*>view.buf, view.len, start)
    finally:
        PyBuffer_Release(&view)


cdef object header(const uint8_t* p, Py_ssize_t size, Py_ssize_t start):
    cdef Py_ssize_t stop = stop_of(p, size, start)
    cdef int64_t base
    if stop == 0:
        return None
    p += start
    base = big64(p)
    if p[MAGIC_AT] != 2:
        return new_tuple(BatchHeader, (stop, p[MAGIC_AT], 0, 0, base, base, 0, 0, 0, 0))
    if stop - start < HEADER:
        raise CorruptBatchError(f"a record batch of {stop - start} bytes at byte {start}")
    return new_tuple(BatchHeader, (
        stop,
        2,
        big32(p + 17),
        big16(p + ATTRIBUTES_AT),
        base,
        next_of(p),
        big64(p + 27),
        big64(p + 35),
        big64(p + 43),
        <int32_t>big32(p + 57),
    ))


cdef object next_of(const uint8_t* p):
    """The offset behind a batch of format 2; a damaged one may tell more than int64 can hold."""
    return big64(p) + <object><int32_t>big32(p + 23) + 1


def end_of(data, offset):
    """See ``_pure_fetched``."""
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return end(<const uint8_t*>view.buf, view.len, offset)
    finally:
        PyBuffer_Release(&view)


cdef object end(const uint8_t* p, Py_ssize_t size, offset):
    cdef Py_ssize_t last = -1
    cdef Py_ssize_t start = 0
    cdef Py_ssize_t stop = stop_of(p, size, 0)
    while stop != 0:
        if p[start + MAGIC_AT] == 2 and stop - start < HEADER:
            return offset
        last, start = start, stop
        stop = stop_of(p, size, start)
    if last < 0:
        return offset
    if p[last + MAGIC_AT] == 2:
        return max(offset, next_of(p + last))
    return max(offset, <object>big64(p + last) + 1)


# -- a part ----------------------------------------------------------------------------------------

@cython.final
cdef class Part:
    """See ``part_of``. It has nothing to release, which such libraries insist on."""

    cdef object _whole
    cdef const uint8_t* _start
    cdef Py_ssize_t _size

    def __cinit__(self, whole, Py_ssize_t start, Py_ssize_t stop):
        cdef Py_buffer view
        PyObject_GetBuffer(whole, &view, PyBUF_SIMPLE)
        try:
            if not (view.readonly and 0 <= start <= stop <= view.len):
                raise ValueError(f"[{start}, {stop}) of {view.len} bytes that may change or end")
            self._whole = whole
            self._start = <const uint8_t*>view.buf + start
            self._size = stop - start
        finally:
            PyBuffer_Release(&view)

    def __getbuffer__(self, Py_buffer* view, int flags):
        view_of(self, self._start, self._size, True, view, flags)


def part_of(data, Py_ssize_t start, Py_ssize_t stop):
    """See ``_pure_fetched``."""
    return Part(data, start, stop)


# -- a plain batch ---------------------------------------------------------------------------------

def plain_batch(data, Py_ssize_t start, crc32c, decompress_block_into):
    """See ``_pure_fetched``."""
    cdef Py_buffer view
    cdef Py_ssize_t stop
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        stop = plain_stop(<const uint8_t*>view.buf, view.len, start)
        if stop == 0:
            return None
        return plain(data, <const uint8_t*>view.buf, start, stop, crc32c, decompress_block_into)
    finally:
        PyBuffer_Release(&view)


cdef inline Py_ssize_t plain_stop(
    const uint8_t* p, Py_ssize_t size, Py_ssize_t start
) noexcept nogil:
    """The end of a batch whose header is that of a plain one; 0 where there is none."""
    cdef Py_ssize_t stop = stop_of(p, size, start)
    cdef bint plain
    if stop - start < HEADER:
        return 0
    p += start
    plain = (
        p[MAGIC_AT] == 2
        and big16(p + ATTRIBUTES_AT) & ~LOG_APPEND_TIME == LZ4
        and <int32_t>big32(p + 57) > 0
    )
    return stop if plain else 0


cdef object plain(
    data, const uint8_t* p, Py_ssize_t start, Py_ssize_t stop, crc32c, decompress_block_into
):
    cdef Py_ssize_t length = stop - start
    p += start
    if crc32c(Part(data, start + ATTRIBUTES_AT, stop)) != big32(p + 17):
        return None
    try:
        payload = unframed(p + HEADER, length - HEADER, decompress_block_into)
    except Exception:  # whoever looks closely meets it again
        return None
    if payload is None:
        return None
    batch = new_tuple(RecordBatch, (
        payload,
        <int32_t>big32(p + 57),
        big64(p),
        big64(p + 27),
        big64(p + 35) if big16(p + ATTRIBUTES_AT) & LOG_APPEND_TIME else None,
        memoryview(data)[stop : stop + length],
    ))
    return batch, next_of(p), stop


# -- LZ4 -------------------------------------------------------------------------------------------

cdef inline Py_ssize_t largest_block(uint8_t number) noexcept nogil:
    """Most bytes of a block by the number that stands for it; 0: none."""
    return <Py_ssize_t>1 << (8 + 2 * number) if 4 <= number <= 7 else 0


cdef inline bint next_block(
    const uint8_t* p, Py_ssize_t size, Py_ssize_t* at, Py_ssize_t gap, Block* out
) noexcept nogil:
    """The block at ``at``, or the frame's end; False where it is not whole."""
    cdef uint32_t word
    if size - at[0] < 4:
        return False
    word = load32(p + at[0])
    out.start = at[0] + 4
    out.size = word & ~LZ4_AS_IS
    out.as_is = word & LZ4_AS_IS != 0
    out.ends = word == 0
    if out.ends:
        at[0] += 4
        return True
    if out.size > size - out.start or gap > size - out.start - out.size:
        return False
    at[0] = out.start + out.size + gap
    return True


cdef inline Py_ssize_t room_of(const Block* one, Py_ssize_t largest) noexcept nogil:
    return min(largest, one.size * LZ4_RATIO)


cdef Py_ssize_t room_for(
    const uint8_t* p, Py_ssize_t size, Py_ssize_t gap, Py_ssize_t largest
) noexcept nogil:
    """Most bytes that the blocks of a whole frame hold; -1 where it is none."""
    cdef Py_ssize_t at = LZ4_HEADER
    cdef Py_ssize_t most = 0
    cdef bint any_block = False
    cdef Block one
    while next_block(p, size, &at, gap, &one):
        if one.ends:
            at += 4 if p[4] & LZ4_CHECKSUM else 0
            return most if any_block and at == size else -1
        if one.as_is and one.size > largest:
            return -1
        any_block = True
        most += room_of(&one, largest)
    return -1


def lz4_frame(data, decompress_block_into):
    """See ``_pure_fetched``."""
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return unframed(<const uint8_t*>view.buf, view.len, decompress_block_into)
    finally:
        PyBuffer_Release(&view)


cdef object unframed(const uint8_t* p, Py_ssize_t size, decompress_block_into):
    cdef Py_ssize_t largest, gap, most, end
    cdef int checks
    cdef Py_buffer out
    if size < LZ4_HEADER or load32(p) != LZ4_MAGIC:
        return None
    checks = p[4] & (LZ4_BLOCK_CHECKSUM | LZ4_CHECKSUM)
    largest = largest_block(p[5] >> 4 & 7)
    if p[4] != LZ4_FLAGS | checks or largest == 0:
        return None
    gap = 4 if checks & LZ4_BLOCK_CHECKSUM else 0
    most = room_for(p, size, gap, largest)
    if most < 0:
        return None
    fresh = Fresh(most)
    PyObject_GetBuffer(fresh, &out, PyBUF_WRITABLE)
    try:
        end = fill(<char*>out.buf, p, size, gap, largest, decompress_block_into)
    finally:
        PyBuffer_Release(&out)
    return fresh.taken(end)


cdef Py_ssize_t fill(
    char* out, const uint8_t* p, Py_ssize_t size, Py_ssize_t gap, Py_ssize_t largest,
    decompress_block_into,
) except -1:
    """Write every block of a frame that was seen to be whole; how many bytes that are."""
    cdef Py_ssize_t at = LZ4_HEADER
    cdef Py_ssize_t end = 0
    cdef Py_ssize_t room, written
    cdef Block one
    while next_block(p, size, &at, gap, &one) and not one.ends:
        room = room_of(&one, largest)
        if one.as_is:
            memcpy(out + end, p + one.start, <size_t>one.size)
            written = one.size
        else:
            written = decompress_block_into(
                PyMemoryView_FromMemory(<char*>p + one.start, one.size, PyBUF_READ),
                PyMemoryView_FromMemory(out + end, room, PyBUF_WRITE),
                output_len=room,
            )
        if not 0 <= written <= room:
            raise ValueError(f"an LZ4 block of {written} bytes, {room} are the most")
        end += written
    return end
