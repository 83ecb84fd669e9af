from pronghorn.net.direct cimport Direct
from pronghorn.serve.commons cimport Commons as CCommons

cdef class Polled:
    cdef public int _mask
    cdef public object _sock
    cdef public Direct _transport
    cdef public CCommons _worker
    cdef public Py_ssize_t bucket
    cdef public double deadline, due
    cdef public int fd
    cdef public object phase
    cdef public bytes _fetched
    cdef public Py_ssize_t _recv_most

    cpdef fetch(self)
