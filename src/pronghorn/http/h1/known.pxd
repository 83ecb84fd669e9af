from pronghorn.http.request cimport FieldSection as CFieldSection, Request as CRequest

cdef class KnownHead:
    cdef readonly bytes octets, line, block
    cdef readonly CRequest request


cdef class KnownHeads:
    cdef readonly dict _heads, _sections
    cdef readonly set _seen

    cpdef KnownHead whole(self, bytes octets)
    cpdef object find(self, str version, bytes block)
    cpdef object add(self, bytes block, CFieldSection section)
