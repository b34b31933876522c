"""Closed bars and states of series on their way out: encoded in bulk, or one by one as objects.

``_pure_block`` is the specification; results are the same to the byte.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from barengine.kernel._encode cimport (
    Output,
    Remembered,
    Segment,
    Segments,
    encode_bars,
    encode_series,
)
from barengine.kernel._lookup cimport broker_size, symbol_size
from barengine.kernel._store cimport IS_DIRTY, Closed, ClosedBars, Series, Store, series_at
from barengine.kernel._wire cimport Bytes

from barengine.kernel._protocol import EncodedRecords, SeriesState
from barengine.model import Bar


cdef str _text(Bytes content):
    return PyBytes_FromStringAndSize(<const char*>content.p, content.n).decode()


cdef class CompiledBarBlock:
    """Closed bars, in order of closing. Holds its own copy of everything."""

    def __cinit__(self):
        self._bars.items = NULL
        self._bars.count = self._bars.capacity = 0
        self._names = NULL

    def __dealloc__(self):
        free(self._bars.items)
        free(self._names)

    def __len__(self):
        return self._bars.count

    def __repr__(self):
        return f"<CompiledBarBlock of {self._bars.count} bars>"

    cdef int take(self, Store* st) except -1:
        """Take the closed bars over from the kernel; without memory it keeps them."""
        cdef int64_t at
        cdef uint64_t size = 0
        cdef Series* series
        for at in range(st.closed.count):
            series = series_at(st, <uint32_t>st.closed.items[at].names)
            size += broker_size(series) + symbol_size(series)
        self._names = <uint8_t*>malloc(size + 1)
        if self._names == NULL:
            raise MemoryError
        self._bars = st.closed
        memset(&st.closed, 0, sizeof(ClosedBars))
        size = 0
        for at in range(self._bars.count):
            size += self._take_names(st, &self._bars.items[at], size)
        return 0

    cdef uint64_t _take_names(self, Store* st, Closed* one, uint64_t place) noexcept:
        cdef Series* series = series_at(st, <uint32_t>one.names)
        cdef uint64_t size = broker_size(series) + symbol_size(series)
        memcpy(self._names + place, series.names, size)
        one.names = place
        one.broker_size = <uint16_t>broker_size(series)
        one.symbol_size = <uint16_t>symbol_size(series)
        return size

    cdef object _bar(self, const Closed* one):
        cdef Bytes broker, symbol
        broker.p = self._names + one.names
        broker.n = one.broker_size
        symbol.p = broker.p + broker.n
        symbol.n = one.symbol_size
        if self._by_offset:
            open_at = (one.bar.open_rest, one.bar.first_offset)
            close_at = (one.bar.close_rest, one.bar.last_offset)
        else:
            open_at = (one.bar.first_event, one.bar.open_rest)
            close_at = (one.bar.last_event, one.bar.close_rest)
        return Bar(
            broker=_text(broker),
            symbol=_text(symbol),
            bucket_start_ns=one.bar.start,
            bucket_end_ns=one.bar.start + self._form.period,
            open=one.bar.open,
            high=one.bar.high,
            low=one.bar.low,
            close=one.bar.close,
            tick_count=one.bar.count,
            open_at=open_at,
            close_at=close_at,
            first_event_ns=one.bar.first_event,
            last_event_ns=one.bar.last_event,
            first_offset=one.bar.first_offset,
            last_offset=one.bar.last_offset,
            partial=bool(one.partial),
        )

    def bars(self):
        cdef int64_t at
        return [self._bar(&self._bars.items[at]) for at in range(self._bars.count)]

    def encode(self, max_bytes):
        cdef int64_t limit = max(0, min(max_bytes, INT64_MAX))
        cdef Output out
        cdef Segments segments
        cdef bint good
        memset(&out, 0, sizeof(Output))
        memset(&segments, 0, sizeof(Segments))
        try:
            with nogil:
                good = encode_bars(&self._bars, self._names, &self._form, limit, &out, &segments)
            if not good:
                raise MemoryError
            return _encoded(&out, &segments)
        finally:
            free(out.data)
            free(segments.items)


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
            found.append(SeriesState(_text(broker), _text(symbol), one.closed, one.clock))
        return found

    def encode(self, max_bytes, time_ms):
        cdef int64_t limit = max(0, min(max_bytes, INT64_MAX))
        cdef int64_t stamp = time_ms
        cdef Output out
        cdef Segments segments
        cdef bint good
        memset(&out, 0, sizeof(Output))
        memset(&segments, 0, sizeof(Segments))
        try:
            with nogil:
                good = encode_series(
                    self._items, self._count, self._names, limit, stamp, &out, &segments
                )
            if not good:
                raise MemoryError
            return _encoded(&out, &segments)
        finally:
            free(out.data)
            free(segments.items)


cdef list _encoded(const Output* out, const Segments* segments):
    cdef int64_t at
    cdef Segment* one
    cdef list found = []
    for at in range(segments.count):
        one = &segments.items[at]
        payload = PyBytes_FromStringAndSize(<const char*>out.data + one.begin, one.end - one.begin)
        found.append(EncodedRecords(payload, one.count, one.base_ms, one.max_ms))
    return found
