cimport cython
from pronghorn.serve.outbox cimport Outbox as COutbox

cdef class Volley:
    cdef public bint open
    cdef public double seconds
    cdef readonly Py_ssize_t _most
    cdef readonly list _outboxes

    cpdef begin_round(self, Py_ssize_t ready)
    cpdef add(self, COutbox outbox)
    @cython.locals(outbox=COutbox)
    cpdef depart(self)
