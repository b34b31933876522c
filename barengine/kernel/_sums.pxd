"""128-bit sums of sizes and of price times size; Python's integers in _table.py. Python-free.

Cython has no 128-bit integers: a Wide is one in two halves, and C does the arithmetic. Every sum
is below 10^38 (model.MAX_SUM), so none can overflow 127 bits.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t


cdef extern from *:
    """
    #include <stdint.h>

    #ifndef BE_WIDE
    #define BE_WIDE
    typedef struct { uint64_t low; int64_t high; } be_wide;

    static inline __int128 be_of_wide(be_wide x)
    {
        return (__int128)(((unsigned __int128)(uint64_t)x.high << 64) | x.low);
    }

    static inline be_wide be_to_wide(__int128 x)
    {
        be_wide out;
        out.low = (uint64_t)x;
        out.high = (int64_t)(uint64_t)((unsigned __int128)x >> 64);
        return out;
    }

    static inline be_wide be_wide_sum(be_wide a, be_wide b)
    {
        return be_to_wide(be_of_wide(a) + be_of_wide(b));
    }

    static inline be_wide be_wide_product(int64_t a, int64_t b)
    {
        return be_to_wide((__int128)a * b);
    }

    /* Inside the limits of one base window: model.MAX_SUM, 10^33. */
    static inline int be_wide_fits(be_wide x)
    {
        const __int128 limit = (__int128)1000000000000000000ll * 1000000000000000ll;
        const __int128 value = be_of_wide(x);
        return value < limit && value > -limit;
    }

    /* model.Bar.vwap: whether there is one, and then which. */
    static inline int be_vwap(be_wide turnover, be_wide volume, int64_t low, int64_t high,
                              int64_t *out)
    {
        const __int128 total = be_of_wide(turnover), count = be_of_wide(volume);
        unsigned __int128 divisor, quotient, rest;
        __int128 mean;

        if (count <= 0) return 0;
        divisor = (unsigned __int128)count;
        quotient = total < 0 ? 0 - (unsigned __int128)total : (unsigned __int128)total;
        rest = quotient % divisor;
        quotient /= divisor;
        quotient += 2 * rest > divisor || (2 * rest == divisor && (quotient & 1));
        mean = total < 0 ? -(__int128)quotient : (__int128)quotient;
        if (mean < low || mean > high) return 0;
        *out = (int64_t)mean;
        return 1;
    }

    /* Bytes of a number as codec.bar writes it: one more than needed for -2^(8k-1). */
    static inline int be_wide_size(be_wide x)
    {
        const __int128 value = be_of_wide(x);
        const unsigned __int128 size = value < 0 ? 0 - (unsigned __int128)value
                                                 : (unsigned __int128)value;
        const uint64_t high = (uint64_t)(size >> 64), low = (uint64_t)size;
        const int bits = high ? 128 - __builtin_clzll(high) : low ? 64 - __builtin_clzll(low) : 0;
        return (bits + 8) >> 3;
    }

    static inline uint8_t *be_put_wide(uint8_t *p, be_wide x, int size)
    {
        unsigned __int128 rest = (unsigned __int128)be_of_wide(x);
        int at;
        for (at = size - 1; at >= 0; at--, rest >>= 8) p[at] = (uint8_t)rest;
        return p + size;
    }

    static inline be_wide be_read_wide(const uint8_t *p, int64_t n)
    {
        unsigned __int128 value = n > 0 && p[0] >= 0x80 ? ~(unsigned __int128)0 : 0;
        for (; n > 0; p++, n--) value = value << 8 | *p;
        return be_to_wide((__int128)value);
    }
    #endif
    """
    ctypedef struct Wide "be_wide":
        uint64_t low
        int64_t high

    Wide wide_sum "be_wide_sum"(Wide a, Wide b) noexcept nogil
    Wide wide_product "be_wide_product"(int64_t a, int64_t b) noexcept nogil
    bint wide_fits "be_wide_fits"(Wide x) noexcept nogil
    bint vwap_of "be_vwap"(
        Wide turnover, Wide volume, int64_t low, int64_t high, int64_t* out) noexcept nogil
    int wide_size "be_wide_size"(Wide x) noexcept nogil
    uint8_t* put_wide "be_put_wide"(uint8_t* p, Wide x, int size) noexcept nogil
    Wide read_wide "be_read_wide"(const uint8_t* p, int64_t n) noexcept nogil


cdef enum:
    WIDEST = 16  # bytes of a Wide


cdef struct Sums:
    Wide volume    # IS_SIZED alone
    Wide turnover
    # IS_MIXED alone, where open and close are not those of the first and the last tick: with
    # open_rest and close_rest, what open_at and close_at are. Event times under
    # ORDER=event_time, offsets under ORDER=offset.
    int64_t open_key
    int64_t close_key


cdef enum:  # flags of a window and of a closed bar
    IS_PARTIAL = 1
    IS_SIZED = 2     # a tick had a size
    IS_UNPRICED = 4  # no tick could touch the price: they are the prices of others
    IS_MIXED = 8     # of ticks that could and of ticks that could not
