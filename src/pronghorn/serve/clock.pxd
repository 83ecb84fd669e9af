cdef class Clock:
    cdef public double now
    cdef public bytes stamp
    cdef readonly double _until
