"""The open-window table in C: series, brokers, windows, and the lists that tie them together.

    slots    open addressing: hash of (broker, symbol) -> series
    Series   64 bytes in chunks that never move; its windows hang in a list, newest bucket first.
             A symbol that is spelled in another way has an entry more, which leads to it
    Window   128 bytes from a pool of chunks with a free list
    Sums     48 bytes more for each window, in chunks beside those, if there are sizes at all
    Broker   its clocks and, under WATERMARK=broker, a calendar: buckets in ascending order, each
             a queue of windows in order of their first tick, so that closing costs O(1) a window
    links    under WATERMARK=series all windows hang in one list in order of their first tick
             instead, and series with something to close wait in a queue

Series and windows are named by index (NONE: no such), which halves the links. Order of first
appearance is index order; evict keeps it. Python-free: failures are NULL or False, and mean
that memory ran out.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset
from posix.stdlib cimport posix_memalign

from barengine.kernel._names cimport Arena, Name, arena_free
from barengine.kernel._sums cimport Sums
from barengine.kernel._wire cimport Bytes


cdef extern from *:
    """
    #define be_never INT64_MIN
    static inline int64_t be_plus(int64_t a, int64_t b)
    {
        int64_t sum;
        if (__builtin_add_overflow(a, b, &sum)) return b < 0 ? INT64_MIN : INT64_MAX;
        return sum;
    }
    static inline int64_t be_minus(int64_t a, int64_t b)
    {
        int64_t rest;
        if (__builtin_sub_overflow(a, b, &rest)) return b < 0 ? INT64_MAX : INT64_MIN;
        return rest;
    }
    /* Start of the bucket that holds a time, floor also before 1970. */
    static inline int64_t be_floor_to(int64_t time, int64_t length)
    {
        int64_t over = time % length;
        if (over < 0) over += length;
        return be_minus(time, over);
    }
    """
    const int64_t NEVER "be_never"  # model.NEVER
    # Sums that stop at the ends of int64: only clocks that no event can set come that far.
    int64_t plus "be_plus"(int64_t a, int64_t b) noexcept nogil
    int64_t minus "be_minus"(int64_t a, int64_t b) noexcept nogil
    int64_t floor_to "be_floor_to"(int64_t time, int64_t length) noexcept nogil


cdef enum:
    CHUNK_BITS = 10
    CHUNK = 1024     # entries of a chunk: 64 KiB of series, 128 KiB of windows
    CACHE_LINE = 64  # a series is one of them, a window two
    SIZE_BITS = 12   # of a name's size in a Series
    LONGEST_NAME = 4095

cdef extern from *:
    """
    #define be_none UINT32_MAX
    """
    const uint32_t NONE "be_none"

cdef extern from *:
    """
    #define be_no_date INT32_MIN
    """
    const int32_t NO_DATE "be_no_date"


cdef struct Ohlc:
    int64_t start
    int64_t open
    int64_t high
    int64_t low
    int64_t close
    int64_t count
    int64_t first_event
    int64_t last_event
    int64_t first_offset
    int64_t last_offset
    # What first_event/first_offset and last_* leave open of (time, offset) of open and close:
    # the offsets under ORDER=event_time, the times under ORDER=offset.
    int64_t open_rest
    int64_t close_rest


cdef struct Window:  # two cache lines
    Ohlc bar
    uint32_t series
    uint32_t older   # of the same series
    uint32_t newer
    uint32_t before  # WATERMARK=series: opened before this one
    uint32_t after   # opened after it: in its bucket (broker), or at all (series); free list
    uint32_t flags
    int64_t given    # its count when it was last given to take_live


cdef struct Series:  # one cache line
    const uint8_t* names  # broker, then symbol
    uint32_t sizes        # of the names, broker's above symbol's; flags above both
    uint32_t broker
    uint32_t newest
    uint32_t oldest
    int64_t clock
    int64_t closed
    int64_t mark
    int64_t arrival_wall
    int64_t last_offset


cdef enum:  # flags in Series.sizes
    SIZES = (1 << 24) - 1
    IS_DUE = 1 << 24
    IS_DIRTY = 1 << 25
    IS_CLOSING = 1 << 26  # while evict runs: a bar of it is pending
    IS_STORED = 1 << 27   # a window of it was stored at Store.as_of, open or closed by now
    IS_ALIAS = 1 << 28    # no series: another spelling of series ``last_offset``, to be found by


cdef struct Bucket:
    int64_t start
    uint32_t first
    uint32_t last


cdef struct Broker:
    Bytes name
    int64_t clock
    int64_t event_clock
    int64_t arrival_clock
    int64_t closed
    int64_t begin
    int64_t arrival_wall
    int64_t mark
    int64_t hours_from  # newest answer of KernelConfig.trading
    int64_t hours_to
    bint trades
    int64_t allowed    # with a book: how far it may be closed, if that is more than ``closed``
    int64_t pause      # the smallest clock whose watermark is beyond both
    Bucket* buckets
    int64_t head       # buckets[head:tail] are in use
    int64_t tail
    int64_t capacity


cdef struct Slot:
    uint32_t hash
    uint32_t index


cdef struct Closed:  # any bar on its way out; _block.pyx tells how to make a block of them
    Ohlc bar
    Sums sums           # read as far as ``flags`` say
    int64_t end
    uint64_t names      # where its names begin; in CompiledBarBlock.take: which series
    uint16_t broker_size
    uint16_t symbol_size
    uint32_t flags
    int32_t revision
    int32_t trading_date  # days since 1970-01-01, or NO_DATE
    uint8_t origin        # index in codec.bar.ORIGINS
    uint8_t cause         # 0, or 1 + index in codec.bar.CAUSES
    uint8_t period        # for who makes bars of several periods; blocks do not look at it


cdef struct ClosedBars:
    Closed* items
    int64_t count
    int64_t capacity


cdef struct Shut:  # a closed window until it is taken: no more than it must have, for they are many
    Ohlc bar
    uint32_t series
    uint32_t flags


cdef struct ShutWindows:
    Shut* items
    Sums* sums          # of each, if rules.sized
    int64_t count
    int64_t capacity
    int64_t sums_capacity


# Asks what a symbol is called: takes the GIL, returns 0 (as it is), 1 (``canonical``, which lives
# until the next call) or -1 (without memory).
ctypedef int (*Rename)(
    void* owner, Name broker, Name symbol, Bytes* canonical
) noexcept nogil


# Asks whether the broker of an index trades at a time, and until when: takes the GIL, sets its
# hours; False on any failure.
ctypedef bint (*Trades)(void* owner, uint32_t broker, int64_t time) noexcept nogil


cdef struct Rules:
    int64_t period
    int64_t grace
    int64_t idle          # -1: off
    int64_t max_future
    bint by_series
    bint by_offset
    bint began_whole
    bint book             # KernelConfig.book
    bint sized            # windows have Sums


cdef struct Store:
    Rules rules
    Series** series_chunks
    uint32_t series_count
    uint32_t series_capacity
    uint32_t spellings      # entries among them that are no series
    Rename rename           # NULL: every name is its own
    Trades ask_hours        # NULL: every tick is taken
    int outside             # model.Reason of those that are not
    void* owner
    Window** window_chunks
    Sums** sums_chunks    # beside window_chunks; none unless rules.sized
    uint32_t sums_capacity
    uint32_t windows_made
    uint32_t window_capacity
    uint32_t free_window
    uint32_t open_windows
    Slot* slots
    uint32_t slot_mask
    Slot* broker_slots
    uint32_t broker_slot_mask
    Broker* brokers
    uint32_t broker_count
    uint32_t broker_capacity
    Arena names
    Arena broker_names
    uint64_t secret[2]
    ShutWindows closed
    uint32_t* due
    int64_t due_count
    int64_t due_capacity
    uint32_t first_opened   # WATERMARK=series
    uint32_t last_opened
    int64_t newest_first_offset
    bint disordered         # a window was opened by a smaller offset than one before it
    int64_t as_of           # every window opened before this offset is stored as of it
    int64_t observed
    bint lifted             # Kernel.lifted
    bint paused             # the tick that was taken just now ends the walk


cdef inline void* grown(void* items, int64_t* capacity, int64_t least, size_t size) noexcept nogil:
    """``items`` moved to room for twice as many; NULL without memory, then they are untouched."""
    cdef int64_t wanted = capacity[0] * 2 if capacity[0] * 2 > least else least
    cdef void* moved = realloc(items, <size_t>wanted * size)
    if moved != NULL:
        capacity[0] = wanted
    return moved


cdef inline Series* series_at(Store* st, uint32_t index) noexcept nogil:
    return &st.series_chunks[index >> CHUNK_BITS][index & (CHUNK - 1)]


cdef inline Window* window_at(Store* st, uint32_t index) noexcept nogil:
    return &st.window_chunks[index >> CHUNK_BITS][index & (CHUNK - 1)]


cdef inline Sums* sums_at(Store* st, uint32_t index) noexcept nogil:
    return &st.sums_chunks[index >> CHUNK_BITS][index & (CHUNK - 1)]


cdef inline bint add_chunk(void*** chunks, uint32_t* capacity, size_t size) noexcept nogil:
    """One more chunk at the end; ``capacity`` counts entries."""
    cdef size_t count = capacity[0] >> CHUNK_BITS
    cdef void** table
    cdef void* chunk = NULL
    if capacity[0] >= NONE - CHUNK:
        return False
    table = <void**>realloc(chunks[0], (count + 1) * sizeof(void*))
    if table == NULL:
        return False
    chunks[0] = table
    if posix_memalign(&chunk, CACHE_LINE, CHUNK * size) != 0:
        return False
    table[count] = chunk
    capacity[0] += CHUNK
    return True


cdef inline Slot* empty_slots(uint32_t count) noexcept nogil:
    cdef Slot* slots = <Slot*>malloc(count * sizeof(Slot))
    if slots != NULL:
        memset(slots, 0xFF, count * sizeof(Slot))  # every index is NONE
    return slots


# -- life --------------------------------------------------------------------------------------

cdef inline bint store_init(Store* st) noexcept nogil:
    """Set up a zeroed store; False without memory, and then store_free is still right."""
    st.free_window = st.first_opened = st.last_opened = NONE
    st.newest_first_offset = NEVER
    st.slots = empty_slots(64)
    st.broker_slots = empty_slots(64)
    st.slot_mask = st.broker_slot_mask = 63
    return st.slots != NULL and st.broker_slots != NULL


cdef inline void store_free(Store* st) noexcept nogil:
    cdef uint32_t at
    for at in range(st.series_capacity >> CHUNK_BITS):
        free(st.series_chunks[at])
    for at in range(st.window_capacity >> CHUNK_BITS):
        free(st.window_chunks[at])
    for at in range(st.sums_capacity >> CHUNK_BITS):
        free(st.sums_chunks[at])
    for at in range(st.broker_count):
        free(st.brokers[at].buckets)
    free(st.series_chunks)
    free(st.window_chunks)
    free(st.sums_chunks)
    free(st.brokers)
    free(st.slots)
    free(st.broker_slots)
    free(st.closed.items)
    free(st.closed.sums)
    free(st.due)
    arena_free(&st.names)
    arena_free(&st.broker_names)


cdef inline int64_t bytes_held(const Store* st) noexcept nogil:
    """What all of it has asked malloc for, without malloc's own share."""
    cdef uint32_t at
    cdef size_t size = (<size_t>st.slot_mask + st.broker_slot_mask + 2) * sizeof(Slot)
    size += st.series_capacity * sizeof(Series) + st.window_capacity * sizeof(Window)
    size += (st.series_capacity + st.window_capacity) // CHUNK * sizeof(void*)
    size += st.sums_capacity * sizeof(Sums) + st.sums_capacity // CHUNK * sizeof(void*)
    size += st.broker_capacity * sizeof(Broker) + st.due_capacity * sizeof(uint32_t)
    size += st.closed.capacity * sizeof(Shut) + st.closed.sums_capacity * sizeof(Sums)
    for at in range(st.broker_count):
        size += st.brokers[at].capacity * sizeof(Bucket)
    return <int64_t>size + st.names.total + st.broker_names.total
