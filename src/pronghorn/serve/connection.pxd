cimport cython
from pronghorn.http.h1.connection cimport H1Connection as CH1Connection
from pronghorn.http.request cimport Request as CRequest
from pronghorn.serve.h1_exchange cimport H1Exchange as CH1Exchange
from pronghorn.serve.outbox cimport Outbox as COutbox
from pronghorn.serve.polled cimport Polled
from pronghorn.serve.commons cimport Commons as CCommons
from pronghorn.wsgi.environ cimport EnvironMaker as CEnvironMaker

cdef class Connection(Polled):
    cdef public bint _arriving, _refused, _tls
    cdef public Py_ssize_t _lingered
    cdef public object body, seized
    cdef public CH1Exchange exchange
    cdef public CH1Connection h1
    cdef public CEnvironMaker maker
    cdef public COutbox outbox

    @cython.locals(request=CRequest, data=bytes)
    cpdef bint ready(self, int mask) except -1
    @cython.locals(worker=CCommons, h1=CH1Connection, outbox=COutbox, deadline=double)
    cpdef bint _advance(self, CRequest request) except -1
    @cython.locals(worker=CCommons, exchange=CH1Exchange)
    cpdef call(self, dict environ=*)
