from pronghorn.http.request cimport FieldSection as CFieldSection

cdef class KnownBlocks:
    cdef readonly dict _sections

    cpdef object find(self, str version, bytes block)
    cpdef object add(self, bytes block, CFieldSection section)
