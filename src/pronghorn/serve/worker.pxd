cimport cython
from pronghorn.serve.connection cimport Connection as CConnection
from pronghorn.serve.h1_exchange cimport Persistence as CPersistence
from pronghorn.serve.poll_round cimport PollRound as CPollRound
from pronghorn.serve.commons cimport Commons
from pronghorn.serve.outbox cimport Held as CHeld
from pronghorn.serve.streams cimport Streams as CStreams
from pronghorn.serve.turn cimport Turn as CTurn
from pronghorn.wsgi.call cimport Application as CApplication

cdef class Worker(Commons):
    cdef public object body_memory, options, limits, log, timers, poller, crew, silent_time, crowded, idle_time, known_heads, calls, connections, doors, drain
    cdef public CApplication quick_application
    cdef public CHeld held
    cdef public CStreams streams
    cdef public CPersistence persistence
    cdef public CTurn turn
    cdef public object observation, _siblings, _bases, _posts, _errands, _bell, _pulse_at, _calls_most
    cdef public CPollRound round
    cdef public bint _polling
    cdef public Py_ssize_t _round_calls, _twice

    @cython.locals(round=CPollRound, targets=list, fd=Py_ssize_t, mask=int)
    cpdef object _lead(self, object me)
    @cython.locals(turn=CTurn, token=list, environ=dict)
    cpdef object run_call(self, CConnection connection)
    cpdef object _begin_time(self)
