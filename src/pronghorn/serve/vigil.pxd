from cpython.pythread cimport PyThread_type_lock
from pronghorn.serve.streams cimport Streams
from pronghorn.serve.turn cimport Turn

cdef class Orders:
    cdef object _queue
    cdef PyThread_type_lock _bell
    cdef bint _watched


cdef class Vigil:
    cdef Turn _turn
    cdef Streams _streams
    cdef Py_ssize_t _seen
    cdef int _clock
    cdef double _since, _looked, _spent, _began
    cdef public bint moved, computes
    cdef public double age, own

    cpdef begin(self)
    cpdef keep(self, Orders orders, double tick)
    cpdef bint outrun(self)
    cdef bint _ring(self, Orders orders, double tick) noexcept nogil
    cdef void _look(self) noexcept nogil
