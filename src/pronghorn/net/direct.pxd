cdef class Direct:
    cdef public object _sock
    cdef int _fd

    cpdef recv(self, Py_ssize_t size)
    cpdef Py_ssize_t send(self, object octets) except -1
