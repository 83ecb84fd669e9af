"""A worker's heartbeat: once a second it says how it is, and looks whether it has served long enough.

    worker.pulse = Pulse(row, Lifetime(requests=5000), retire)

`retire` only asks: the master starts a replacement first, and tells this worker to leave when that serves.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

from pronghorn.observe.scoreboard import MEMORY, Row

INTERVAL = 1.0
"""Seconds between two beats, while nothing happens."""


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
        self._row = row
        self._lifetime = lifetime
        self._retire = retire
        self.calls_most = lifetime.requests

    def beat(self, now: float, calls: int, connections: int, busy: int, queued: int) -> None:
        self._row.beat(now, calls, connections, busy, queued)
        memory = resident(os.getpid())
        self._row.put(MEMORY, memory)
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


def resident(pid: int) -> int:
    """Octets of memory that a process holds; 0 where the system does not say."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
