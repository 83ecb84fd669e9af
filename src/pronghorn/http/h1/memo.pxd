cimport cython
from pronghorn.http.h1.known cimport KnownHead as CKnownHead, KnownHeads as CKnownHeads
from pronghorn.http.request cimport FieldSection as CFieldSection, Request as CRequest

cdef class HeadMemo:
    cdef readonly object _limits
    cdef readonly CKnownHeads _known
    cdef readonly str _scheme
    cdef public bytes line, block, whole
    cdef public CRequest request
    cdef readonly CFieldSection _base
    cdef readonly bytes _base_block
    cdef readonly list _may_differ
    cdef readonly tuple _free, _fixed
    cdef readonly bytes _begin, _finish

    @cython.locals(last=CRequest, base=CFieldSection, first=bint, known=bint)
    cpdef object parse(self, bytes line, bytes block)
    @cython.locals(begin=bytes, finish=bytes, last=CRequest, end=Py_ssize_t)
    cpdef object again(self, bytes data)
    @cython.locals(known=CKnownHead)
    cdef object _meet(self, bytes data)
    @cython.locals(first=bytes, last=bytes, end=Py_ssize_t)
    cdef object _match(self, bytes block)
    @cython.locals(values=list, value=bytes, stretch=bytes, found=bytes)
    cdef object _values(self, bytes rest)

cpdef check_block(bytes block)
