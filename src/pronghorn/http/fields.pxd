cpdef object kind_of(bytes name)
cpdef list members(list values)
cpdef bint is_authority(bytes value)
