"""Deadlines of thousands of connections at next to no cost.

A deadline is an attribute that its owner may move at will; nobody is told. A connection stands in the
bucket of the time at which it must be looked at next, and when that comes and its deadline has moved
on, it is put into a later bucket. Only a deadline that moves nearer must be announced with `watch`.
"""

import heapq
from collections.abc import Callable
from typing import Protocol

RESOLUTION = 0.05
"""Seconds between buckets: every time limit is late by at most this."""

NEVER = float("inf")


class Timed(Protocol):
    deadline: float
    """When, on the clock, `expired` is to be called."""
    bucket: int
    """The bucket it stands in; 0 for none."""
    due: float
    """When that bucket's time comes, or NEVER: an earlier deadline must be announced."""

    def expired(self) -> None: ...


class Timers:
    """Leader only."""

    __slots__ = ("_buckets", "_failed", "_order")

    def __init__(self, failed: Callable[[object, Exception], None]) -> None:
        """failed: told of what `expired` raises; the others of its bucket must not suffer."""
        self._failed = failed
        self._buckets: dict[int, set[Timed]] = {}
        self._order: list[int] = []  # a heap of the buckets' keys

    def watch(self, timed: Timed) -> None:
        """Its deadline has been set, or has moved nearer."""
        if timed.deadline == NEVER:
            return
        bucket = int(timed.deadline / RESOLUTION) + 1
        if timed.bucket:
            if timed.bucket <= bucket:
                return
            self.forget(timed)
        timed.bucket = bucket
        timed.due = bucket * RESOLUTION
        members = self._buckets.get(bucket)
        if members is None:
            self._buckets[bucket] = {timed}
            heapq.heappush(self._order, bucket)
        else:
            members.add(timed)

    def forget(self, timed: Timed) -> None:
        """It is closed."""
        members = self._buckets.get(timed.bucket)
        if members is not None:
            members.discard(timed)
        timed.bucket = 0
        timed.due = NEVER

    def wait(self, alarm: float, now: float) -> float:
        """Seconds until something may expire, or the clock reaches `alarm`; -1 if neither will happen."""
        order = self._order
        while order and not self._buckets[order[0]]:
            del self._buckets[heapq.heappop(order)]
        if order:
            alarm = min(alarm, order[0] * RESOLUTION)
        return -1 if alarm == NEVER else max(0.0, alarm - now)

    def run(self, now: float) -> None:
        """Call `expired` of everything that is due."""
        while self._order and self._order[0] * RESOLUTION <= now:
            members = self._buckets.pop(heapq.heappop(self._order))
            for timed in list(members):
                timed.bucket = 0
                timed.due = NEVER
                if timed.deadline <= now:
                    try:
                        timed.expired()
                    except Exception as error:
                        self._failed(timed, error)
                else:
                    self.watch(timed)
