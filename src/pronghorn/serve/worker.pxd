cimport cython
from pronghorn.serve.clock cimport Clock as CClock
from pronghorn.serve.connection cimport Connection as CConnection
from pronghorn.serve.h1_exchange cimport Persistence as CPersistence
from pronghorn.serve.outbox cimport Held as CHeld
from pronghorn.serve.streams cimport Streams as CStreams
from pronghorn.serve.threads cimport Turn as CTurn
from pronghorn.wsgi.call cimport Application as CApplication

cdef class Hooks:
    cdef public object after_request, began, on_signal, abandon, pulse, routing, deadlines, stuck
    cdef public bint orphan


cdef class Worker(Hooks):
    cdef public object options, limits, log, timers, poller, crew, crowded, idle_time, calls, connections, doors, drain
    cdef public CApplication application, quick_application
    cdef public CClock clock
    cdef public CHeld held
    cdef public CStreams streams
    cdef public CPersistence persistence
    cdef public CTurn turn
    cdef public double idle_deadline
    cdef public object observer
    cdef public object _access, _siblings, _bases, _targets, _posts, _batch, _errands, _bell, _pulse_at, _calls_most
    cdef public bint _polling
    cdef public Py_ssize_t _round_calls

    @cython.locals(turn=CTurn, token=list)
    cpdef object run_call(self, CConnection connection)
