cimport cython
from pronghorn.http.exchange cimport Exchange as CExchange
from pronghorn.http.response cimport ResponseHead as CResponseHead

cdef class Heads:
    cdef readonly bint _many
    cdef readonly dict last, others
    cdef readonly set warned


cdef class Response:
    cdef readonly bint _called, _follows
    cdef readonly CExchange _exchange
    cdef readonly object _left, _warn
    cdef readonly Heads _heads
    cdef public bint begun, complete, done
    cdef public object sending
    cdef public CResponseHead head

    cpdef turn(self)
    cpdef no_more(self)
    cdef _write(self, bytes block)
    cpdef bint send(self, bytes block) except -1
    cpdef bint begin(self, object length) except -1
    cpdef whole(self, bytes block)
    cpdef finish(self)

cpdef bytes checked_block(object block)
