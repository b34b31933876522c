"""What a book remembers, in C: sides (brokers), domains (what closes together), memos (series).

A memo holds its open bar of each higher rung and, with corrections, for each rung the bars that
can still be corrected, in ascending order. Memos and domains are named by index. Python-free:
failures are NULL or False, and mean that memory ran out.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memmove

from barengine.kernel._bars cimport FILLED
from barengine.kernel._spans cimport Span, Table
from barengine.kernel._store cimport NEVER, Closed, grown

cdef enum:
    MOST_RUNGS = 64


cdef struct Indices:
    uint32_t* items
    int64_t count
    int64_t capacity


cdef struct OpenRung:
    Span span
    bint is_open
    Indices memos     # in order of their first base bar in the span


cdef struct Side:
    int64_t closed    # as it was loaded
    int64_t begin
    int64_t since
    int64_t begins[MOST_RUNGS]
    bint asked
    bint has_hours
    Table hours


cdef struct Domain:
    int64_t side
    int64_t closed
    int64_t event
    int64_t first_waiting   # base bars of this turn, by index; -1: none
    int64_t last_waiting
    Indices memos
    OpenRung* rungs         # [0] is not used
    bint used


cdef struct Kept:
    Closed* items
    int64_t count
    int64_t capacity


cdef struct Memo:
    uint8_t* names          # broker, then symbol
    uint16_t broker_size
    uint16_t symbol_size
    uint32_t domain
    bint dirty
    int64_t real_end
    int64_t close
    int64_t event
    uint64_t stamp          # of the last closing in which it had a real bar
    uint64_t is_open        # bit r: open[r - 1] is in use
    Closed* open            # NULL until first needed
    Kept* kept              # NULL without corrections
    int64_t* cuts           # by rung, or NEVER; NULL until first needed


cdef inline bint push_index(Indices* all, uint32_t index) noexcept nogil:
    cdef void* moved
    if all.count == all.capacity:
        moved = grown(all.items, &all.capacity, 4, sizeof(uint32_t))
        if moved == NULL:
            return False
        all.items = <uint32_t*>moved
    all.items[all.count] = index
    all.count += 1
    return True


cdef inline bint domain_init(Domain* domain, int rungs) noexcept nogil:
    """Set up a zeroed domain."""
    domain.first_waiting = domain.last_waiting = -1
    domain.closed = domain.event = NEVER
    domain.rungs = <OpenRung*>calloc(rungs, sizeof(OpenRung))
    domain.used = domain.rungs != NULL
    return domain.used


cdef inline void domain_free(Domain* domain, int rungs) noexcept nogil:
    cdef int rung
    if domain.rungs != NULL:
        for rung in range(rungs):
            free(domain.rungs[rung].memos.items)
    free(domain.rungs)
    free(domain.memos.items)
    domain.rungs = NULL
    domain.memos.items = NULL
    domain.used = False


cdef inline bint memo_init(
    Memo* memo, const uint8_t* names, int broker_size, int symbol_size, int rungs, bint keeps
) noexcept nogil:
    """Set up a zeroed memo; on False memo_free is still right."""
    memo.real_end = memo.event = NEVER
    memo.broker_size = <uint16_t>broker_size
    memo.symbol_size = <uint16_t>symbol_size
    memo.names = <uint8_t*>malloc(broker_size + symbol_size + 1)
    if memo.names == NULL:
        return False
    memcpy(memo.names, names, broker_size + symbol_size)
    if keeps:
        memo.kept = <Kept*>calloc(rungs, sizeof(Kept))
        return memo.kept != NULL
    return True


cdef inline void memo_free(Memo* memo, int rungs) noexcept nogil:
    cdef int rung
    if memo.kept != NULL:
        for rung in range(rungs):
            free(memo.kept[rung].items)
    free(memo.kept)
    free(memo.cuts)
    free(memo.open)
    free(memo.names)


cdef inline Closed* open_bar(Memo* memo, int rung, int rungs) noexcept nogil:
    """The place of its open bar, whether in use or not; NULL without memory."""
    if memo.open == NULL:
        memo.open = <Closed*>calloc(rungs, sizeof(Closed))
        if memo.open == NULL:
            return NULL
    return &memo.open[rung]


cdef inline int64_t cut_of(const Memo* memo, int rung) noexcept nogil:
    """The newest end of a bar of the rung that has left, where sessions cut it; else NEVER."""
    return NEVER if memo.cuts == NULL else memo.cuts[rung]


cdef inline bint lift_cut(Memo* memo, int rung, int rungs, int64_t end) noexcept nogil:
    """A bar that ends there has left; False without memory."""
    cdef int at
    if memo.cuts == NULL:
        memo.cuts = <int64_t*>malloc(rungs * sizeof(int64_t))
        if memo.cuts == NULL:
            return False
        for at in range(rungs):
            memo.cuts[at] = NEVER
    memo.cuts[rung] = max(memo.cuts[rung], end)
    return True


# -- bars that can be corrected ------------------------------------------------------------------

cdef inline int64_t kept_place(const Kept* kept, int64_t start) noexcept nogil:
    """Index of the first bar at or behind ``start``."""
    cdef int64_t low = 0
    cdef int64_t high = kept.count
    cdef int64_t middle
    if high and kept.items[high - 1].bar.start < start:
        return high
    while low < high:
        middle = (low + high) >> 1
        if kept.items[middle].bar.start < start:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline Closed* kept_at(const Kept* kept, int64_t start) noexcept nogil:
    """The bar of that bucket, or NULL."""
    cdef int64_t place = kept_place(kept, start)
    if place < kept.count and kept.items[place].bar.start == start:
        return &kept.items[place]
    return NULL


cdef inline Closed* kept_holding(const Kept* kept, int64_t time) noexcept nogil:
    """The bar that holds a time, or NULL."""
    cdef int64_t place = kept_place(kept, time + 1) - 1
    if place >= 0 and kept.items[place].end > time:
        return &kept.items[place]
    return NULL


cdef inline bint is_free(const Kept* kept, int64_t start, int64_t end) noexcept nogil:
    """Whether no bar lies between the times, or reaches in."""
    cdef int64_t place = kept_place(kept, start)
    if place < kept.count and kept.items[place].bar.start < end:
        return False
    return kept_holding(kept, start) == NULL


cdef inline bint keep_bar(Kept* kept, const Closed* one) noexcept nogil:
    """Put in a bar, or replace that of its bucket."""
    cdef int64_t place = kept_place(kept, one.bar.start)
    cdef void* moved
    if place == kept.count or kept.items[place].bar.start != one.bar.start:
        if kept.count == kept.capacity:
            moved = grown(kept.items, &kept.capacity, 4, sizeof(Closed))
            if moved == NULL:
                return False
            kept.items = <Closed*>moved
        memmove(
            &kept.items[place + 1], &kept.items[place], (kept.count - place) * sizeof(Closed)
        )
        kept.count += 1
    kept.items[place] = one[0]
    return True


cdef inline void drop_first(Kept* kept, int64_t count) noexcept nogil:
    kept.count -= count
    memmove(kept.items, &kept.items[count], kept.count * sizeof(Closed))


cdef inline int64_t next_real(const Kept* kept, int64_t start, int64_t otherwise) noexcept nogil:
    """Start of the first real bar behind that of ``start``."""
    cdef int64_t at
    for at in range(kept_place(kept, start), kept.count):
        if kept.items[at].bar.start > start and kept.items[at].origin != FILLED:
            return kept.items[at].bar.start
    return otherwise
