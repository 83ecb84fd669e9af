"""Do calls usually compute, or wait? Where they wait, the lead is handed on before each (`turn.slow`).

    calls wait:   a moving average above SLOW         turn.slow = True
    they do not:  below QUICK                         turn.slow = False
    a trial:      the process computes all the time,  turn.slow = False, and the average begins anew
                  or is ready to

Beside others, calls that compute look like those that wait: both wait for the interpreter. Without trials, a
server whose first calls were slow handed the lead on for as long as there was load (Django's page: 1.9 ms of
processor in place of 1.1).
"""

import threading
import time
from collections.abc import Callable
from math import inf

from pronghorn.serve.effort import waited
from pronghorn.serve.interval import Interval
from pronghorn.serve.turn import Turn

SLOW = 0.0003
QUICK = 0.0002
"""Seconds that calls wait: the lead is handed on before each above the one, until the average is below the
other."""

BUSY = 0.004
"""Seconds that a call may keep the lead while it computes: few pages take longer (see `effort`)."""

TRIAL = 1.0
TRIALS_MOST = 16.0
"""Seconds, arbitrary, until calls run on the leader again for a trial. After one that failed, the next comes
after twice the time."""

SETTLE = 0.3
"""Seconds, arbitrary, that a trial begins with, unless calls are seen to wait: threads that end a call from
before it take no other, and while the process computes, the lead stays where it is."""

TURNS = 0.02
"""Seconds, arbitrary, that a call may keep the lead meanwhile, whether it computes or waits for those that go
first, eight threads at most; at other times, beside calls that compute briefly. Who waits for longer waits
for something else."""

STARVED = 0.1
"""Seconds, arbitrary, that it may keep the lead while other processes have the processor."""

_SATURATED = 0.8
"""Of a call's time, what its process computed: from here on, threads wait for the interpreter."""

LOOK = 0.05
"""Seconds, arbitrary, after which a process that computes less is asked whether others had the processor."""

_WEIGHT = 0.125
"""Of one sample in the moving average."""

_CALLS_MOST = 4
"""Samples, arbitrary, that one round counts as: calls that compute may follow others that wait in bursts."""

_SAMPLE_MOST = 0.002
"""Seconds. A single slow call among quick ones must not slow them all down."""


class Habit:
    """Of one worker's calls."""

    def __init__(self, turn: Turn, busy: Callable[[], int], delayed: Callable[[], float]) -> None:
        """busy: threads that are in calls beside the leader. delayed: seconds that threads were ready, but
        others had the processor."""
        self._turn = turn
        self._busy = busy
        self._delayed = delayed
        self.interval = Interval()
        self._average = 0.0  # seconds that a call waits
        self._computing = 0.0  # seconds that a call without the lead computes, on a moving average
        # time.thread_time(), time.process_time() and the leader's delay when its round began
        self._spent = 0.0, 0.0, 0.0
        self._lock = threading.Lock()
        self._pause = TRIAL
        self._trial_at = 0.0  # not before
        self._tried = float("-inf")  # when the last trial began
        self._settles_by = 0.0
        self._looked = 0.0, 0.0  # time.process_time() and time.monotonic(), while it settles
        self._weighed = 0.0, 0.0  # time.monotonic(), and what `_pressed` added up then

    # The leader

    def begin_round(self) -> None:
        """Where `turn.timed`: a round begins, or another thread has taken the lead."""
        # Where threads compete, they may keep the interpreter while we ask for a delay, and there is no need.
        delayed = inf if self._busy() else self._turn.gauge.delayed()
        self._spent = time.thread_time(), time.process_time(), delayed

    def end_round(self, seconds: float, calls: int) -> None:
        """Its calls took so long, all in all. What calls beside it computed meanwhile is no waiting: it may
        have been for the interpreter, which is no reason to let another thread compete for it."""
        turn = self._turn
        if seconds <= QUICK * calls:
            turn.timed = False
            if turn.slow:
                self._sample(seconds / calls)
            else:  # nor will they be: such a round makes no average too large
                self._mix(seconds / calls)
        elif not turn.timed:
            turn.timed = True  # the next round will be measured
        else:
            own, process = time.thread_time() - self._spent[0], time.process_time() - self._spent[1]
            if self._spent[2] < inf and not self._busy():
                delayed = turn.gauge.delayed() - self._spent[2]
                waits = waited(seconds, own, process, delayed) / calls
                # Those that compute for long must not hold the lead, either.
                self._sample(waits if own < BUSY * calls else _SAMPLE_MOST, calls)
            elif not self.settles(time.monotonic()):
                self._sample((seconds - process) / calls)

    def taken_over(self) -> None:
        """A call has lost the lead."""
        with self._lock:
            self.interval.shorten()
        self._sample(_SAMPLE_MOST)

    # The lookout

    def competes(self, age: float) -> bool:
        """Whether the leader's call, which lasts for `age` seconds, computes or waits for the interpreter,
        about: a trial has just begun, and the process computes."""
        now = time.monotonic()
        if age >= TURNS or not self.settles(now):
            return False
        before, at = self._looked
        self._looked = spent, _ = time.process_time(), now
        return spent - before > _SATURATED * (now - at)

    # Any thread

    def settles(self, now: float) -> bool:
        """A trial has just begun: who ends a call takes no other."""
        return now < self._settles_by

    def ended_beside(self, since: float, own: float, process: float) -> None:
        """A call without the lead has ended. since: time.monotonic(); own, process: processor time of its
        thread, and of all, meanwhile."""
        pressed = self._pressed()  # not under the lock: to ask lets go of the interpreter
        now = time.monotonic()
        with self._lock:
            if since < self._settles_by:
                return  # a trial has begun, and this call is from before it or competed with such
            saturated = process > _SATURATED * (now - since)
            if self._turn.slow:
                self.interval.ended(own, now, saturated)
            self._computing += _WEIGHT * (min(own, 2 * BUSY) - self._computing)
            self._mix(waited(now - since, own, process) if own < BUSY else _SAMPLE_MOST)
            self._judge(now)
            briefly = max(own, self._computing) < BUSY
            if self._turn.slow and briefly and now >= self._trial_at and (saturated or pressed):
                self._try(now)

    def _sample(self, seconds: float, calls: int = 1) -> None:
        """A call waited for so long, or on average the calls of a round. The leader."""
        if self._turn.slow:
            with self._lock:  # a trial may begin
                self._mix(seconds, calls)
                self._judge(time.monotonic())
            return
        self._mix(seconds, calls)
        if self._average > SLOW:
            with self._lock:
                self._judge(time.monotonic())

    def _mix(self, seconds: float, calls: int = 1) -> None:
        # Calls of a round that wait may have had one bad moment; each of those that do not is evidence.
        weight = _WEIGHT if seconds > self._average else 1 - (1 - _WEIGHT) ** min(calls, _CALLS_MOST)
        self._average += weight * (min(max(seconds, 0.0), _SAMPLE_MOST) - self._average)

    def _judge(self, now: float) -> None:
        """Under the lock."""
        turn = self._turn
        if turn.slow:
            if self._average <= QUICK:
                turn.slow = False
                self.interval.shorten()
        elif self._average > SLOW:
            turn.slow = True
            self._pause = TRIAL if now - self._tried > TRIAL else min(2 * self._pause, TRIALS_MOST)
            self._trial_at = now + self._pause
            self._settles_by = 0.0

    def _pressed(self) -> bool:
        """The process has computed for nearly all the time since the last look, or would have, had others not
        had the processor. Threads that are delayed together count each, at worst for a trial that fails."""
        at, before = self._weighed
        now = time.monotonic()
        if not self._turn.slow or now < max(self._trial_at, at + LOOK):
            return False
        self._weighed = now, inf  # it is our look
        pressed = time.process_time() + self._delayed()
        now = time.monotonic()
        self._weighed = now, pressed
        return now < at + 2 * LOOK and pressed - before > _SATURATED * (now - at)

    def _try(self, now: float) -> None:
        """Calls run on the leader again, until they are seen to wait. Under the lock."""
        self._tried = now
        self._settles_by = now + SETTLE
        self._looked = time.process_time(), now
        self._average = 0.0
        self._turn.slow = False
        self.interval.shorten()
