cimport cython
from pronghorn.http.h1.memo cimport HeadMemo as CHeadMemo
from pronghorn.http.request cimport Request as CRequest
from pronghorn.http.response cimport ResponseHead as CResponseHead

cdef class H1Connection:
    cdef readonly object _body, _framing, _limits
    cdef readonly CHeadMemo _memo
    cdef readonly bytearray _partial
    cdef readonly Py_ssize_t _partial_line, _pos, _skipped
    cdef readonly str _scheme
    cdef public bytes unread, content
    cdef public bint persistent
    cdef readonly bint _rested
    cdef public object reading, writing

    @cython.locals(request=CRequest, partial=bytearray, memo=CHeadMemo)
    cpdef object receive(self, bytes data)
    @cython.locals(data=bytes, start=Py_ssize_t, end=Py_ssize_t, line_end=Py_ssize_t, memo=CHeadMemo, request=CRequest)
    cpdef object next_request(self)
    @cython.locals(known=tuple)
    cpdef bytes respond(self, CRequest request, CResponseHead head, bytes block, bytes stamp, bint persist)
    cpdef bytes announce(self, CRequest request, CResponseHead head, Py_ssize_t size, bytes stamp, bint persist)
    cpdef bytes begin(self, CRequest request, CResponseHead head, object length, bytes stamp, bint persist)
    cpdef tuple frame(self, Py_ssize_t size)
    cpdef bytes end(self)
