"""How fast is the machine just now? A host's other guests may halve a core's speed for a moment or for hours.

A fixed piece of work says so; no server's result does, and so none gains by it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

TOLERATED = 1.15
"""A neighbour that computes on the same core costs it 1.5 to 2; the work itself varies by 0.05."""
_FASTEST = 50
"""One look of so many is faster than usual: a core may be driven beyond its usual speed for a moment."""
_WORK = range(1000)


def look() -> int:
    """Nanoseconds of processor time that the piece of work takes on this core: the least of three."""
    return min(_timed(), _timed(), _timed())


def _timed() -> int:
    started = time.thread_time_ns()
    for _ in range(4):
        sum(_WORK)
    return time.thread_time_ns() - started


class Pace:
    """Of one run, which may measure for `patience` seconds longer than it had to.

    known: the usual look of the same run's earlier part: a later part must not take a slow machine for usual.
    """

    def __init__(self, patience: float, known: float = float("inf")) -> None:
        self.patience = patience
        self._known = known
        self._seen: Counter[int] = Counter()

    def add(self, looks: Sequence[int]) -> None:
        self._seen.update(looks)

    def usual(self) -> float:
        """Nanoseconds of a look when nothing disturbs it, judged by all that were added."""
        left = sum(self._seen.values()) // _FASTEST
        for time_taken in sorted(self._seen):
            left -= self._seen[time_taken]
            if left < 0:
                return min(time_taken, self._known)
        raise ValueError("nobody has looked yet")

    def again(self, seconds: float) -> bool:
        """May a load be repeated that took so long?"""
        self.patience -= seconds
        return self.patience > 0


def told(shares: Sequence[float]) -> str:
    """Of all rounds under load, what part of their time was quick and counts: 0 where it was too little."""
    counted = [share for share in shares if share]
    part = sum(counted) / max(1, len(counted))
    whole = len(shares) - len(counted)
    return f"{part:.0%} of the time of {len(counted)} rounds; in {whole} it was too little, and all counts"
