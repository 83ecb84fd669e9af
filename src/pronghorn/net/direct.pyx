"""direct.py, without letting go of the interpreter. What is rare or long is left to the socket's own methods."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_SetFromErrno

cdef extern from "<sys/socket.h>":
    ssize_t c_recv "recv" (int fd, void *buffer, size_t size, int flags)
    ssize_t c_send "send" (int fd, const void *buffer, size_t size, int flags)

cdef enum:
    RECV_MOST = 16384  # octets: beyond, a second copy costs more than what is saved
    SEND_MOST = 65536  # octets: to copy these takes the kernel 10 µs, and all other threads wait meanwhile


cdef class Direct:
    def __cinit__(self, *_):
        self._fd = -1

    def __init__(self, sock):
        self._sock = sock
        self._fd = sock.fileno()

    cpdef recv(self, Py_ssize_t size):
        cdef char received[RECV_MOST]
        if <size_t>size > RECV_MOST:  # a negative one, too
            return self._sock.recv(size)
        count = c_recv(self._fd, received, size, 0)
        if count < 0:
            PyErr_SetFromErrno(OSError)
        return PyBytes_FromStringAndSize(received, count)

    cpdef Py_ssize_t send(self, object octets) except -1:
        if type(octets) is not bytes or len(<bytes>octets) > SEND_MOST:
            return self._sock.send(octets)
        sent = c_send(self._fd, PyBytes_AS_STRING(octets), len(<bytes>octets), 0)
        if sent < 0:
            PyErr_SetFromErrno(OSError)
        return sent

    def close(self):
        self._fd = -1
        self._sock.close()
