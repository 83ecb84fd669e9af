cimport cython
from pronghorn.net.direct cimport Direct
from pronghorn.serve.streams cimport Streams as CStreams

cdef class Held:
    cdef readonly object _lock
    cdef readonly Py_ssize_t _total
    cdef public bint too_much

    cpdef add(self, Py_ssize_t octets)


cdef class Outbox:
    cdef readonly Direct _transport
    cdef readonly object _ask, _crowded, _room, _parts, _spill
    cdef readonly Held _held
    cdef readonly CStreams _streams
    cdef readonly Py_ssize_t _batched
    cdef readonly bint _held_back
    cdef public bint slow
    cdef readonly Py_ssize_t _memory
    cdef public object batch
    cdef public list lead
    cdef public bytes kept
    cdef public bint waiting, broken

    @cython.locals(sent=Py_ssize_t)
    cpdef put(self, bytes octets, object more=*)
    cpdef keep(self, bytes octets)
    cpdef depart(self)
    cpdef hold(self, bytes octets)
    cpdef let_go(self)
    cpdef put_large(self, bytes octets, bytes block)
    cpdef wait_for_room(self)
    cpdef release(self)
    cdef _release_batch(self)
    cpdef end_batch(self)
