"""How long one thread may hold the interpreter while others wait for it (sys.setswitchinterval).

Where calls compute for long beside each other, briefly: a quick request waits for each of them. Where they
end within milliseconds, for 1 ms: torn into pieces of 0.2 ms, they fetch each other's data from memory.
Django's page in four workers on one core (`python -m bench --profiles packed --only pronghorn --rounds 4`,
four runs in turns): 3.5, 4.3, 4.6 and 3.8 ms of processor with 1 ms, 5.4, 4.7, 6.5 and 4.4 with WHOLE at
0.2 ms. Where other processes have the core for a fifth of the time, it is never briefly: threads that wait
for the interpreter wake up each time to look, and seven of them in each of four workers may take so much of
the core that no call ends soon again.
"""

import sys

WHOLE = 0.001
"""Seconds in which a page gets far enough."""

_LONG = 0.01
"""Seconds of computing that are long for a call, where such calls spend half of the time. A page that is
torn takes several times as long as one that is not, and must not be the reason to tear it."""

_WINDOW = 0.1
"""Seconds, arbitrary, after which we look again."""

_HOLD = 0.5
"""Seconds, arbitrary, that it stays brief after a window of long calls: those are seen when they end."""


class Interval:
    """Of the process. Under the lock of whoever has it (`habit`)."""

    def __init__(self) -> None:
        self._short = 0.0  # not to be set
        self._began = 0.0  # this window, time.monotonic()
        self._spent = self._in_long = 0.0  # processor seconds of the calls that ended since, of long ones
        self._brief_until = 0.0

    def open(self, seconds: float) -> None:
        """To be set from now on, while calls compute for long."""
        self._short = seconds
        self._set(seconds)

    def shorten(self) -> None:
        """A call has lost the lead, or threads no longer compete."""
        self._set(self._short)

    def ended(self, own: float, now: float, saturated: bool) -> None:
        """A call beside others has, with so much processor time. now: time.monotonic(). saturated: its
        process computed nearly all the while that it lasted."""
        self._spent += own
        if own >= _LONG and saturated:
            self._in_long += own
        if now - self._began < _WINDOW:
            return
        if self._in_long > self._spent / 2:
            self._brief_until = now + _HOLD
        self._set(self._short if now < self._brief_until else max(WHOLE, self._short))
        self._began, self._spent, self._in_long = now, 0.0, 0.0

    def _set(self, seconds: float) -> None:
        if self._short and abs(sys.getswitchinterval() - seconds) > 1e-6:  # another worker may have set it
            sys.setswitchinterval(seconds)
