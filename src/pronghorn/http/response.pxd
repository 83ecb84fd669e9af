cimport cython

cdef class ResponseHead:
    cdef readonly str status
    cdef readonly int code
    cdef readonly list fields
    cdef readonly object content_length
    cdef readonly bint close, has_date, has_server, ordinary
    cdef readonly bytes lines
    cdef readonly tuple last_octets
    cdef readonly ResponseHead _closing

    cpdef bytes octets(self, bytes stamp, Py_ssize_t size)
    @cython.locals(head=ResponseHead)
    cpdef ResponseHead closing(self)
