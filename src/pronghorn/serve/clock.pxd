cdef class Clock:
    cdef public double now
    cdef public bytes stamp
    cdef readonly long _second
