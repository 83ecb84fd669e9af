from pronghorn.net.direct cimport Direct

cdef class Transport(Direct):
    pass


cdef class TlsTransport(Transport):
    cpdef recv(self, Py_ssize_t size)
    cpdef send(self, object data)
