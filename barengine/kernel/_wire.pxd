"""Bounds-checked reading of zigzag varints and of Kafka v2 records (layout: codec/records.py).

Nothing here reads a byte at or behind ``Cursor.end``. Python-free: for use without the GIL.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy


cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    #define be_little64(x) __builtin_bswap64(x)
    #define be_little32(x) __builtin_bswap32(x)
    #else
    #define be_little64(x) (x)
    #define be_little32(x) (x)
    #endif
    #define be_first_bit(x) __builtin_ctzll(x)
    #define be_prefetch(p) __builtin_prefetch(p)
    #define be_prefetch_far(p) __builtin_prefetch((p), 0, 2)  /* the second level of caches */

    static inline int64_t be_unzigzag(uint64_t raw)
    {
        return (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
    }

    /* A varint byte by byte; the place behind it, or NULL. */
    static const uint8_t *be_long_varint(const uint8_t *p, const uint8_t *end, int64_t *out)
        __attribute__((unused, noinline));
    static const uint8_t *be_long_varint(const uint8_t *p, const uint8_t *end, int64_t *out)
    {
        const uint8_t *const stop = end - p > 10 ? p + 10 : end;
        uint64_t raw = 0;
        int shift;
        for (shift = 0; p < stop; shift += 7) {
            const uint64_t byte = *p++;
            raw |= (byte & 0x7F) << shift;
            if (byte < 0x80) {
                *out = be_unzigzag(raw);
                return p;
            }
        }
        return NULL;
    }

    /* By way of a local: where ``out`` points to can live in a register then. */
    static inline __attribute__((always_inline)) int be_take_long(
        const uint8_t **place, const uint8_t *end, int64_t *out)
    {
        int64_t value;
        const uint8_t *const p = be_long_varint(*place, end, &value);
        if (p == NULL) return 0;
        *place = p;
        *out = value;
        return 1;
    }

    /* One varint of at most 10 bytes, most often of up to eight, without a loop; 0 where it runs
       over that or past the end. Always inline: a cursor whose address leaves a function cannot
       live in registers, and compilers give up where there are many calls. */
    static inline __attribute__((always_inline)) int be_take_varint(
        const uint8_t **place, const uint8_t *end, int64_t *out)
    {
        const uint8_t *p = *place;
        uint64_t word, ends;
        if (__builtin_expect(p < end && p[0] < 0x80, 1)) {
            *place = p + 1;
            *out = be_unzigzag(p[0]);
            return 1;
        }
        if (__builtin_expect(end - p >= 8, 1)) {
            if (p[1] < 0x80) {
                *place = p + 2;
                *out = be_unzigzag((p[0] & 0x7Fu) | (uint64_t)p[1] << 7);
                return 1;
            }
            memcpy(&word, p, 8);
            word = be_little64(word);
            ends = ~word & 0x8080808080808080ull;
            if (__builtin_expect(ends != 0, 1)) {
                *place = p + (__builtin_ctzll(ends) >> 3) + 1;
                /* Keeps the bits below the byte that ends it, and those of that byte; then eight
                   groups of 7 bits, one in each byte, become one number of 56: of each pair the
                   upper one moves down to the lower, which is taking the difference away. */
                word &= (ends ^ (ends - 1)) & 0x7F7F7F7F7F7F7F7Full;
                word -= (word & 0x7F007F007F007F00ull) >> 1;
                word -= ((word & 0x3FFF00003FFF0000ull) >> 2) * 3;
                word = (word & 0xFFFFFFFFull) | (word >> 32 << 28);
                *out = be_unzigzag(word);
                return 1;
            }
        }
        return be_take_long(place, end, out);
    }

    /* The same for a size, which seldom is above 8191, and below 0 only as the -1 of null. */
    static inline __attribute__((always_inline)) int be_take_size(
        const uint8_t **place, const uint8_t *end, int64_t *out)
    {
        const uint8_t *p = *place;
        if (__builtin_expect(p < end && !(p[0] & 0x81), 1)) {
            *place = p + 1;
            *out = p[0] >> 1;
            return 1;
        }
        if (p < end && p[0] == 1) {
            *place = p + 1;
            *out = -1;
            return 1;
        }
        if (end - p >= 2 && !(p[0] & 1) && p[1] < 0x80) {
            *place = p + 2;
            *out = (p[0] & 0x7F) >> 1 | p[1] << 6;
            return 1;
        }
        return be_take_long(place, end, out);
    }
    """
    const uint8_t* long_varint "be_long_varint"(
        const uint8_t* p, const uint8_t* end, int64_t* out) noexcept nogil
    bint take_varint "be_take_varint"(
        const uint8_t** place, const uint8_t* end, int64_t* out) noexcept nogil
    bint take_size "be_take_size"(
        const uint8_t** place, const uint8_t* end, int64_t* out) noexcept nogil
    uint64_t little64 "be_little64"(uint64_t word) noexcept nogil
    uint32_t little32 "be_little32"(uint32_t word) noexcept nogil
    int first_bit "be_first_bit"(uint64_t word) noexcept nogil
    void prefetch "be_prefetch"(const void* p) noexcept nogil
    void prefetch_far "be_prefetch_far"(const void* p) noexcept nogil
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


cdef inline uint32_t big32(const uint8_t* p) noexcept nogil:
    """Four bytes, most significant first."""
    return <uint32_t>p[0] << 24 | <uint32_t>p[1] << 16 | <uint32_t>p[2] << 8 | p[3]


cdef inline bint read_varint(Cursor* c, int64_t* out) noexcept nogil:
    """One varint of at most 10 bytes; False where it runs over that or past the end."""
    return take_varint(&c.p, c.end, out)


cdef inline bint read_bytes(Cursor* c, Bytes* out) noexcept nogil:
    """A length varint and that many bytes; False for a negative or overlong length."""
    cdef int64_t n = 0
    if unlikely(not take_size(&c.p, c.end, &n) or n < 0 or n > c.end - c.p):
        return False
    out.p = c.p
    out.n = n
    c.p += n
    return True


cdef inline bint read_nullable(Cursor* c, Bytes* out) noexcept nogil:
    """The same, where a length of -1 stands for null."""
    cdef int64_t n = 0
    if unlikely(not take_size(&c.p, c.end, &n) or n < -1 or n > c.end - c.p):
        return False
    out.p = c.p
    out.n = n
    if likely(n > 0):
        c.p += n
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
    if unlikely(not take_size(&c.p, c.end, &n) or n <= 0 or n > c.end - c.p):
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
