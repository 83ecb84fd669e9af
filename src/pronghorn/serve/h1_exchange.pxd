cimport cython
from pronghorn.http.exchange cimport Exchange
from pronghorn.http.h1.connection cimport H1Connection as CH1Connection
from pronghorn.http.response cimport ResponseHead as CResponseHead
from pronghorn.serve.clock cimport Clock as CClock
from pronghorn.serve.outbox cimport Outbox as COutbox

cdef class Persistence:
    cdef public bint persist


cdef class H1Exchange(Exchange):
    cdef public CH1Connection _h1
    cdef public COutbox _outbox
    cdef public CClock _clock
    cdef public Persistence _persistence
    cdef public object _observer, peer, asked
    cdef public dict environ
    cdef public CResponseHead head
    cdef public bytes _before
    cdef public Py_ssize_t sent
    cdef public double started
    cdef public bint reset

    cpdef begin_call(self, dict environ)
    @cython.locals(h1=CH1Connection, octets=bytes, outbox=COutbox, more=bint, sent=Py_ssize_t, stamp=bytes, persist=bint)
    cpdef respond(self, CResponseHead head, bytes block, bint goes_on=*)
    cpdef inform(self, bytes lines)
    cpdef bint begin(self, CResponseHead head, object length) except -1
    @cython.locals(outbox=COutbox, before=bytes, behind=bytes)
    cpdef send(self, bytes block)
    cpdef end(self)
    cpdef abort(self)
    cdef _tell(self, object observer)
