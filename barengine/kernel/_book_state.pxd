"""The C side of a book's state, for the book itself."""

from libc.stdint cimport int64_t, uint8_t

from barengine.kernel._book_memory cimport BookMemory
from barengine.kernel._memo cimport Domain, Memo
from barengine.kernel._store cimport Closed
from barengine.kernel._wire cimport Bytes, Cursor


cdef class BookState(BookMemory):
    cdef int _load_page(self, str broker, str symbol, bytes value) except -1
    cdef int _load_open(self, int64_t at, Cursor* cursor, missed, bint unkept) except -1
    cdef int _load_cuts(self, Memo* memo, Cursor* cursor) except -1
    cdef int _load_kept(
        self, bytes key, str broker, str symbol, str period, bytes value
    ) except -1
    cdef uint8_t* _put_names(self, uint8_t* p, const Memo* memo) noexcept
    cdef Bytes _page_key(self, const Memo* memo) except *
    cdef Bytes _kept_key(self, const Memo* memo, int rung, int64_t start) except *
    cdef int _put_page(self, const Memo* memo) except -1
    cdef int _put_kept(self, const Memo* memo, int rung, const Closed* bar, bint dropped) except -1
    cdef int _keep(self, Memo* memo, int rung, const Closed* bar) except -1
    cdef list _keys(self, const Memo* memo)
    cdef int _remove(self, list stale) except -1
    cdef int _remove_domains(self) except -1
    cdef int _end_anew(self, Domain* domain, int rung) except -1
    cdef int _open_again(self, int64_t at, int rung) except -1
