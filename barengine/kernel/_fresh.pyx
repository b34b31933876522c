"""Bytes that are written in place, neither zeroed before nor copied after.

``_pure_fresh`` is the specification.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from cpython.object cimport PyObject


cdef extern from "Python.h":
    PyObject* PyBytes_FromStringAndSize(const char* v, Py_ssize_t size) except NULL
    int _PyBytes_Resize(PyObject** one, Py_ssize_t size) except -1
    object PyMemoryView_FromMemory(char* p, Py_ssize_t size, int flags)
    enum: PyBUF_WRITE
    void Py_XDECREF(PyObject* one)


def written(Py_ssize_t most, write):
    """See ``_pure_fresh``."""
    cdef PyObject* made = PyBytes_FromStringAndSize(NULL, most)
    cdef Py_ssize_t size
    try:
        view = PyMemoryView_FromMemory(PyBytes_AS_STRING(<object>made), most, PyBUF_WRITE)
        size = write(view)
        view.release()
        if not 0 <= size <= most:
            raise ValueError(f"{size} of {most} bytes were written")
        _PyBytes_Resize(&made, size)
        return <object>made
    finally:
        Py_XDECREF(made)
