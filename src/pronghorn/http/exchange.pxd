from pronghorn.http.request cimport Request as CRequest
from pronghorn.http.response cimport ResponseHead as CResponseHead

cdef class Exchange:
    cdef public CRequest request

    cpdef inform(self, bytes lines)
    cpdef respond(self, CResponseHead head, bytes block, bint goes_on=*)
    cpdef bint begin(self, CResponseHead head, object length) except -1
    cpdef send(self, bytes block)
    cpdef end(self)
    cpdef abort(self)
