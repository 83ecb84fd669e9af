cimport cython
from pronghorn.serve.connection cimport Connection as CConnection
from pronghorn.serve.outbox cimport Outbox as COutbox

cdef class PollRound:
    cdef readonly list _answered, _ready
    cdef readonly Py_ssize_t _size, _at
    cdef public list targets
    cdef public object events
    cdef public bint grouped
    cdef public double seconds

    @cython.locals(count=Py_ssize_t, seconds=double, hold=double)
    cpdef begin(self, list ready)
    @cython.locals(group=list, targets=list, fd=Py_ssize_t, mask=int, connection=CConnection)
    cpdef bint next_group(self) except -1
    @cython.locals(outbox=COutbox)
    cpdef depart(self)
