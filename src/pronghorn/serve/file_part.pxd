cdef class FilePart:
    cdef public int fd
    cdef public object offset, count, status, looks
