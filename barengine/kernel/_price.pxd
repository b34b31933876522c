"""Exact conversions to scaled prices of 18 digits: codec/convert.py in 128-bit integers.

Every result is rounded once, half to even. The functions return 0, or the number of the reason
why there is no price (model.Reason), or TOO_WIDE.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t


cdef enum:
    PRICE_NOT_FINITE = 7
    PRICE_RANGE = 8
    TOO_WIDE = 100  # more than 16 significant bytes: a case for Python's integers


cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    typedef unsigned __int128 be_u128;

    static const uint64_t be_ten_to[20] = {
        1ull, 10ull, 100ull, 1000ull, 10000ull, 100000ull, 1000000ull, 10000000ull,
        100000000ull, 1000000000ull, 10000000000ull, 100000000000ull, 1000000000000ull,
        10000000000000ull, 100000000000000ull, 1000000000000000ull, 10000000000000000ull,
        100000000000000000ull, 1000000000000000000ull, 10000000000000000000ull};

    /* 0 and *out, or PRICE_RANGE beyond model.MAX_PRICE. */
    static inline int be_signed(int negative, be_u128 magnitude, int64_t *out)
    {
        if (magnitude > 999999999999999999ull) return 8;
        *out = (int64_t)(negative ? 0 - (uint64_t)magnitude : (uint64_t)magnitude);
        return 0;
    }

    /* Whatever is not a plain number of a usual size. */
    static int be_from_odd_double(uint64_t bits, int price_scale, int64_t *out)
        __attribute__((unused, noinline));
    static int be_from_odd_double(uint64_t bits, int price_scale, int64_t *out)
    {
        const int negative = (int)(bits >> 63);
        int exponent = (int)(bits >> 52) & 0x7FF;
        uint64_t mantissa = bits & 0xFFFFFFFFFFFFFull;
        be_u128 product, rest, half;
        int down;

        if (exponent == 0x7FF) return 7;
        if (exponent) mantissa |= 1ull << 52; else exponent = 1;
        /* The value is mantissa * 2^(exponent - 1075); the product has at most 113 bits. */
        product = (be_u128)mantissa * be_ten_to[price_scale];
        down = 1075 - exponent;
        if (down <= 0) {
            if (down < -11) return 8; /* at least 2^52 * 2^12 */
            return be_signed(negative, product << -down, out);
        }
        if (down > 113) { /* less than half of the last decimal */
            *out = 0;
            return 0;
        }
        rest = product & (((be_u128)1 << down) - 1);
        half = (be_u128)1 << (down - 1);
        product >>= down;
        product += rest > half || (rest == half && (product & 1));
        return be_signed(negative, product, out);
    }

    /* Nearly every price, the same as above in half words: below 2^63, and of 1 to 63 binary
       places, so neither subnormal nor infinite. Which way it is rounded nobody can foretell: that
       is computed, not branched. */
    static inline int be_from_double(uint64_t bits, int price_scale, int64_t *out)
    {
        const unsigned down = 1075 - ((unsigned)(bits >> 52) & 0x7FF);
        const uint64_t mantissa = (bits & 0xFFFFFFFFFFFFFull) | 1ull << 52;
        const be_u128 product = (be_u128)mantissa * be_ten_to[price_scale];
        const uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;

        if (__builtin_expect(down - 1 < 63 && !(high >> ((down - 1) & 63)), 1)) {
            const uint64_t tail = low << (64 - down), tie = 1ull << 63;
            const uint64_t sign = 0 - (bits >> 63);
            uint64_t whole = high << (64 - down) | low >> down;
            whole += (uint64_t)(tail > tie) | ((uint64_t)(tail == tie) & whole);
            if (__builtin_expect(whole > 999999999999999999ull, 0)) return 8;
            *out = (int64_t)((whole ^ sign) - sign);
            return 0;
        }
        return be_from_odd_double(bits, price_scale, out);
    }

    /* magnitude / 10^scale, magnitude <= 2^127. */
    static inline int be_rescale(int negative, be_u128 magnitude, int scale, int price_scale,
                                 int64_t *out)
    {
        const int down = scale - price_scale;
        be_u128 divisor, quotient, rest;

        if (down <= 0) {
            if (magnitude >> 64) return 8;
            return be_signed(negative, magnitude * be_ten_to[-down], out);
        }
        if (down > 38) { /* 2^127 < 10^39 / 2 */
            *out = 0;
            return 0;
        }
        if (down < 20 && !(magnitude >> 64)) {
            quotient = (uint64_t)magnitude / be_ten_to[down];
            rest = (uint64_t)magnitude % be_ten_to[down];
            divisor = be_ten_to[down];
        } else {
            divisor = down < 20 ? be_ten_to[down] : (be_u128)be_ten_to[19] * be_ten_to[down - 19];
            quotient = magnitude / divisor;
            rest = magnitude % divisor;
        }
        quotient += 2 * rest > divisor || (2 * rest == divisor && (quotient & 1));
        return be_signed(negative, quotient, out);
    }

    static inline int be_from_long(int64_t value, int price_scale, int64_t *out)
    {
        const uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
        return be_rescale(value < 0, magnitude, 0, price_scale, out);
    }

    /* Big-endian two's complement of n bytes, divided by 10^scale. */
    static inline int be_from_decimal(const uint8_t *p, int64_t n, int scale, int price_scale,
                                      int64_t *out)
    {
        const int negative = n > 0 && p[0] >= 0x80;
        const uint8_t fill = negative ? 0xFF : 0;
        be_u128 value = negative ? ~(be_u128)0 : 0;

        while (n > 1 && p[0] == fill && (p[1] >= 0x80) == negative) { p++; n--; }
        if (n > 16) return 100;
        for (; n > 0; p++, n--) value = value << 8 | *p;
        return be_rescale(negative, negative ? 0 - value : value, scale, price_scale, out);
    }

    /* (a + b) / 2. */
    static inline int64_t be_half_sum(int64_t a, int64_t b)
    {
        const int64_t sum = a + b, half = sum >> 1; /* each is below 2^60; floor */
        return half + (sum & half & 1);
    }

    /* Half of the sum of two doubles that are prices, or TOO_WIDE: each is an integer times
       10^price_scale * 2^-down, both are taken to the larger down, and their sum is exact. */
    static inline int be_mid_of_doubles(const uint64_t a, const uint64_t b, int price_scale,
                                        int64_t *out)
    {
        const uint64_t bits[2] = {a, b};
        be_u128 product[2], magnitude, rest, half;
        __int128 sum = 0;
        int down[2], most = 0, at;

        for (at = 0; at < 2; at++) {
            const int exponent = (int)(bits[at] >> 52) & 0x7FF;
            uint64_t mantissa = bits[at] & 0xFFFFFFFFFFFFFull;
            if (exponent) mantissa |= 1ull << 52;
            product[at] = (be_u128)mantissa * be_ten_to[price_scale];
            down[at] = mantissa ? 1075 - (exponent ? exponent : 1) : 0;
            if (down[at] < 0) { /* it is a price, so this is below 2^60 */
                product[at] <<= -down[at];
                down[at] = 0;
            }
            if (down[at] > most) most = down[at];
        }
        if (most > 120) return 100;
        for (at = 0; at < 2; at++) {
            if (product[at] >> (125 - (most - down[at]))) return 100;
            product[at] <<= most - down[at];
            sum += bits[at] >> 63 ? -(__int128)product[at] : (__int128)product[at];
        }
        most++;
        magnitude = sum < 0 ? 0 - (be_u128)sum : (be_u128)sum;
        rest = magnitude & (((be_u128)1 << most) - 1);
        half = (be_u128)1 << (most - 1);
        magnitude >>= most;
        magnitude += rest > half || (rest == half && (magnitude & 1));
        return be_signed(sum < 0, magnitude, out);
    }

    static inline uint64_t be_widened(uint32_t float_bits)
    {
        float narrow;
        double wide;
        uint64_t bits;
        memcpy(&narrow, &float_bits, 4);
        wide = narrow;
        memcpy(&bits, &wide, 8);
        return bits;
    }
    """
    int price_from_double "be_from_double"(
        uint64_t bits, int price_scale, int64_t* out) noexcept nogil
    int price_from_long "be_from_long"(int64_t value, int price_scale, int64_t* out) noexcept nogil
    int price_from_decimal "be_from_decimal"(
        const uint8_t* p, int64_t n, int scale, int price_scale, int64_t* out) noexcept nogil
    int64_t half_sum "be_half_sum"(int64_t a, int64_t b) noexcept nogil
    int mid_of_doubles "be_mid_of_doubles"(
        uint64_t a, uint64_t b, int price_scale, int64_t* out) noexcept nogil
    uint64_t widened "be_widened"(unsigned int float_bits) noexcept nogil
