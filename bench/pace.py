"""Is the machine as quick as it has been? A host's other guests may halve a core's speed for a while.

A fixed piece of work is timed before and after each round, whatever is measured; a round beside which it
took too long is measured once more. No result decides it, so no server gains by it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from bench.measure import Outcome

TOLERATED = 1.15
"""A neighbour that computes on the same core costs it 1.5 to 2; the work itself varies by 0.05."""

_PAUSE = 0.5
_FIRST = 10
_WORK = range(1000)


def work(cores: Sequence[int]) -> float:
    """Seconds of the fixed piece of work on the slowest core: the least of five, 5 ms together."""
    before = os.sched_getaffinity(0)
    slowest = 0.0
    for core in cores:
        os.sched_setaffinity(0, {core})
        slowest = max(slowest, min(_timed() for _ in range(5)))
    os.sched_setaffinity(0, before)
    return slowest


def _timed() -> float:
    started = time.perf_counter()
    for _ in range(50):
        sum(_WORK)
    return time.perf_counter() - started


def told(paces: Sequence[float]) -> str:
    """Of rounds that count, how many the machine was slow beside."""
    slow = sum(pace > TOLERATED * min(paces) for pace in paces)
    limit = f"{TOLERATED - 1:.0%}"
    return f"beside {slow} of {len(paces)} rounds it was more than {limit} slower than at its best"


class Pace:
    """Of one run, which may wait and repeat for `patience` seconds in all."""

    def __init__(
        self,
        work: Callable[[], float],
        patience: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._work = work
        self._clock = clock
        self._sleep = sleep
        self.patience = patience
        self.best = min(work() for _ in range(_FIRST))
        """Seconds of the work at its fastest."""
        self._paces: list[float] = []

    def round(self, outcome: Outcome, measure: Callable[[], None]) -> None:
        """Add one round to the outcome, again while the machine is slow. A failure counts at once."""
        failures = len(outcome.failures)
        while True:
            started = self._clock()
            before = self._quiet()
            measure()
            pace = max(before, self._look())
            if not self._slow(pace) or self.patience <= 0 or len(outcome.failures) > failures:
                break
            outcome.rounds.pop()
            outcome.attempts -= 1
            self.patience -= self._clock() - started
        self._paces.append(pace)

    def taken(self) -> list[float]:
        """Seconds of the work beside each round since the last time this was asked."""
        paces, self._paces = self._paces, []
        return paces

    def _quiet(self) -> float:
        """Wait until the machine is not slow, or patience ends."""
        while self._slow(pace := self._look()) and self.patience > 0:
            self._sleep(_PAUSE)
            self.patience -= _PAUSE
        return pace

    def _look(self) -> float:
        pace = self._work()
        self.best = min(self.best, pace)
        return pace

    def _slow(self, pace: float) -> bool:
        return pace > TOLERATED * self.best
