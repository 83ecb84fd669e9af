"""Does a call compute, or does it wait? The processor's time tells, and what the system says of its thread.

Calls that wait (for a database, for another service) must not hold the lead: the leader has others to serve.
Calls that compute hold the interpreter anyway, so to hand the lead on during each of them buys nothing, and
costs switches between threads: 15 % of a page of 0.4 ms.

Where other processes have the processor, a call that computes makes no progress either. That it is ready,
and how long it was without running, the system says (`Gauge`): with none of it, Django's page in several
workers on one core was handed on from thread to thread, which then competed for the interpreter, too.
"""

import os
import threading
import time
from collections.abc import Callable


def own_clock() -> int | None:
    """The clock of the calling thread's processor time, for time.clock_gettime.

    None on macOS, which has none: there every call may be one that waits. Asked for by the thread itself,
    because the C library may crash for one that has ended; the clock of such a one is an OSError.
    """
    clock_of: Callable[[int], int] | None = getattr(time, "pthread_getcpuclockid", None)
    return clock_of(threading.get_ident()) if clock_of is not None else None


def spent(clock: int) -> float:
    """Processor seconds of the thread whose clock this is; 0 where there is none, or it has ended."""
    try:
        return time.clock_gettime(clock) if clock else 0.0
    except OSError:
        return 0.0


class Gauge:
    """What the system says of one thread. Nothing outside of Linux. Any thread asks.

    Each question lets go of the interpreter for a moment.
    """

    __slots__ = ("_delays", "_state")

    def __init__(self) -> None:
        self._delays = self._state = -1

    def open(self) -> "Gauge":
        """Of the calling thread from now on."""
        # For as long as it lives: to open and close them is more than to ask (`python -m bench.parts`).
        self._delays = _open("schedstat")
        self._state = _open("stat")
        return self

    def close(self) -> None:
        """Nothing is known any more."""
        delays, self._delays = self._delays, -1
        state, self._state = self._state, -1
        for file in (delays, state):
            if file >= 0:
                os.close(file)

    def delayed(self) -> float:
        """Seconds that it was ready, in all its life, and others had the processor."""
        try:
            return int(_read(self._delays).split()[1]) / 1e9
        except (IndexError, ValueError):
            return 0.0

    def ready(self) -> bool:
        """It runs now, or would if others did not have the processor: it waits for nothing."""
        return _read(self._state).rpartition(b") ")[2].startswith(b"R")


NO_GAUGE = Gauge()


def _open(name: str) -> int:
    try:
        return os.open(f"/proc/thread-self/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def _read(file: int) -> bytes:
    if file < 0:
        return b""
    try:
        return os.pread(file, 256, 0)
    except OSError:
        return b""  # the thread has ended


def waited(lasted: float, own: float, process: float, delayed: float = 0.0) -> float:
    """How long a call beside others waited for something other than the interpreter, about. Seconds.

    own, process: processor time of its thread, and of all, while it lasted. delayed: see `Gauge`. Where
    others computed, it may have waited for them to let go of the interpreter, or would have anyway: the half
    of that counts. With nothing of it, calls to a database take turns on the leader where 8 clients have
    0.3 ms of computing and 1 ms of waiting each (870 a second; 2200); with all of it, pages that compute hand
    the lead on.
    """
    return lasted - own - delayed - max(0.0, process - own) / 2
