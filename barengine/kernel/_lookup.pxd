"""Finding series and brokers by name, and making them on first sight. Python-free."""

from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from barengine.kernel._names cimport (
    WORD,
    Arena,
    Name,
    arena_take,
    first_bytes,
    fold,
    hash_name,
    is_name,
    named,
)
from barengine.kernel._store cimport (
    IS_ALIAS,
    LONGEST_NAME,
    NEVER,
    NONE,
    SIZES,
    SIZE_BITS,
    Broker,
    Series,
    Slot,
    Store,
    Window,
    add_chunk,
    empty_slots,
    grown,
    series_at,
    window_at,
)
from barengine.kernel._wire cimport Bytes, likely, prefetch, unlikely


cdef enum:
    PROBES = 2  # without a branch; further on lie few, and for many series in other cache lines


# -- hash tables -------------------------------------------------------------------------------

cdef inline void put_slot(Slot* slots, uint32_t mask, uint32_t hash, uint32_t index) noexcept nogil:
    cdef uint32_t at = hash & mask
    while slots[at].index != NONE:
        at = (at + 1) & mask
    slots[at].hash = hash
    slots[at].index = index


cdef inline bint reserve_slot(Slot** slots, uint32_t* mask, uint32_t used) noexcept nogil:
    """At most half of the slots are ever in use, so that a search ends soon."""
    cdef uint32_t wanted, at
    cdef Slot* larger
    if likely(used < mask[0] >> 1):
        return True
    if mask[0] >> 31:
        return False
    wanted = (mask[0] + 1) * 2
    larger = empty_slots(wanted)
    if larger == NULL:
        return False
    for at in range(mask[0] + 1):
        if slots[0][at].index != NONE:
            put_slot(larger, wanted - 1, slots[0][at].hash, slots[0][at].index)
    free(slots[0])
    slots[0] = larger
    mask[0] = wanted - 1
    return True


cdef inline uint32_t series_hash(const Store* st, Name broker, Name symbol) noexcept nogil:
    cdef uint64_t hash
    if likely(broker.n <= 8 and symbol.n <= 8):
        hash = st.secret[1] ^ <uint64_t>(broker.n << 4 | symbol.n)
        hash = fold(broker.word ^ st.secret[0], symbol.word ^ hash)
    else:
        hash = hash_name(broker, st.secret[1], st.secret[0])
        hash = hash_name(symbol, hash, st.secret[0])
    return <uint32_t>(hash >> 32)


# -- brokers -----------------------------------------------------------------------------------

cdef inline uint32_t add_broker(Store* st, Name name, uint32_t hash) noexcept nogil:
    cdef Broker* brokers
    cdef Broker* one
    cdef int64_t capacity = st.broker_capacity
    cdef uint8_t* kept
    if not reserve_slot(&st.broker_slots, &st.broker_slot_mask, st.broker_count):
        return NONE
    if st.broker_count == st.broker_capacity:
        brokers = <Broker*>grown(st.brokers, &capacity, 4, sizeof(Broker))
        if brokers == NULL:
            return NONE
        st.brokers = brokers
        st.broker_capacity = <uint32_t>capacity
    kept = arena_take(&st.broker_names, name.n)
    if kept == NULL:
        return NONE
    memcpy(kept, name.p, <size_t>name.n)
    one = &st.brokers[st.broker_count]
    memset(one, 0, sizeof(Broker))
    one.name.p = kept
    one.name.n = name.n
    one.clock = one.event_clock = one.arrival_clock = one.closed = NEVER
    one.begin = one.arrival_wall = one.allowed = NEVER
    one.pause = INT64_MIN + 1 if st.rules.book and not st.rules.by_series else INT64_MAX
    put_slot(st.broker_slots, st.broker_slot_mask, hash, st.broker_count)
    st.broker_count += 1
    return st.broker_count - 1


cdef inline uint32_t find_broker(Store* st, Name name) noexcept nogil:
    """The broker, made on first sight; NONE without memory."""
    cdef uint32_t hash = <uint32_t>(hash_name(name, st.secret[1], st.secret[0]) >> 32)
    cdef uint32_t at = hash & st.broker_slot_mask
    cdef Slot slot
    cdef Broker* one
    while st.broker_slots[at].index != NONE:
        slot = st.broker_slots[at]
        one = &st.brokers[slot.index]
        if slot.hash == hash and one.name.n == name.n and is_name(one.name.p, name):
            return slot.index
        at = (at + 1) & st.broker_slot_mask
    return add_broker(st, name, hash)


# -- series ------------------------------------------------------------------------------------

cdef inline uint32_t sizes_of(Name broker, Name symbol) noexcept nogil:
    return <uint32_t>broker.n << SIZE_BITS | <uint32_t>symbol.n


cdef inline uint32_t broker_size(const Series* one) noexcept nogil:
    return (one.sizes & SIZES) >> SIZE_BITS


cdef inline uint32_t symbol_size(const Series* one) noexcept nogil:
    return one.sizes & LONGEST_NAME


cdef inline const uint8_t* keep_names(Arena* arena, Name broker, Name symbol) noexcept nogil:
    cdef uint8_t* kept = arena_take(arena, broker.n + symbol.n)
    if kept != NULL:
        memcpy(kept, broker.p, <size_t>broker.n)
        memcpy(kept + broker.n, symbol.p, <size_t>symbol.n)
    return kept


cdef inline Series* add_entry(Store* st, Name broker, Name symbol, uint32_t hash) noexcept nogil:
    cdef uint32_t owner = find_broker(st, broker)
    cdef Series* one
    if owner == NONE or not reserve_slot(&st.slots, &st.slot_mask, st.series_count):
        return NULL
    if st.series_count == st.series_capacity:
        if not add_chunk(<void***>&st.series_chunks, &st.series_capacity, sizeof(Series)):
            return NULL
    one = series_at(st, st.series_count)
    memset(one, 0, sizeof(Series))
    one.names = keep_names(&st.names, broker, symbol)
    if one.names == NULL:
        return NULL
    one.sizes = sizes_of(broker, symbol)
    one.broker = owner
    one.newest = one.oldest = NONE
    one.clock = one.closed = NEVER
    # Met in recovery, it may have arrived as late as its broker did; live, it does now.
    one.arrival_wall = st.brokers[owner].arrival_wall
    one.last_offset = -1
    put_slot(st.slots, st.slot_mask, hash, st.series_count)
    st.series_count += 1
    return one


cdef inline bint is_series(const Series* one, Name broker, Name symbol) noexcept nogil:
    """Whether the entry has these names; short ones are compared both at once."""
    if unlikely(one.sizes & SIZES != sizes_of(broker, symbol)):
        return False
    if likely(broker.n <= WORD and symbol.n <= WORD):
        return not (
            (first_bytes(one.names, broker.n) ^ broker.word)
            | (first_bytes(one.names + broker.n, symbol.n) ^ symbol.word)
        )
    return is_name(one.names, broker) and is_name(one.names + broker.n, symbol)


cdef inline Series* known_series(
    Store* st, Name broker, Name symbol, uint32_t hash, uint32_t* index
) noexcept nogil:
    """The entry of that name and its index, or NULL; it may be a spelling."""
    cdef uint32_t at = hash & st.slot_mask
    cdef Slot slot = st.slots[at]
    cdef Series* one
    while slot.index != NONE:
        if slot.hash == hash:
            one = series_at(st, slot.index)
            if likely(is_series(one, broker, symbol)):
                index[0] = slot.index
                return one
        at = (at + 1) & st.slot_mask
        slot = st.slots[at]
    return NULL


cdef inline Series* add_series(
    Store* st, Name broker, Name symbol, uint32_t hash, uint32_t* index
) noexcept nogil:
    index[0] = st.series_count
    return add_entry(st, broker, symbol, hash)


cdef inline Series* add_spelling(
    Store* st, Name broker, Name symbol, uint32_t hash, Name canonical, uint32_t* index
) noexcept nogil:
    """The series of the canonical name, and an entry that leads to it from this one."""
    cdef uint32_t own = series_hash(st, broker, canonical)
    cdef uint32_t place = 0
    cdef Series* one = known_series(st, broker, canonical, own, index)
    cdef Series* spelling
    if one == NULL:
        one = add_series(st, broker, canonical, own, index)
    if one == NULL:
        return NULL
    spelling = add_series(st, broker, symbol, hash, &place)
    if spelling == NULL:
        return NULL
    spelling.sizes |= IS_ALIAS
    spelling.last_offset = index[0]
    st.spellings += 1
    return one


cdef inline Series* new_name(
    Store* st, Name broker, Name symbol, uint32_t hash, uint32_t* index
) noexcept nogil:
    """The series of a name that is met for the first time."""
    cdef Bytes canonical
    cdef int answer = 0
    if st.rename != NULL:
        answer = st.rename(st.owner, broker, symbol, &canonical)
    if answer < 0:
        return NULL
    if answer > 0:
        return add_spelling(st, broker, symbol, hash, named(canonical), index)
    return add_series(st, broker, symbol, hash, index)


cdef inline Series* meant(Store* st, Series* one, uint32_t* index) noexcept nogil:
    """The series of an entry, which may be a spelling of it; ``index`` is made to be its own."""
    if unlikely(one.sizes & IS_ALIAS):
        index[0] = <uint32_t>one.last_offset
        return series_at(st, index[0])
    return one


cdef inline Series* find_series(
    Store* st, Name broker, Name symbol, uint32_t hash, uint32_t* index
) noexcept nogil:
    """The series and its index, made on first sight; NULL without memory.

    No name is longer than LONGEST_NAME; ``hash`` is their series_hash.
    """
    cdef Series* one = known_series(st, broker, symbol, hash, index)
    if unlikely(one == NULL):
        return new_name(st, broker, symbol, hash, index)
    return meant(st, one, index)


# A tick's series lies behind four loads, each of which needs the one before: slot, series, name,
# window. Asking for them early, for several ticks at once, hides most of what they cost.

cdef inline uint32_t chosen_index(
    const Store* st, uint32_t at, uint32_t hash, uint32_t otherwise
) noexcept nogil:
    cdef Slot slot = st.slots[at]
    return slot.index if slot.hash == hash else otherwise


cdef inline void prefetch_slot(Store* st, uint32_t hash) noexcept nogil:
    prefetch(&st.slots[hash & st.slot_mask])


cdef inline uint32_t prefetch_series(Store* st, uint32_t hash) noexcept nogil:
    """The index of an entry of that hash, all but always the right one; NONE: there is none."""
    cdef uint32_t at = hash & st.slot_mask
    cdef uint32_t index = NONE
    cdef uint32_t behind
    # Whether the first is the one is a coin toss: chosen, not branched.
    for behind in range(PROBES - 1, -1, -1):
        index = chosen_index(st, (at + behind) & st.slot_mask, hash, index)
    if unlikely(index == NONE):
        at = (at + PROBES) & st.slot_mask
        while st.slots[at].hash != hash and st.slots[at].index != NONE:
            at = (at + 1) & st.slot_mask
        index = st.slots[at].index
    if likely(index != NONE):
        prefetch(series_at(st, index))
    return index


cdef inline void prefetch_window(Store* st, uint32_t index) noexcept nogil:
    cdef const Series* one
    cdef const Window* window
    if likely(index != NONE):
        one = series_at(st, index)
        prefetch(one.names)
        if likely(one.newest != NONE):
            window = window_at(st, one.newest)
            prefetch(window)
            prefetch(<const uint8_t*>window + 64)
        elif one.sizes & IS_ALIAS:
            prefetch(series_at(st, <uint32_t>one.last_offset))


cdef inline Series* guessed_series(
    Store* st, Name broker, Name symbol, uint32_t* index
) noexcept nogil:
    """The series of that entry and its index if it has these names; NULL: ask find_series."""
    cdef Series* one
    if unlikely(index[0] == NONE):
        return NULL
    one = series_at(st, index[0])
    if unlikely(not is_series(one, broker, symbol)):
        return NULL
    return meant(st, one, index)


cdef inline Bytes broker_of(const Series* one) noexcept nogil:
    cdef Bytes name
    name.p = one.names
    name.n = broker_size(one)
    return name


cdef inline Bytes symbol_of(const Series* one) noexcept nogil:
    cdef Bytes name
    name.p = one.names + broker_size(one)
    name.n = symbol_size(one)
    return name
