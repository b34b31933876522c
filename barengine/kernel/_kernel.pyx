"""The compiled kernel. ``_pure`` is its specification; results are the same to the byte.

    _wire      varints, Kafka records           _store     series, brokers, windows in C
    _program   the interpreter of field plans   _windows   opening, filling, closing windows
    _price     exact 128-bit decimals           _rules     rules 3 to 5, drain, silence
    _names     UTF-8, hash, arena               _lookup    finding series by name
    _evict     forgetting series                _schemas   plans by schema id
    _encode    closed bars to Kafka records     _batch     state of one process call
    _walk      the loop over a batch            _plans     proves a plan before it is trusted
    _block     closed bars as an object        _stored    open windows to bytes and back

All but _plans and _block are C without Python, so that a batch is walked without the GIL. This
file is where Python objects come in and go out.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from barengine.kernel._batch cimport (
    AT_SCHEMA,
    MALFORMED,
    OUT_OF_MEMORY,
    Rejected,
    Walk,
    free_walk,
)
from barengine.kernel._block cimport CompiledBarBlock, CompiledSeriesBlock
from barengine.kernel._encode cimport Format, Output, Segment, Segments
from barengine.kernel._evict cimport choose, compact
from barengine.kernel._names cimport Name, named
from barengine.kernel._program cimport (
    KIND_DECIMAL_TEXT,
    MAX_EVENT,
    MISSING_FIELD,
    SLOT_TIME,
    Fields,
    Plan,
    noted,
)
from barengine.kernel._rules cimport advance, drain, resume_silence
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
    Series,
    Store,
    bytes_held,
    plus,
    series_at,
    store_free,
    store_init,
)
from barengine.kernel._stored cimport load_block, store_windows
from barengine.kernel._walk cimport Decoder, walk_batch
from barengine.kernel._windows cimport is_stored_open, low_water
from barengine.kernel._wire cimport Bytes, Cursor

from barengine.codec.convert import price_from_decimal, price_from_text
from barengine.codec.records import iter_records
from barengine.codec.tick import BadTick
from barengine.kernel._plans import prepare
from barengine.kernel._protocol import BrokerState, Outcome, Reject, WindowBlock
from barengine.model import Framing, KeyFormat, Order, Reason, Watermark

cdef enum:
    MAX_PRICE_SCALE = 18    # digits of the bar's decimal(18), and powers of ten in 64 bits

_REASONS = {int(reason): reason for reason in Reason}


cdef Bytes bytes_of(bytes content) noexcept:
    """A view of a bytes object that its holder keeps alive."""
    cdef Bytes view
    view.p = <const uint8_t*>PyBytes_AS_STRING(content)
    view.n = PyBytes_GET_SIZE(content)
    return view


cdef bytes to_bytes(Bytes content):
    return PyBytes_FromStringAndSize(<const char*>content.p, content.n)


cdef object to_nullable(Bytes content):
    return None if content.n < 0 else to_bytes(content)


cdef str to_text(Bytes content):
    return to_bytes(content).decode()


cdef bytes checked_name(str name):
    raw = name.encode()
    if len(raw) > LONGEST_NAME:
        raise ValueError(f"a name of {len(raw)} bytes")
    return raw


cdef int wide_price(
    int32_t kind, const uint8_t* p, int64_t n, int32_t scale, int32_t price_scale, int64_t* out
) except -1 nogil:
    """Decimal text, and decimals of more than 16 bytes."""
    with gil:
        content = PyBytes_FromStringAndSize(<const char*>p, n)
        try:
            if kind == KIND_DECIMAL_TEXT:
                out[0] = price_from_text(content, price_scale)
            else:
                unscaled = int.from_bytes(content, "big", signed=True)
                out[0] = price_from_decimal(unscaled, scale, price_scale)
        except BadTick as bad:
            return bad.reason
        return 0


cdef int decode_slowly(
    void* owner, uint32_t schema_id, Cursor value, Fields* out
) except -1 nogil:
    """Run the slow decoder of a kernel, which keeps the names that C now points into."""
    with gil:
        kernel = <CompiledKernel>owner
        content = PyBytes_FromStringAndSize(<const char*>value.p, value.end - value.p)
        try:
            broker, symbol, time_ns, price = kernel._slow[schema_id](content)
        except BadTick as bad:
            return bad.reason
        if kernel._decoder.record_time:
            time_ns = 0
        if not -MAX_EVENT <= time_ns <= MAX_EVENT:
            raise OverflowError(f"a slow decoder gave the event time {time_ns}")
        kernel._names = (broker, symbol)
        out.names[0] = named(bytes_of(broker))
        out.names[1] = named(bytes_of(symbol))
        out.price = price
        out.time = time_ns
        return 0


cdef class CompiledKernel:
    """See ``_protocol.Kernel``.

    A call that comes while another one runs (from a slow decoder, from another thread) is
    refused with RuntimeError.
    """

    cdef Store _store
    cdef Decoder _decoder
    cdef Format _form
    cdef bint _busy
    cdef dict _slow      # schema id -> SlowDecoder
    cdef object _names   # of the tick that a slow decoder gave last: C points into them
    cdef tuple _kept     # the bytes that _form points into

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
        self._set_form(config)

    def __dealloc__(self):
        store_free(&self._store)
        free_schemas(&self._decoder.schemas)

    def __repr__(self):
        return (
            f"<CompiledKernel: {self._store.series_count} series, "
            f"{self._store.open_windows} open windows, {self._store.closed.count} bars pending>"
        )

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
        return 0

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

    cdef int _set_form(self, config) except -1:
        period, key, value = config.period.name.encode(), config.key_header, config.value_header
        self._kept = (period, key, value)
        self._form.period = config.period.length_ns
        self._form.period_name = bytes_of(period)
        self._form.key_header = bytes_of(key)
        self._form.value_header = bytes_of(value)
        self._form.avro_keys = config.key_format is KeyFormat.AVRO
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
            _load_plan(plan, &program)
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

    def process(self, batch, start, stop, wall_ns, *, replay=False, skip=()):
        self._check_idle()
        cdef Walk walk
        cdef int end
        cdef bytes payload = batch.payload
        memset(&walk, 0, sizeof(Walk))
        self._busy = True
        try:
            _set_walk(&walk, batch, payload)
            walk.start, walk.stop, walk.wall, walk.replay = start, stop, wall_ns, replay
            walk.future = plus(walk.wall, self._store.rules.max_future)
            _set_skip(&walk, skip)
            with nogil:
                end = walk_batch(&self._store, &self._decoder, &walk)
            if end == OUT_OF_MEMORY:
                raise MemoryError
            if end == MALFORMED:
                _raise_malformed(batch)
            return Outcome(
                walk.next_offset,
                walk.need_schema if end == AT_SCHEMA else None,
                walk.records,
                walk.accepted,
                _rejects(&walk, batch),
            )
        finally:
            self._busy = False
            free_walk(&walk)

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
        cdef CompiledBarBlock block = CompiledBarBlock.__new__(CompiledBarBlock)
        block._form = self._form
        block._kept = self._kept
        block._by_offset = self._store.rules.by_offset
        block.take(&self._store)
        return block

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

    def store_windows(self, as_of, max_bytes):
        self._check_idle()
        cdef int64_t limit = max(0, min(max_bytes, INT64_MAX))
        cdef Output out
        cdef Segments blocks
        memset(&out, 0, sizeof(Output))
        memset(&blocks, 0, sizeof(Segments))
        try:
            if not store_windows(&self._store, as_of, limit, &out, &blocks):
                raise MemoryError
            return _window_blocks(&out, &blocks)
        finally:
            free(out.data)
            free(blocks.items)

    def load_windows(self, as_of, blocks):
        self._check_idle()
        cdef int64_t previous = 0
        cdef bytes content
        cdef int end
        self._store.as_of = as_of
        for block in blocks:
            content = block.content
            end = load_block(&self._store, bytes_of(content), block.count, &previous)
            if end == OUT_OF_MEMORY:
                raise MemoryError
            if end == MALFORMED:
                raise ValueError("stored windows are damaged")

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


cdef list _window_blocks(const Output* out, const Segments* blocks):
    cdef int64_t at
    cdef Segment* one
    cdef list found = []
    for at in range(blocks.count):
        one = &blocks.items[at]
        content = PyBytes_FromStringAndSize(<const char*>out.data + one.begin, one.end - one.begin)
        found.append(WindowBlock(one.count, content))
    return found


# -- plans: Python to C ----------------------------------------------------------------------

cdef int _load_plan(plan, Plan* out) except -1:
    """Copy a checked plan. On an exception nothing is left allocated."""
    cdef int32_t slot
    words, reads_time = prepare(plan)
    for slot in range(4):
        if slot != SLOT_TIME or reads_time:
            out.lacks = noted(out.lacks, slot, MISSING_FIELD)
    try:
        _load_words(words, &out.words)
        _load_enums(plan.enums, out)
    except BaseException:
        free_plan(out)
        raise
    return 0


cdef int _load_words(tuple words, int32_t** out) except -1:
    cdef Py_ssize_t at
    out[0] = <int32_t*>calloc(len(words) + 1, sizeof(int32_t))
    if out[0] == NULL:
        raise MemoryError
    for at in range(len(words)):
        out[0][at] = words[at]
    return 0


cdef int _load_enums(tuple enums, Plan* out) except -1:
    names = [name for table in enums for name in table]
    cdef bytes text = b"".join(names)
    cdef Py_ssize_t size = len(text)
    cdef Py_ssize_t at
    out.text = <uint8_t*>malloc(size + 1)
    out.symbols = <Bytes*>calloc(len(names) + 1, sizeof(Bytes))
    out.first_symbol = <int32_t*>calloc(len(enums) + 1, sizeof(int32_t))
    if out.text == NULL or out.symbols == NULL or out.first_symbol == NULL:
        raise MemoryError
    memcpy(out.text, PyBytes_AS_STRING(text), size)
    size = 0
    for at in range(len(names)):
        out.symbols[at].p = out.text + size
        out.symbols[at].n = len(names[at])
        size += len(names[at])
    for at in range(len(enums)):
        out.first_symbol[at + 1] = out.first_symbol[at] + <int32_t>len(enums[at])
    return 0


# -- batches: Python to C and back -----------------------------------------------------------

cdef int _set_walk(Walk* walk, batch, bytes payload) except -1:
    walk.cursor.p = <const uint8_t*>PyBytes_AS_STRING(payload)
    walk.cursor.end = walk.cursor.p + PyBytes_GET_SIZE(payload)
    walk.count = batch.count
    walk.base_offset = batch.base_offset
    walk.base_time_ms = batch.base_time_ms
    walk.has_append_time = batch.append_time_ms is not None
    if walk.has_append_time:
        walk.append_time_ms = batch.append_time_ms
    return 0


cdef int _set_skip(Walk* walk, skip) except -1:
    cdef list offsets = sorted(skip)
    cdef Py_ssize_t at
    if not offsets:
        return 0
    walk.skip = <int64_t*>calloc(len(offsets), sizeof(int64_t))
    if walk.skip == NULL:
        raise MemoryError
    for at in range(len(offsets)):
        walk.skip[at] = offsets[at]
    walk.skip_count = len(offsets)
    return 0


cdef int _raise_malformed(batch) except -1:
    """Let the readable parser say what is wrong."""
    for _ in iter_records(batch.payload, batch.count):
        pass
    raise ValueError("a malformed record batch")


cdef list _rejects(const Walk* walk, batch):
    cdef int64_t at
    cdef list found = []
    for at in range(walk.reject_count):
        found.append(_reject(walk, &walk.rejects[at], batch))
    return found


cdef object _reject(const Walk* walk, const Rejected* one, batch):
    cdef Bytes broker
    broker.p = walk.names.data + one.name_at
    broker.n = one.name_size
    time_ms = batch.append_time_ms
    if time_ms is None:
        time_ms = batch.base_time_ms + one.record.time_delta
    return Reject(
        one.offset,
        time_ms,
        to_nullable(one.record.key),
        to_nullable(one.record.value),
        to_bytes(one.record.headers),
        _REASONS[one.reason],
        one.start,
        one.lateness,
        to_text(broker) if broker.n else "",
    )
