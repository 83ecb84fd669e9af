cimport cython
from pronghorn.http.exchange cimport Exchange as CExchange
from pronghorn.http.response cimport ResponseHead as CResponseHead
from pronghorn.wsgi.response cimport Heads as CHeads, Response as CResponse

cdef class Application:
    cdef readonly object _app, _warn
    cdef public object _log
    cdef public dict own
    cdef readonly CHeads _heads

    @cython.locals(response=CResponse, head=CResponseHead, block=bytes)
    cpdef call(self, CExchange exchange, dict environ)
    cpdef _send(self, CResponse response, object result)
