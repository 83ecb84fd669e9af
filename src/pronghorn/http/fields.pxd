cimport cython

cdef dict _known
cdef set _authorities

cpdef object kind_of(bytes name)
cpdef list members(list values)
cpdef bint is_authority(bytes value)
