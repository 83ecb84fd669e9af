from pronghorn.net.direct cimport Direct

cdef class Transport(Direct):
    pass


cdef class TlsTransport(Transport):
    cpdef recv(self, Py_ssize_t size)
    cpdef Py_ssize_t send(self, object data) except -1
