cdef class Turn:
    cdef public list slot
    cdef public Py_ssize_t calls
    cdef public int clock
    cdef public object gauge
    cdef public bint watched, slow, timed
