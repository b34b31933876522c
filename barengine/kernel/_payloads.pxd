"""The C side of what is packed into payloads."""

from barengine.kernel._encode cimport Packing


cdef class Payloads:
    cdef Packing packing
