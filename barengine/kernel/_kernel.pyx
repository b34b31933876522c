"""The compiled kernel. ``_pure`` is its specification; results are the same to the byte.

    _wire      varints, Kafka records           _store     series, brokers, windows in C
    _program   words of field plans             _windows   opening, filling, closing windows
    _run       their interpreter                _extras    sizes, touches, two sides of a price
    _price     exact 128-bit decimals           _rules     rules 3 to 6, drain, silence
    _names     UTF-8, hash, arena               _lookup    finding series by name
    _evict     forgetting series                _schemas   plans by schema id
    _encode    closed bars to Kafka records     _batch     state of one process call
    _walk      the loop over a batch            _plans     proves a plan before it is trusted
    _block     bars as an object               _stored    open windows to bytes and back
    _sizes     what a tick may touch           _sums      128-bit volume and turnover
    _bridge    Python objects to C and back     _leaving   windows as bars

All but _plans, _block and _bridge are C without Python, so that a batch is walked without the GIL.
This file is what Python sees.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from barengine.kernel._batch cimport (
    AT_SCHEMA,
    MALFORMED,
    OUT_OF_MEMORY,
    Place,
    Walk,
    free_walk,
)
from barengine.kernel._block cimport (
    CompiledBarBlock,
    CompiledOpenWindows,
    CompiledSeriesBlock,
    empty_block,
)
from barengine.kernel._bridge cimport (
    bytes_of,
    load_plan,
    raise_malformed,
    rejects,
    set_skip,
    set_walk,
    to_bytes,
    to_text,
    wide_price,
)
from barengine.kernel._evict cimport choose, compact
from barengine.kernel._leaving cimport (
    copy_live,
    copy_shut,
    forget_shut,
    mark_given,
    mark_not_given,
)
from barengine.kernel._names cimport Name, named
from barengine.kernel._program cimport MAX_EVENT, NO_SIZE, Fields, Plan
from barengine.kernel._rules cimport (
    advance,
    allow,
    drain,
    forget_allowed,
    is_held,
    resume_silence,
    watermark,
)
from barengine.kernel._schemas cimport (
    BY_PLAN,
    NOT_AT_ALL,
    SLOWLY,
    Schema,
    drop_schema,
    free_plan,
    free_schemas,
    room_for_schema,
)
from barengine.kernel._lookup cimport broker_of, find_broker, find_series, series_hash, symbol_of
from barengine.kernel._store cimport (
    LONGEST_NAME,
    NEVER,
    NONE,
    Broker,
    ClosedBars,
    Series,
    Store,
    bytes_held,
    plus,
    series_at,
    store_free,
    store_init,
)
from barengine.kernel._stored cimport load_block
from barengine.kernel._walk cimport Decoder, walk_batch
from barengine.kernel._windows cimport is_stored_open, low_water
from barengine.kernel._wire cimport Bytes, Cursor

from barengine.codec.tick import BadTick
from barengine.kernel._protocol import BrokerState, Outcome
from barengine.model import MAX_SIZE, Framing, Order, Watermark

cdef enum:
    MAX_PRICE_SCALE = 18    # digits of the bar's decimal(18), and powers of ten in 64 bits

# A NamedTuple's own constructor is written in Python.
cdef object new_tuple = tuple.__new__


cdef bytes checked_name(str name):
    raw = name.encode()
    if len(raw) > LONGEST_NAME:
        raise ValueError(f"a name of {len(raw)} bytes")
    return raw


cdef int decode_slowly(
    void* owner, uint32_t schema_id, Cursor value, Fields* out
) except -1 nogil:
    """Run the slow decoder of a kernel, which keeps the names that C now points into."""
    with gil:
        kernel = <CompiledKernel>owner
        content = PyBytes_FromStringAndSize(<const char*>value.p, value.end - value.p)
        try:
            broker, symbol, time_ns, price, size, touch = kernel._slow[schema_id](content)
        except BadTick as bad:
            return bad.reason
        if kernel._decoder.record_time:
            time_ns = 0
        if not -MAX_EVENT <= time_ns <= MAX_EVENT:
            raise OverflowError(f"a slow decoder gave the event time {time_ns}")
        if size is not None and not 0 <= size <= MAX_SIZE:
            raise OverflowError(f"a slow decoder gave the size {size}")
        kernel._names = (broker, symbol)
        out.names[0] = named(bytes_of(broker))
        out.names[1] = named(bytes_of(symbol))
        out.price = price
        out.time = time_ns
        out.size = NO_SIZE if size is None else size
        out.touch = touch
        return 0


cdef bint ask_hours(void* owner, uint32_t broker, int64_t time) noexcept nogil:
    with gil:
        return (<CompiledKernel>owner)._ask_hours(broker, time)


cdef int rename(void* owner, Name broker, Name symbol, Bytes* canonical) noexcept nogil:
    with gil:
        return (<CompiledKernel>owner)._rename(broker, symbol, canonical)


cdef Bytes content_of(Name name) noexcept nogil:
    cdef Bytes content
    content.p, content.n = name.p, name.n
    return content


cdef class CompiledKernel:
    """See ``_protocol.Kernel``.

    A call that comes while another one runs (from a slow decoder, from another thread) is
    refused with RuntimeError.
    """

    cdef Store _store
    cdef Decoder _decoder
    cdef bint _busy
    cdef object _form, _live_form  # BlockForm
    cdef object _symbols           # SymbolNames, or None
    cdef object _trading           # Trading, or None
    cdef object _failure           # what it raised
    cdef bytes _canonical          # name that it gave last: C points into it
    cdef object _left    # the batch that the last call did not read to its end, or None
    cdef Place _left_at  # and where in it the next call goes on
    cdef int64_t _left_offset
    cdef dict _slow      # schema id -> SlowDecoder
    cdef object _names   # of the tick that a slow decoder gave last: C points into them

    def __cinit__(self, config):
        memset(&self._store, 0, sizeof(Store))
        memset(&self._decoder, 0, sizeof(Decoder))
        if not store_init(&self._store):
            raise MemoryError
        self._slow = {}
        # Python's own secret for hashes: nobody outside can choose names that collide.
        self._store.secret[0] = <uint64_t><int64_t>hash(b"barengine series") | 1
        self._store.secret[1] = <uint64_t><int64_t>hash(b"barengine broker")
        self._set_rules(config)
        self._set_decoder(config)
        self._form, self._live_form = config.form(), config.form(live=True)

    def __dealloc__(self):
        store_free(&self._store)
        free_schemas(&self._decoder.schemas)

    def __repr__(self):
        return (
            f"<CompiledKernel: {self._store.series_count - self._store.spellings} series, "
            f"{self._store.open_windows} open windows, {self._store.closed.count} bars pending>"
        )

    cdef int _rename(self, Name broker, Name symbol, Bytes* canonical) noexcept:
        cdef bytes own
        try:
            own = to_bytes(content_of(symbol))
            self._canonical = self._symbols.canonical(to_bytes(content_of(broker)), own)
        except MemoryError:
            return -1
        canonical[0] = bytes_of(self._canonical)
        return self._canonical != own

    cdef int _set_rules(self, config) except -1:
        if not 0 < config.period.length_ns <= MAX_EVENT or not 0 <= config.grace_ns <= MAX_EVENT:
            raise ValueError(f"period {config.period} with a grace of {config.grace_ns} ns")
        idle = config.idle_timeout_ns
        if idle is not None and idle < 0:
            raise ValueError(f"idle timeout {idle} ns")
        self._store.rules.period = config.period.length_ns
        self._store.rules.grace = config.grace_ns
        self._store.rules.idle = -1 if idle is None else idle
        self._store.rules.max_future = config.max_future_ns
        self._store.rules.by_series = config.watermark is Watermark.SERIES
        self._store.rules.by_offset = config.order is Order.OFFSET
        self._store.rules.began_whole = config.began_whole
        self._store.rules.book = config.book
        self._store.rules.sized = config.sizes
        self._trading = config.trading
        if config.trading is not None:
            self._store.ask_hours = ask_hours
            self._store.owner = <void*>self
            self._store.outside = config.out_of_session
        self._symbols = config.names
        if config.names is not None:
            self._store.rename = rename
            self._store.owner = <void*>self
        return 0

    cdef bint _ask_hours(self, uint32_t index, int64_t time) noexcept:
        cdef Broker* broker = &self._store.brokers[index]
        try:
            broker.hours_from, broker.hours_to, broker.trades = self._trading(
                to_text(broker.name), time
            )
        except Exception as error:
            self._failure = error
            return False
        return True

    def reschedule(self):
        self._check_idle()
        for at in range(self._store.broker_count):
            self._store.brokers[at].hours_from = self._store.brokers[at].hours_to = 0

    cdef int _set_decoder(self, config) except -1:
        if not 0 <= config.price_scale <= MAX_PRICE_SCALE:
            raise ValueError(f"price scale {config.price_scale} is outside 0..{MAX_PRICE_SCALE}")
        self._decoder.price_scale = config.price_scale
        self._decoder.framed = config.framing is Framing.CONFLUENT
        self._decoder.by_id = config.schema_by_id
        self._decoder.record_time = config.record_time
        self._decoder.wide = wide_price
        self._decoder.slow = decode_slowly
        self._decoder.owner = <void*>self
        return 0

    cdef int _check_idle(self) except -1:
        if self._busy:
            raise RuntimeError("the kernel is in the middle of another call")
        return 0

    # -- schemas -----------------------------------------------------------------------------

    def add_schema(self, schema_id, plan, slow=None):
        self._check_idle()
        cdef Plan program
        memset(&program, 0, sizeof(Plan))
        cdef int how = BY_PLAN if plan is not None else SLOWLY if slow is not None else NOT_AT_ALL
        cdef uint32_t number = schema_id
        cdef Schema* schema
        if plan is not None:
            load_plan(plan, &program)
        schema = room_for_schema(&self._decoder.schemas, number)
        if schema == NULL:
            free_plan(&program)
            raise MemoryError
        schema.how = how
        schema.plan = program
        self._slow[number] = slow

    def forget_schema(self, schema_id):
        self._check_idle()
        drop_schema(&self._decoder.schemas, schema_id)
        self._slow.pop(schema_id, None)

    # -- records -----------------------------------------------------------------------------

    def process(
        self, batch, start, stop, wall_ns, *, replay=False, skip=(), most_late=INT64_MAX
    ):
        self._check_idle()
        cdef Walk walk
        cdef int end
        cdef bytes payload = batch.payload
        memset(&walk, 0, sizeof(Walk))
        self._busy = True
        try:
            set_walk(&walk, batch, payload)
            walk.top = NEVER
            self._go_on(&walk, batch, start)
            walk.start, walk.stop, walk.wall, walk.replay = start, stop, wall_ns, replay
            walk.most_late = most_late
            walk.future = plus(walk.wall, self._store.rules.max_future)
            set_skip(&walk, skip)
            with nogil:
                end = walk_batch(&self._store, &self._decoder, &walk)
            if end == OUT_OF_MEMORY:
                failure, self._failure = self._failure, None
                raise MemoryError if failure is None else failure
            if end == MALFORMED:
                raise_malformed(batch)
            self._leave(&walk, batch)
            return new_tuple(Outcome, (
                walk.next_offset,
                walk.need_schema if end == AT_SCHEMA else None,
                walk.records,
                walk.accepted,
                rejects(&walk, batch, self._store.rules.sized),
            ))
        finally:
            self._busy = False
            free_walk(&walk)

    cdef int _go_on(self, Walk* walk, batch, int64_t start) except -1:
        """Begin behind the records that the last call has seen, if it was of this batch.

        With a book a call ends at each bucket's end: reading from the batch's first record each
        time would take the square of its length.
        """
        left, self._left = self._left, None
        if left is batch and start >= self._left_offset:
            walk.cursor.p, walk.count = self._left_at.p, self._left_at.count
        return 0

    cdef int _leave(self, const Walk* walk, batch) except -1:
        # Offsets of a damaged batch may go back; then the next call must see all of it again.
        if walk.group.count > 0 and walk.group.top < walk.next_offset:
            self._left, self._left_at, self._left_offset = batch, walk.group, walk.next_offset
        return 0

    # -- closing -----------------------------------------------------------------------------

    def advance(self, observed_ns):
        self._check_idle()
        if not advance(&self._store, observed_ns):
            raise MemoryError

    def resume_silence(self, wall_ns):
        self._check_idle()
        resume_silence(&self._store, wall_ns)

    def drain(self):
        self._check_idle()
        if not drain(&self._store):
            raise MemoryError
        return self._store.closed.count

    def take_bars(self):
        self._check_idle()
        forget_allowed(&self._store)
        cdef CompiledBarBlock block = empty_block(self._form)
        cdef ClosedBars bars
        memset(&bars, 0, sizeof(ClosedBars))
        try:
            if not copy_shut(&self._store, &bars):
                raise MemoryError
            block.take(&self._store, &bars)
            forget_shut(&self._store)
            return block
        finally:
            free(bars.items)

    def held(self):
        self._check_idle()
        cdef uint32_t at
        cdef list found = []
        for at in range(self._store.broker_count):
            if is_held(&self._store.brokers[at]):
                found.append((
                    to_text(self._store.brokers[at].name),
                    watermark(&self._store, self._store.brokers[at].clock),
                ))
        return found

    def allow(self, broker, through_ns):
        self._check_idle()
        cdef bytes name = checked_name(broker)
        cdef uint32_t index = find_broker(&self._store, named(bytes_of(name)))
        if index == NONE:
            raise MemoryError
        allow(&self._store, &self._store.brokers[index], through_ns)

    @property
    def lifted(self):
        return bool(self._store.lifted)

    def take_live(self):
        self._check_idle()
        cdef CompiledBarBlock block = empty_block(self._live_form)
        cdef ClosedBars bars
        memset(&bars, 0, sizeof(ClosedBars))
        try:
            if not copy_live(&self._store, &bars):
                raise MemoryError
            block.take(&self._store, &bars)
            mark_given(&self._store)
            return block
        finally:
            free(bars.items)

    def give_live_again(self):
        self._check_idle()
        mark_not_given(&self._store)

    # -- state -------------------------------------------------------------------------------

    def take_series(self):
        self._check_idle()
        cdef CompiledSeriesBlock block = CompiledSeriesBlock.__new__(CompiledSeriesBlock)
        if self._store.rules.by_series:
            block.take(&self._store)
        return block

    def brokers(self):
        self._check_idle()
        cdef uint32_t at
        cdef Broker* b
        cdef list found = []
        for at in range(self._store.broker_count):
            b = &self._store.brokers[at]
            found.append(
                BrokerState(
                    to_text(b.name),
                    b.clock,
                    b.event_clock,
                    b.arrival_clock,
                    b.closed,
                    b.begin,
                    b.arrival_wall,
                )
            )
        return found

    def load(self, brokers, series):
        self._check_idle()
        for state in brokers:
            self._load_broker(state)
        for item in series:
            self._load_series(item)

    cdef int _load_broker(self, state) except -1:
        cdef bytes name = checked_name(state.broker)
        cdef uint32_t index = find_broker(&self._store, named(bytes_of(name)))
        cdef Broker* one
        if index == NONE:
            raise MemoryError
        one = &self._store.brokers[index]
        one.clock, one.event_clock = state.clock_ns, state.event_clock_ns
        one.arrival_clock, one.closed = state.arrival_clock_ns, state.closed_through_ns
        one.begin, one.arrival_wall = state.begin_ns, state.arrival_wall_ns
        allow(&self._store, one, one.allowed)
        return 0

    cdef int _load_series(self, state) except -1:
        cdef bytes broker = checked_name(state.broker)
        cdef bytes symbol = checked_name(state.symbol)
        cdef Name first = named(bytes_of(broker))
        cdef Name second = named(bytes_of(symbol))
        cdef uint32_t hash = series_hash(&self._store, first, second)
        cdef uint32_t index = 0
        cdef Series* one = find_series(&self._store, first, second, hash, &index)
        if one == NULL:
            raise MemoryError
        one.closed, one.clock = state.closed_through_ns, state.clock_ns
        return 0

    def store_windows(self, as_of):
        self._check_idle()
        cdef CompiledOpenWindows found = CompiledOpenWindows.__new__(CompiledOpenWindows)
        found.take(&self._store, as_of)
        return found

    def load_windows(self, as_of, blocks):
        self._check_idle()
        cdef int64_t previous = 0
        self._store.as_of = as_of
        self._busy = True
        try:
            for block in blocks:
                self._load_block(block.content, block.count, &previous)
        finally:
            self._busy = False

    cdef int _load_block(self, bytes content, int64_t count, int64_t* previous) except -1:
        cdef Bytes view = bytes_of(content)
        cdef int end
        with nogil:
            end = load_block(&self._store, view, count, previous)
        if end == OUT_OF_MEMORY:
            raise MemoryError
        if end == MALFORMED:
            raise ValueError("stored windows are damaged")
        return 0

    @property
    def stored_open(self):
        return bool(is_stored_open(&self._store))

    def evict(self, before_wall_ns):
        self._check_idle()
        cdef uint32_t* moves
        moves = <uint32_t*>malloc((self._store.series_count + 1) * sizeof(uint32_t))
        if moves == NULL:
            raise MemoryError
        try:
            if choose(&self._store, before_wall_ns, moves) == 0:
                return []
            gone = self._stored_names(moves)
            if not compact(&self._store, moves):
                raise MemoryError
            return gone
        finally:
            free(moves)

    cdef list _stored_names(self, const uint32_t* moves):
        """Of the series that go, those that may have a stored record."""
        cdef uint32_t at
        cdef Series* one
        cdef list found = []
        for at in range(self._store.series_count):
            one = series_at(&self._store, at)
            if moves[at] == NONE and one.closed != NEVER:
                found.append((to_text(broker_of(one)), to_text(symbol_of(one))))
        return found

    def low_water(self):
        self._check_idle()
        return low_water(&self._store) if self._store.open_windows else None

    @property
    def open_windows(self):
        return self._store.open_windows

    @property
    def pending(self):
        return self._store.closed.count

    @property
    def memory_bytes(self):
        """Bytes that the table has asked for: series, windows, names, hash slots, calendars."""
        return bytes_held(&self._store)
