"""Bounds-checked reading of zigzag varints and of Kafka v2 records (layout: codec/records.py).

Nothing here reads a byte at or behind ``Cursor.end``. Python-free: for use without the GIL.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy


cdef extern from *:
    """
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    #define be_little64(x) __builtin_bswap64(x)
    #define be_little32(x) __builtin_bswap32(x)
    #else
    #define be_little64(x) (x)
    #define be_little32(x) (x)
    #endif
    #define be_first_bit(x) __builtin_ctzll(x)
    #define be_prefetch(p) __builtin_prefetch(p)
    """
    uint64_t little64 "be_little64"(uint64_t word) noexcept nogil
    uint32_t little32 "be_little32"(uint32_t word) noexcept nogil
    int first_bit "be_first_bit"(uint64_t word) noexcept nogil
    void prefetch "be_prefetch"(const void* p) noexcept nogil
    bint likely(bint condition) noexcept nogil
    bint unlikely(bint condition) noexcept nogil


cdef struct Bytes:
    const uint8_t* p
    int64_t n


cdef struct Cursor:
    const uint8_t* p
    const uint8_t* end


cdef struct Record:
    int64_t time_delta
    int64_t offset_delta
    Bytes key      # n == -1: null
    Bytes value    # n == -1: null
    Bytes headers  # raw, with their count in front


cdef inline uint64_t load64(const uint8_t* p) noexcept nogil:
    """Eight bytes, least significant first."""
    cdef uint64_t word = 0
    memcpy(&word, p, 8)
    return little64(word)


cdef inline uint32_t load32(const uint8_t* p) noexcept nogil:
    """Four bytes, least significant first."""
    cdef uint32_t word = 0
    memcpy(&word, p, 4)
    return little32(word)


cdef inline int64_t unzigzag(uint64_t raw) noexcept nogil:
    return <int64_t>(raw >> 1) ^ -<int64_t>(raw & 1)


cdef inline uint64_t squeeze(uint64_t word) noexcept nogil:
    """Eight 7-bit groups, one in each byte, as one 56-bit number."""
    word = (word & 0x007F007F007F007FULL) | ((word & 0x7F007F007F007F00ULL) >> 1)
    word = (word & 0x00003FFF00003FFFULL) | ((word & 0x3FFF00003FFF0000ULL) >> 2)
    return (word & 0x000000000FFFFFFFULL) | ((word & 0x0FFFFFFF00000000ULL) >> 4)


cdef inline const uint8_t* long_varint(
    const uint8_t* p, const uint8_t* end, int64_t* out
) noexcept nogil:
    """A varint byte by byte; the place behind it, or NULL."""
    cdef const uint8_t* stop = p + 10 if end - p > 10 else end
    cdef uint64_t raw = 0
    cdef uint64_t byte
    cdef int shift = 0
    while p < stop:
        byte = p[0]
        p += 1
        raw |= (byte & 0x7F) << shift
        if byte < 0x80:
            out[0] = unzigzag(raw)
            return p
        shift += 7
    return NULL


cdef inline const uint8_t* wide_varint(
    const uint8_t* p, const uint8_t* end, int64_t* out
) noexcept nogil:
    """A varint of most often two to eight bytes, without a loop; the place behind it, or NULL."""
    cdef uint64_t word, ends
    if unlikely(end - p < 8):
        return long_varint(p, end, out)
    if p[1] < 0x80:
        out[0] = unzigzag((p[0] & 0x7F) | <uint64_t>p[1] << 7)
        return p + 2
    word = load64(p)
    ends = ~word & 0x8080808080808080ULL
    if unlikely(ends == 0):
        return long_varint(p, end, out)
    # Keeps the bits below the byte that ends it, and those of that byte.
    out[0] = unzigzag(squeeze(word & (ends ^ (ends - 1)) & 0x7F7F7F7F7F7F7F7FULL))
    return p + (first_bit(ends) >> 3) + 1


cdef inline bint read_varint(Cursor* c, int64_t* out) noexcept nogil:
    """One varint of at most 10 bytes; False where it runs over that or past the end."""
    cdef const uint8_t* p = c.p
    if likely(p < c.end and p[0] < 0x80):
        c.p = p + 1
        out[0] = unzigzag(p[0])
        return True
    p = wide_varint(p, c.end, out)
    if unlikely(p == NULL):
        return False
    c.p = p
    return True


cdef inline bint read_bytes(Cursor* c, Bytes* out) noexcept nogil:
    """A length varint and that many bytes; False for a negative or overlong length."""
    cdef int64_t n = 0
    if unlikely(not read_varint(c, &n) or n < 0 or n > c.end - c.p):
        return False
    out.p = c.p
    out.n = n
    c.p += n
    return True


cdef inline bint read_nullable(Cursor* c, Bytes* out) noexcept nogil:
    """The same, where a length of -1 stands for null."""
    cdef int64_t n = 0
    if unlikely(not read_varint(c, &n) or n < -1 or n > c.end - c.p):
        return False
    out.p = c.p
    out.n = n
    c.p += n if n > 0 else 0
    return True


cdef inline bint read_headers(Cursor* c) noexcept nogil:
    """Walk the headers to the end of their record; False where they do not fit it."""
    cdef int64_t count = 0
    cdef Bytes content
    if likely(c.end - c.p == 1 and c.p[0] == 0):
        return True
    if not read_varint(c, &count) or count < 0:
        return False
    while count > 0:
        if not read_bytes(c, &content) or not read_nullable(c, &content):
            return False
        count -= 1
    return c.p == c.end


cdef inline bint read_record(Cursor* c, Record* out) noexcept nogil:
    """The next record of a payload; False where it breaks off or contradicts itself."""
    cdef Cursor body
    cdef int64_t n = 0
    if unlikely(not read_varint(c, &n) or n <= 0 or n > c.end - c.p):
        return False
    body.p = c.p + 1  # behind the attributes
    body.end = c.p + n
    c.p = body.end
    if unlikely(
        not read_varint(&body, &out.time_delta)
        or not read_varint(&body, &out.offset_delta)
        or not read_nullable(&body, &out.key)
        or not read_nullable(&body, &out.value)
    ):
        return False
    out.headers.p = body.p
    out.headers.n = body.end - body.p
    return read_headers(&body)
