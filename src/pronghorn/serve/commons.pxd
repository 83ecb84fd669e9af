from pronghorn.serve.clock cimport Clock as CClock
from pronghorn.wsgi.call cimport Application as CApplication

cdef class Commons:
    cdef public CApplication application
    cdef public CClock clock
    cdef public list answered
    cdef public double idle_deadline
    cdef public object began, on_signal, abandon, pulse, routing, deadlines, stuck, observer
    cdef public bint from_begin, orphan
