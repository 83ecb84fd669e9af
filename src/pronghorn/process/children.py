"""What the master knows of the processes it has made."""

import os
import signal
import time
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple, Protocol

from pronghorn.observe.scoreboard import PID, Row, State
from pronghorn.process.messages import Channel, Failed, Message
from pronghorn.process.options import ProcessOptions

NEVER = float("inf")

_MOMENT = 0.3
"""Seconds within which several workers notice the same change of a file."""


_PAUSE, _PAUSE_ALONE = 30.0, 5.0
"""Seconds between two births that fail, at most; the second while nobody serves. Arbitrary: an attempt costs
an import, and whoever has mended the code waits that long."""


class Role(Enum):
    """What a child is for."""

    WORKER = "worker"
    MOLD = "mold"
    """It has imported the application and forks workers (--preload)."""


class Job(Protocol):
    """What children of one generation do: the settings in force, read when the generation began."""

    @property
    def options(self) -> ProcessOptions: ...

    @property
    def patience(self) -> float:
        """Seconds that a worker may take to drain, by its own options."""


class Generation:
    """Workers that were made from the same code and settings."""

    def __init__(self, number: int, job: Job, again: bool = False) -> None:
        """again: the one before told of a change itself, before it served. It may write what it watches: the
        same word of this one counts for nothing."""
        self.number = number
        self.job = job
        self.again = again
        self.began = time.monotonic()
        self.mold: Child | None = None
        self.failures = 0
        """Births in a row that failed."""
        self.retry_at = 0.0
        self.last_failure = -NEVER
        self.reforked = False
        """Its mold is a worker that was warmed up."""
        self.cramped = False
        """It was said that its limit of memory leaves no room."""

    def settled(self) -> bool:
        """It did not begin a moment ago."""
        return time.monotonic() - self.began > _MOMENT

    def failed(self, now: float, since: float = NEVER, *, served: bool = False, alone: bool = False) -> float:
        """A birth failed, or a worker died that had hardly served: the seconds to wait before the next.

        0.1, and then twice as long each time, up to 30, or to 5 while nobody serves (alone); up to 0.5 for
        one that has served, and none at first.

        since: when that birth, or its serving, began. If that was before the last failure, it does not count:
        eight workers that fail for one reason fail once.
        """
        if since <= self.last_failure or now < self.retry_at:
            return max(0.0, self.retry_at - now)
        self.failures = self.failures + 1 if now - self.last_failure < 60.0 else 1
        delay: float = min(0.1 * 2 ** min(self.failures - 1, 10), _PAUSE_ALONE if alone else _PAUSE)
        if served:
            delay = 0.0 if self.failures == 1 else min(delay, 0.5)
        self.last_failure = now
        self.retry_at = now + delay
        return delay

    def hurry(self, now: float) -> None:
        """Nobody serves any more."""
        self.retry_at = min(self.retry_at, now + _PAUSE_ALONE)

    def thrives(self, since: float) -> None:
        """A worker has served for a while, since this time."""
        if since > self.last_failure:
            self.failures = 0


class Child:
    """One process."""

    def __init__(self, role: Role, generation: Generation, channel: Channel, row: Row | None) -> None:
        self.role = role
        self.generation = generation
        self.channel = channel
        self.row = row
        """A worker's."""
        self.pid = 0
        """0 while it is being born by the mold."""
        self.state = State.STARTING
        self.since = 0.0
        """When the state began."""
        self.until = NEVER
        """When it is killed."""
        self.failure: Failed | None = None
        self.promoted = False
        """A worker that drains to become a mold."""
        self.unready = False
        """It was told to end before it served."""
        self.silent = 0
        """Looks in a row at which its heart had not beaten for too long."""
        self.gone = False
        """Its channel has ended."""

    def become(self, state: State, now: float) -> None:
        self.state = state
        self.since = now
        if self.row is not None:
            self.row.state(state)

    def is_born(self, pid: int) -> None:
        """It says its number; only the first time, and only if nobody knows it yet."""
        if self.pid or pid < 2:
            return
        self.pid = pid
        if self.row is not None:
            self.row.put(PID, pid)
        if self.unready:  # what it was told went nowhere: nobody knew its number
            self.kill(signal.SIGTERM)

    def turn_into_mold(self, generation: Generation) -> None:
        if self.row is not None:
            self.row.clear()
        self.row = None
        self.role = Role.MOLD
        self.generation = generation
        self.promoted = False
        self.until = NEVER

    def tell(self, message: Message) -> None:
        self.channel.send(message)

    def kill(self, number: signal.Signals) -> None:
        if self.pid:
            try:
                os.kill(self.pid, number)
            except (ProcessLookupError, PermissionError):  # or: no CAP_KILL
                pass

    def __str__(self) -> str:
        return f"{self.role.value} {self.pid}"


class Children:
    """All of them, and the rows of the scoreboard that are taken."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._all: list[Child] = []

    def __iter__(self) -> Iterator[Child]:
        return iter(list(self._all))

    def __len__(self) -> int:
        return len(self._all)

    def add(self, child: Child) -> None:
        self._all.append(child)

    def remove(self, child: Child) -> None:
        self._all.remove(child)
        child.channel.close()
        if child.row is not None:
            child.row.clear()
        if child.generation.mold is child:
            child.generation.mold = None

    def free_row(self) -> int | None:
        """The number of a row that nobody has."""
        taken = {child.row.number for child in self._all if child.row is not None}
        return next((number for number in range(self._rows) if number not in taken), None)

    def with_pid(self, pid: int) -> Child | None:
        return next((child for child in self._all if child.pid == pid), None)

    def workers(self, generation: Generation | None = None, *states: State) -> list[Child]:
        """Oldest first; of one generation or all, in one of the states or any."""
        return [
            child
            for child in self._all
            if child.role is Role.WORKER
            and (generation is None or child.generation is generation)
            and (not states or child.state in states)
        ]

    def serving(self, generation: Generation | None = None) -> list[Child]:
        return self.workers(generation, State.SERVING)


class Plan(NamedTuple):
    """A child to make."""

    role: Role
    generation: Generation
