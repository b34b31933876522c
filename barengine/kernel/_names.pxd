"""Names as bytes: UTF-8 check, hash, and the arena that keeps them. Python-free."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from barengine.kernel._wire cimport Bytes, likely, load32, load64, unlikely


cdef extern from *:
    """
    /* Both halves of the 128-bit product folded into one: the mixing step of wyhash. */
    static inline uint64_t be_fold(uint64_t a, uint64_t b)
    {
        const unsigned __int128 product = (unsigned __int128)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    #define be_high_bits 0x8080808080808080ull

    /* What is left of eight bytes where only so many count. */
    static const uint64_t be_first_bytes[9] = {
        0, 0xFFull, 0xFFFFull, 0xFFFFFFull, 0xFFFFFFFFull, 0xFFFFFFFFFFull, 0xFFFFFFFFFFFFull,
        0xFFFFFFFFFFFFFFull, 0xFFFFFFFFFFFFFFFFull};
    """
    const uint64_t* FIRST_BYTES "be_first_bytes"
    const uint64_t HIGH_BITS "be_high_bits"
    uint64_t fold "be_fold"(uint64_t a, uint64_t b) noexcept nogil


cdef enum:
    BLOCK_BYTES = 65536  # names come one by one; few allocations, little left over at the end
    WORD = 8             # bytes that can be read from where any name in the arena begins
    MIDDLING = 24        # bytes that three words cover


cdef struct Block:
    Block* older
    int64_t used
    int64_t size


cdef struct Name:
    const uint8_t* p
    int64_t n
    uint64_t word  # all of it if n <= WORD: nothing more to load to check, hash, compare


cdef struct Words:  # of a name of WORD to MIDDLING bytes: they overlap rather than leave any out
    uint64_t first
    uint64_t middle
    uint64_t last


cdef struct Arena:
    Block* newest
    int64_t total


cdef inline bint is_tail(uint8_t byte) noexcept nogil:
    return byte & 0xC0 == 0x80


cdef inline int sequence_length(const uint8_t* p, int64_t left) noexcept nogil:
    """Bytes of the UTF-8 sequence at ``p``; 0 where there is none that Unicode allows."""
    cdef uint8_t first = p[0]
    cdef uint8_t low = 0x80
    cdef uint8_t high = 0xBF
    if first < 0x80:
        return 1
    if first < 0xC2 or left < 2:
        return 0
    if first < 0xE0:
        return 2 if is_tail(p[1]) else 0
    # The second byte's range shuts out overlong forms, surrogates and what is over U+10FFFF.
    if first == 0xE0:
        low = 0xA0
    elif first == 0xED:
        high = 0x9F
    elif first == 0xF0:
        low = 0x90
    elif first == 0xF4:
        high = 0x8F
    if first > 0xF4 or p[1] < low or p[1] > high or left < 3 or not is_tail(p[2]):
        return 0
    if first < 0xF0:
        return 3
    return 4 if left >= 4 and is_tail(p[3]) else 0


cdef inline uint64_t few_bytes(const uint8_t* p, int64_t n) noexcept nogil:
    """Up to eight bytes in one word, least significant first, without reading beyond them."""
    if n >= 4:
        return load32(p) | <uint64_t>load32(p + n - 4) << 8 * (n - 4)
    if n > 0:
        return (
            p[0] | <uint64_t>p[n >> 1] << 8 * (n >> 1) | <uint64_t>p[n - 1] << 8 * (n - 1)
        )
    return 0


cdef inline uint64_t first_bytes(const uint8_t* p, int64_t n) noexcept nogil:
    """few_bytes where WORD bytes can be read: no branch, for lengths are hard to foretell."""
    return load64(p) & FIRST_BYTES[n]


cdef inline Words words_of(const uint8_t* p, int64_t n) noexcept nogil:
    """All of WORD to MIDDLING bytes, without a branch and without reading beyond them."""
    cdef Words words
    cdef int64_t rest = n - WORD
    words.first = load64(p)
    words.middle = load64(p + (rest if rest < WORD else WORD))
    words.last = load64(p + rest)
    return words


cdef inline Name named_before(Bytes content, const uint8_t* end) noexcept nogil:
    """A name, where everything up to ``end`` can be read."""
    cdef Name name
    name.p = content.p
    name.n = content.n
    name.word = 0
    if likely(content.n <= WORD):
        if likely(end - content.p >= WORD):
            name.word = first_bytes(content.p, content.n)
        else:
            name.word = few_bytes(content.p, content.n)
    return name


cdef inline Name named(Bytes content) noexcept nogil:
    """A name, where nothing behind it can be read."""
    return named_before(content, content.p + content.n)


cdef inline bint is_ascii(Name text) noexcept nogil:
    cdef int64_t at = 0
    cdef Words words
    if likely(text.n <= WORD):
        return not text.word & HIGH_BITS
    if likely(text.n <= MIDDLING):
        words = words_of(text.p, text.n)
        return not (words.first | words.middle | words.last) & HIGH_BITS
    while at < text.n - 8:
        if load64(text.p + at) & HIGH_BITS:
            return False
        at += 8
    return not load64(text.p + text.n - 8) & HIGH_BITS


cdef inline bint is_utf8_slowly(Name text) noexcept nogil:
    cdef const uint8_t* p = text.p
    cdef const uint8_t* end = text.p + text.n
    cdef int step
    while p < end:
        step = sequence_length(p, end - p)
        if unlikely(step == 0):
            return False
        p += step
    return True


cdef inline bint is_utf8(Name text) noexcept nogil:
    return likely(is_ascii(text)) or is_utf8_slowly(text)


cdef inline bint is_name(const uint8_t* p, Name name) noexcept nogil:
    """Whether the bytes at ``p`` in the arena, as many as in the name, are the name."""
    cdef int64_t at = 0
    cdef Words own, others
    if likely(name.n <= WORD):
        return first_bytes(p, name.n) == name.word
    if likely(name.n <= MIDDLING):
        own = words_of(name.p, name.n)
        others = words_of(p, name.n)
        return not (
            (own.first ^ others.first) | (own.middle ^ others.middle) | (own.last ^ others.last)
        )
    while at < name.n - 8:
        if load64(p + at) != load64(name.p + at):
            return False
        at += 8
    return load64(p + name.n - 8) == load64(name.p + name.n - 8)


cdef inline uint64_t hash_name(Name name, uint64_t seed, uint64_t key) noexcept nogil:
    """Mix a name into ``seed``. ``key`` is secret, so that no sender can make names collide."""
    cdef const uint8_t* p = name.p
    cdef int64_t n = name.n
    cdef Words words
    seed ^= <uint64_t>name.n
    if likely(n <= WORD):
        return fold(name.word ^ key, seed ^ 0xA0761D6478BD642FULL)
    if likely(n <= MIDDLING):
        words = words_of(p, n)
        seed = fold(words.first ^ key, words.middle ^ seed)
        return fold(words.last ^ key, seed ^ 0xA0761D6478BD642FULL)
    while n > 16:
        seed = fold(load64(p) ^ key, load64(p + 8) ^ seed)
        p += 16
        n -= 16
    if n <= 8:
        # Longer than 16 in all: the last eight bytes exist, some of them are mixed in twice.
        return fold(load64(p + n - 8) ^ key, seed ^ 0xA0761D6478BD642FULL)
    return fold(load64(p) ^ key, load64(p + n - 8) ^ seed)


cdef inline uint8_t* arena_take(Arena* arena, int64_t size) noexcept nogil:
    """Room for ``size`` bytes that stays where it is, WORD bytes readable; NULL without memory."""
    cdef Block* block = arena.newest
    cdef int64_t room
    if block == NULL or block.size - block.used < size:
        room = size if size > BLOCK_BYTES else BLOCK_BYTES
        block = <Block*>malloc(sizeof(Block) + <size_t>room + WORD)
        if block == NULL:
            return NULL
        block.older = arena.newest
        block.used = 0
        block.size = room
        arena.newest = block
        arena.total += room + <int64_t>sizeof(Block) + WORD
    block.used += size
    return <uint8_t*>(block + 1) + block.used - size


cdef inline void arena_free(Arena* arena) noexcept nogil:
    cdef Block* block = arena.newest
    cdef Block* older
    while block != NULL:
        older = block.older
        free(block)
        block = older
    arena.newest = NULL
    arena.total = 0
