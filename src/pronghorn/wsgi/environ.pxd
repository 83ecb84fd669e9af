cimport cython
from pronghorn.http.request cimport FieldSection as CFieldSection, Request as CRequest, RequestLine as CRequestLine

cdef class EnvironMaker:
    cdef readonly dict _base, _own, _template
    cdef readonly list _keys
    cdef readonly object _address
    cdef readonly str _port
    cdef readonly CRequestLine _line
    cdef readonly CFieldSection _section

    @cython.locals(line=CRequestLine, environ=dict, shared=dict, kept=tuple)
    cpdef dict make(self, CRequest request)
    cdef tuple _share(self, CRequest request)
    @cython.locals(index=Py_ssize_t, key=str, value=bytes)
    cdef _set_changes(self, dict environ, CRequest request)
