cimport cython

cdef class Tally:
    cdef readonly object _whole, _real
    cdef readonly list _ended

    cpdef ended(self, object exchange, object head, Py_ssize_t sent)
    @cython.locals(new=list, octets=Py_ssize_t, total=double, quick=Py_ssize_t, sent=Py_ssize_t, seconds=double)
    cpdef add_up(self)
