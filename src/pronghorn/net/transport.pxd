cdef class PlainTransport:
    cdef public object _sock, recv, send, send_parts
