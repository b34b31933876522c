"""Bytes that are written in place, neither zeroed before nor copied after.

``_pure_fresh`` is the specification.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject

from barengine.kernel._view cimport view_of


cdef extern from "Python.h":
    PyObject* PyBytes_FromStringAndSize(const char* v, Py_ssize_t size) except NULL
    int _PyBytes_Resize(PyObject** one, Py_ssize_t size) except -1
    void Py_XDECREF(PyObject* one)


@cython.final
cdef class Fresh:
    """See ``_pure_fresh``.

    A view keeps this object, and with it the memory, for as long as anybody holds a part of it.
    """

    cdef PyObject* _made
    """Bytes that nobody else knows of; NULL: they were taken."""
    cdef Py_ssize_t _views

    def __cinit__(self, Py_ssize_t most):
        self._made = PyBytes_FromStringAndSize(NULL, most)

    def __dealloc__(self):
        Py_XDECREF(self._made)

    def __getbuffer__(self, Py_buffer* view, int flags):
        self._check()
        cdef char* start = PyBytes_AS_STRING(<object>self._made)
        view_of(self, start, PyBytes_GET_SIZE(<object>self._made), False, view, flags)
        self._views += 1

    def __releasebuffer__(self, Py_buffer* view):
        self._views -= 1

    def view(self):
        return memoryview(self)

    def taken(self, Py_ssize_t size):
        cdef PyObject* made
        self._check()
        cdef Py_ssize_t most = PyBytes_GET_SIZE(<object>self._made)
        if not 0 <= size <= most:
            raise ValueError(f"{size} of {most} bytes were written")
        if self._views:
            raise BufferError(f"{self._views} views are left")
        made, self._made = self._made, NULL
        try:
            _PyBytes_Resize(&made, size)
            return <object>made
        finally:
            Py_XDECREF(made)

    cdef int _check(self) except -1:
        if self._made is NULL:
            raise BufferError("the bytes were taken")
        return 0
