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


@dataclass(frozen=True, slots=True)
class Lifetime:
    """When a worker has done its part. requests: calls; until: time.monotonic(); memory: octets resident."""

    requests: float = float("inf")
    until: float = float("inf")
    memory: float = float("inf")


class Pulse:
    """Leader only."""

    def __init__(self, row: Row, lifetime: Lifetime, retire: Callable[[str], None]) -> None:
        """retire: called once, with the reason."""
        self.row = row
        self._lifetime = lifetime
        self._retire = retire
        self.interval = INTERVAL if lifetime.memory == float("inf") else _INTERVAL_MEMORY
        self.calls_most = lifetime.requests

    def beat(self, now: float, calls: int, connections: int, busy: int, queued: int) -> None:
        self.row.beat(now, calls, connections, busy, queued)
        memory = resident(os.getpid())
        self.row.put(MEMORY, memory)
        lifetime = self._lifetime
        if calls >= lifetime.requests:
            self._ask(f"it has served {calls} requests")
        elif now >= lifetime.until:
            self._ask("it has served for long enough")
        elif memory >= lifetime.memory:
            self._ask(f"it holds {memory >> 20} MiB of memory")

    def _ask(self, reason: str) -> None:
        self._lifetime = Lifetime()
        self.calls_most = self._lifetime.requests
        self._retire(reason)
