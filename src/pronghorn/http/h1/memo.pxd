from pronghorn.http.request cimport FieldSection as CFieldSection, Request as CRequest

cdef class HeadMemo:
    cdef readonly object _limits
    cdef readonly str _scheme
    cdef public bytes line, block
    cdef public CRequest request
    cdef readonly CFieldSection _base
    cdef readonly bytes _base_block
    cdef readonly list _may_differ
    cdef readonly tuple _free, _fixed
    cdef readonly bytes _begin, _finish

    cpdef object parse(self, bytes line, bytes block)
    cpdef object again(self, bytes data)
    cdef readonly object _match(self, bytes block)
    cdef readonly object _values(self, bytes rest)
