"""A worker's heartbeat: once a second it says how it is, and looks whether it has served long enough.

    worker.pulse = Pulse(row, Lifetime(requests=5000), retire)

`retire` only asks: the master starts a replacement first, and tells this worker to leave when that serves.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

from pronghorn.observe.memory import resident
from pronghorn.observe.scoreboard import MEMORY, Row

INTERVAL = 1.0
_INTERVAL_MEMORY = 0.25
"""Seconds between two beats; the shorter where a limit of memory may be reached meanwhile."""

_ROOM = 1.25
"""Times what a process holds before it serves: a limit below that is reached without any leak. Arbitrary."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """When a worker has done its part. requests: calls; until: time.monotonic(); memory: octets resident."""

    requests: float = float("inf")
    until: float = float("inf")
    memory: float = float("inf")


class Pulse:
    """Leader only."""

    def __init__(
        self,
        row: Row,
        lifetime: Lifetime,
        retire: Callable[[str], None],
        cramped: Callable[[str], None] | None = None,
    ) -> None:
        """retire: called once, with the reason. cramped: in its place when the reason is memory, where the
        limit is hardly more than what the process holds now."""
        self.row = row
        self._lifetime = lifetime
        self._retire = retire
        roomy = lifetime.memory >= _ROOM * resident(os.getpid())
        self._too_big = retire if roomy or cramped is None else cramped
        self.interval = INTERVAL if lifetime.memory == float("inf") else _INTERVAL_MEMORY
        self.calls_most = lifetime.requests

    def beat(self, now: float, calls: int, connections: int, busy: int, queued: int) -> None:
        self.row.beat(now, calls, connections, busy, queued)
        memory = resident(os.getpid())
        self.row.put(MEMORY, memory)
        lifetime = self._lifetime
        if calls >= lifetime.requests:
            self._ask(f"it has served {calls} requests", self._retire)
        elif now >= lifetime.until:
            self._ask("it has served for long enough", self._retire)
        elif memory >= lifetime.memory:
            self._ask(f"it holds {memory >> 20} MiB of memory", self._too_big)

    def _ask(self, reason: str, retire: Callable[[str], None]) -> None:
        self._lifetime = Lifetime()
        self.calls_most = self._lifetime.requests
        retire(reason)
