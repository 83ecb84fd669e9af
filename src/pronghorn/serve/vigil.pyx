"""vigil.py, without the interpreter while calls come and go: who asks for it takes it from the leader."""

import queue

from cpython.pythread cimport (
    PyThread_acquire_lock, PyThread_allocate_lock, PyThread_free_lock, PyThread_release_lock, WAIT_LOCK
)
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, clockid_t, timespec

cdef extern from "pythread.h":
    int acquire_timed "PyThread_acquire_lock_timed" (PyThread_type_lock, long long, int) noexcept nogil

cdef enum:
    LOOKS = 20  # then the crew looks around, too: at most 0.2 s

cdef double SHARE = 0.5  # as vigil.py's


cdef double seconds(clockid_t clock) noexcept nogil:
    cdef timespec now
    return now.tv_sec + 1e-9 * now.tv_nsec if clock_gettime(clock, &now) == 0 else 0.0


cdef class Orders:
    def __cinit__(self):
        self._bell = PyThread_allocate_lock()
        if self._bell is NULL:
            raise MemoryError
        PyThread_acquire_lock(self._bell, WAIT_LOCK)  # released: it rings

    def __dealloc__(self):
        if self._bell is not NULL:
            PyThread_free_lock(self._bell)

    def __init__(self):
        self._queue = queue.SimpleQueue()

    def put(self, order):
        self._queue.put(order)
        if self._watched:
            self._watched = False
            PyThread_release_lock(self._bell)

    def get(self, timeout=None):
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            return None


cdef class Vigil:
    def __init__(self, turn, streams):
        self._turn = turn
        self._streams = streams

    cpdef begin(self):
        self._look()
        self._since, self._began = self._looked, self._spent
        self.own = 0.0

    cpdef keep(self, Orders orders, double tick):
        cdef bint rang = False
        # Who puts an order does so before it looks at `_watched`, and we the other way round.
        orders._watched = True
        if orders._queue.empty():
            with nogil:
                rang = self._ring(orders, tick)
        if not rang and not orders._watched:  # it rang while we waited for the interpreter
            PyThread_acquire_lock(orders._bell, WAIT_LOCK)
        orders._watched = False
        return None if orders._queue.empty() else orders._queue.get()

    cpdef bint outrun(self):
        return self._turn.calls != self._seen

    cdef bint _ring(self, Orders orders, double tick) noexcept nogil:
        """Whether it does, within a tick in which no call begins, or LOOKS."""
        cdef int looks = 0
        while acquire_timed(orders._bell, <long long>(1e6 * tick), 0) != 1:
            looks += 1
            self._look()
            if not self.moved or looks == LOOKS or self._streams.wanted or self._streams.ticking:
                return False
        return True

    cdef void _look(self) noexcept nogil:
        cdef double now = seconds(CLOCK_MONOTONIC)
        cdef int clock = self._turn.clock
        cdef double spent = seconds(clock) if clock else 0.0
        self.computes = clock == self._clock and spent - self._spent > SHARE * (now - self._looked)
        self._clock, self._looked, self._spent = clock, now, spent
        self.moved = self._turn.calls != self._seen
        if self.moved:
            self._seen, self._since, self._began = self._turn.calls, now, spent
        self.age = now - self._since
        self.own = spent - self._began
