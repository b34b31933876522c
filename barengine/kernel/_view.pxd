"""What a buffer of plain bytes tells of itself, for ``__getbuffer__``.

Python's own PyBuffer_FillInfo does the same, but keeps one reference of those that Cython made.
"""

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_STRIDES, PyBUF_WRITABLE


cdef inline int view_of(
    object owner, const void* start, Py_ssize_t size, bint readonly, Py_buffer* view, int flags
) except -1:
    if readonly and flags & PyBUF_WRITABLE:
        raise BufferError("not to be written to")
    view.obj = owner
    view.buf = <void*>start
    view.len = size
    view.readonly = readonly
    view.itemsize = 1
    view.format = NULL
    if flags & PyBUF_FORMAT:
        view.format = b"B"
    view.ndim = 1
    view.shape = &view.len if flags & PyBUF_ND else NULL
    view.strides = &view.itemsize if flags & PyBUF_STRIDES == PyBUF_STRIDES else NULL
    view.suboffsets = NULL
    view.internal = NULL
    return 0
