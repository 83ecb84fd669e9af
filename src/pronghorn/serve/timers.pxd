cimport cython

cdef class Timers:
    cdef readonly object _failed
    cdef readonly dict _buckets
    cdef readonly list _order

    @cython.locals(bucket=Py_ssize_t)
    cpdef object watch(self, object timed)
    cpdef object forget(self, object timed)
