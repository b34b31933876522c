"""What leaves the kernel, bars, states of series, open windows: encoded in bulk, without the GIL,
or one by one as objects.

``_pure_block`` and ``_pure_stored`` are the specification; results are the same to the byte.

To make a block of any bars in another module:

    cdef ClosedBars bars                      # _store.pxd; zeroed
    cdef Closed* one = room_for_bar(&bars)    # _windows.pxd; NULL without memory
    ...                                       # fill in every field of it
    bars.count += 1
    block = empty_block(form)                 # form: _protocol.BlockForm
    block.adopt(&bars, names)                 # or: block.take(st, &bars)

``adopt`` takes over ``names``, one malloc'ed array; ``Closed.names`` says where in it the broker's
name begins, which the symbol's follows at once, and the two sizes how long they are. ``take`` reads
``Closed.names`` as an index of a series of the store ``st``, and sets the sizes itself. Of
``sums`` the block reads volume and turnover where flags has IS_SIZED, and the keys where it has
IS_MIXED; the other fields always count. ``bars`` of another CompiledBarBlock can be read through
its ``_bars`` and ``_names``.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from barengine.kernel._bridge cimport bytes_of, to_text
from barengine.kernel._encode cimport (
    Output,
    Remembered,
    Segment,
    Segments,
    encode_bars,
    encode_series,
)
from barengine.kernel._lookup cimport broker_size, symbol_size
from barengine.kernel._payloads cimport Payloads
from barengine.kernel._store cimport (
    IS_DIRTY,
    NO_DATE,
    Closed,
    ClosedBars,
    Series,
    Store,
    series_at,
)
from barengine.kernel._stored cimport copy_windows, pack_windows
from barengine.kernel._sums cimport IS_MIXED, IS_PARTIAL, IS_SIZED, IS_UNPRICED, Wide
from barengine.kernel._wire cimport Bytes

from barengine.codec.bar import CAUSES, ORIGINS
from barengine.kernel._protocol import SeriesState, WindowBlock
from barengine.model import Bar, KeyFormat, Order


cdef object _number(Wide value):
    cdef object high = value.high
    return (high << 64) + value.low


cdef tuple _open_at(const Closed* one, bint by_offset):
    if by_offset:
        return one.bar.open_rest, (
            one.sums.open_key if one.flags & IS_MIXED else one.bar.first_offset
        )
    return (
        one.sums.open_key if one.flags & IS_MIXED else one.bar.first_event
    ), one.bar.open_rest


cdef tuple _close_at(const Closed* one, bint by_offset):
    if by_offset:
        return one.bar.close_rest, (
            one.sums.close_key if one.flags & IS_MIXED else one.bar.last_offset
        )
    return (
        one.sums.close_key if one.flags & IS_MIXED else one.bar.last_event
    ), one.bar.close_rest


cdef uint64_t _take_names(Store* st, Closed* one, uint8_t* names, uint64_t place) noexcept:
    """Put the names of a bar's series at ``place``; their size."""
    cdef Series* series = series_at(st, <uint32_t>one.names)
    cdef uint64_t size = broker_size(series) + symbol_size(series)
    memcpy(names + place, series.names, size)
    one.names = place
    one.broker_size = <uint16_t>broker_size(series)
    one.symbol_size = <uint16_t>symbol_size(series)
    return size


cdef CompiledBarBlock empty_block(form):
    """A block without bars, which will be written in this form."""
    cdef CompiledBarBlock block = CompiledBarBlock.__new__(CompiledBarBlock)
    period = form.period.encode()
    block._kept = (period, form.key_header, form.value_header)
    block._form.period_name = bytes_of(period)
    block._form.key_header = bytes_of(form.key_header)
    block._form.value_header = bytes_of(form.value_header)
    block._form.by_offset = form.order is Order.OFFSET
    block._form.avro_keys = form.key_format is KeyFormat.AVRO
    block._form.skip_partial = form.skip_partial
    block._form.live = form.live
    return block


cdef class CompiledBarBlock:
    """Bars, in the order in which they were put in. Holds its own copy of everything."""

    def __cinit__(self):
        self._bars.items = NULL
        self._bars.count = self._bars.capacity = self._skipped = 0
        self._names = NULL

    def __dealloc__(self):
        free(self._bars.items)
        free(self._names)

    def __len__(self):
        return self._bars.count

    def __repr__(self):
        return f"<CompiledBarBlock of {self._bars.count} bars>"

    @property
    def skipped(self):
        return self._skipped

    cdef int adopt(self, ClosedBars* bars, uint8_t* names) except -1:
        """Take bars and names over; the caller's ``bars`` are empty afterwards."""
        cdef int64_t at
        self._bars = bars[0]
        self._names = names
        memset(bars, 0, sizeof(ClosedBars))
        if self._form.skip_partial:
            for at in range(self._bars.count):
                self._skipped += (self._bars.items[at].flags & IS_PARTIAL) != 0
        return 0

    cdef int take(self, Store* st, ClosedBars* bars) except -1:
        """The same for bars whose names are series of ``st``; without memory ``bars`` are as they
        were, and MemoryError is raised."""
        cdef int64_t at
        cdef uint64_t size = 0
        cdef Series* series
        cdef uint8_t* names
        for at in range(bars.count):
            series = series_at(st, <uint32_t>bars.items[at].names)
            size += broker_size(series) + symbol_size(series)
        names = <uint8_t*>malloc(size + 1)
        if names == NULL:
            raise MemoryError
        size = 0
        for at in range(bars.count):
            size += _take_names(st, &bars.items[at], names, size)
        return self.adopt(bars, names)

    cdef object _bar(self, const Closed* one):
        cdef Bytes broker, symbol
        cdef bint sized = one.flags & IS_SIZED
        broker.p = self._names + one.names
        broker.n = one.broker_size
        symbol.p = broker.p + broker.n
        symbol.n = one.symbol_size
        return Bar(
            broker=to_text(broker),
            symbol=to_text(symbol),
            bucket_start_ns=one.bar.start,
            bucket_end_ns=one.end,
            open=one.bar.open,
            high=one.bar.high,
            low=one.bar.low,
            close=one.bar.close,
            tick_count=one.bar.count,
            open_at=_open_at(one, self._form.by_offset),
            close_at=_close_at(one, self._form.by_offset),
            first_event_ns=one.bar.first_event,
            last_event_ns=one.bar.last_event,
            first_offset=one.bar.first_offset,
            last_offset=one.bar.last_offset,
            partial=bool(one.flags & IS_PARTIAL),
            volume=_number(one.sums.volume) if sized else None,
            turnover=_number(one.sums.turnover) if sized else None,
            priced=not one.flags & IS_UNPRICED,
            revision=one.revision,
            final=not self._form.live,
            origin=ORIGINS[one.origin],
            cause=CAUSES[one.cause - 1] if one.cause else None,
            trading_date=None if one.trading_date == NO_DATE else one.trading_date,
        )

    def bars(self):
        cdef int64_t at
        return [self._bar(&self._bars.items[at]) for at in range(self._bars.count)]

    def encode(self, Payloads to):
        cdef bint good
        with nogil:
            good = encode_bars(&self._bars, self._names, &self._form, &to.packing)
        if not good:
            raise MemoryError


cdef class CompiledOpenWindows:
    """Open windows as they were. Holds its own copy of everything."""

    def __dealloc__(self):
        free(self._windows.items)
        free(self._names)

    def __len__(self):
        return self._windows.count

    def __repr__(self):
        return f"<CompiledOpenWindows: {self._windows.count}>"

    cdef int take(self, Store* st, int64_t as_of) except -1:
        """Copy the open windows; from now on they count as stored, but not without memory."""
        self._sized = st.rules.sized
        if not copy_windows(st, as_of, &self._windows, &self._names):
            raise MemoryError
        return 0

    def pack(self, max_bytes):
        cdef int64_t limit = max(0, min(max_bytes, INT64_MAX))
        cdef Output out
        cdef Segments blocks
        cdef bint good
        memset(&out, 0, sizeof(Output))
        memset(&blocks, 0, sizeof(Segments))
        try:
            with nogil:
                good = pack_windows(
                    &self._windows, self._names, self._sized, limit, &out, &blocks
                )
            if not good:
                raise MemoryError
            return _window_blocks(&out, &blocks)
        finally:
            free(out.data)
            free(blocks.items)


cdef list _window_blocks(const Output* out, const Segments* blocks):
    cdef int64_t at
    cdef Segment* one
    cdef list found = []
    for at in range(blocks.count):
        one = &blocks.items[at]
        content = PyBytes_FromStringAndSize(<const char*>out.data + one.begin, one.end - one.begin)
        found.append(WindowBlock(one.count, content))
    return found


cdef class CompiledSeriesBlock:
    """States of series that must be stored. Holds its own copy of everything."""

    def __dealloc__(self):
        free(self._items)
        free(self._names)

    def __len__(self):
        return self._count

    def __repr__(self):
        return f"<CompiledSeriesBlock of {self._count} series>"

    cdef int take(self, Store* st) except -1:
        """Copy the series that are marked, and unmark them; without memory they stay marked."""
        cdef uint32_t at
        cdef int64_t count = 0
        cdef uint64_t size = 0
        cdef Series* series
        for at in range(st.series_count):
            series = series_at(st, at)
            if series.sizes & IS_DIRTY:
                size += broker_size(series) + symbol_size(series)
                count += 1
        self._names = <uint8_t*>malloc(size + 1)
        self._items = <Remembered*>malloc((count + 1) * sizeof(Remembered))
        if self._names == NULL or self._items == NULL:
            raise MemoryError
        size = 0
        for at in range(st.series_count):
            if series_at(st, at).sizes & IS_DIRTY:
                size += self._take_one(series_at(st, at), size)
        return 0

    cdef uint64_t _take_one(self, Series* series, uint64_t place) noexcept:
        cdef uint64_t size = broker_size(series) + symbol_size(series)
        cdef Remembered* one = &self._items[self._count]
        memcpy(self._names + place, series.names, size)
        one.closed, one.clock = series.closed, series.clock
        one.names = place
        one.broker_size = <uint16_t>broker_size(series)
        one.symbol_size = <uint16_t>symbol_size(series)
        series.sizes &= ~<uint32_t>IS_DIRTY
        self._count += 1
        return size

    def states(self):
        cdef int64_t at
        cdef Remembered* one
        cdef Bytes broker, symbol
        cdef list found = []
        for at in range(self._count):
            one = &self._items[at]
            broker.p = self._names + one.names
            broker.n = one.broker_size
            symbol.p = broker.p + broker.n
            symbol.n = one.symbol_size
            found.append(SeriesState(to_text(broker), to_text(symbol), one.closed, one.clock))
        return found

    def encode(self, Payloads to, int64_t time_ms):
        cdef bint good
        with nogil:
            good = encode_series(self._items, self._count, self._names, time_ms, &to.packing)
        if not good:
            raise MemoryError
