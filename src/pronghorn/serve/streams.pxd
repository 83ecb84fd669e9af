cdef class Streams:
    cdef readonly object _held, _log
    cdef public bint ticking, wanted

    cpdef hold(self, object outbox)
