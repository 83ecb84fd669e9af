cdef class RequestLine:
    cdef readonly str method, target, path, query, version
    cdef readonly object authority


cdef class FieldSection:
    cdef readonly list fields
    cdef readonly str version
    cdef readonly object content_length
    cdef readonly bint chunked, has_body, persistent, expects_continue
    cdef public bint common
    cdef public dict as_environ


cdef class Request:
    cdef readonly RequestLine line
    cdef readonly FieldSection section
    cdef readonly tuple changes
    cdef readonly bint simple
    cdef public bint common
    cdef public tuple as_environ
