cimport cython

cdef class Acceptor:
    cdef readonly object listener, _poller, _new, _short, _log, _accept, _accepted
    cdef readonly tuple _kind
    cdef readonly int fd
    cdef readonly bint _tls, _watching
    cdef readonly unsigned int _mask

    @cython.locals(count=Py_ssize_t)
    cpdef object accept(self, Py_ssize_t most)
    cdef object _take(self, object fd, object peer)
