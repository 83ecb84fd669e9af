cimport cython

cdef class Tally:
    cdef readonly object _whole, _real
    cdef readonly list _ended

    @cython.locals(code=int)
    cpdef ended(self, object exchange, object head, Py_ssize_t sent)
    @cython.locals(new=list, octets=Py_ssize_t, total=double, code=int, sent=Py_ssize_t, seconds=double, cell=Py_ssize_t, answers=dict)
    cpdef add_up(self)
