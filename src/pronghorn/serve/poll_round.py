"""One poll round: which descriptors are ready, who hears of it, and which answers leave together.

    round.begin(ready)                  what the poller said
    for fd, mask in round.events:       all of it, or what is left of a group
        round.targets[fd].ready(mask)
    round.next_group()                  True: there are events again; only where `round.grouped`
    round.depart()                      when the lead was taken

While requests queue, the leader may take them in groups: receive all of a group, run the calls, and send
the answers (`Outbox.keep`). System calls that follow each other cost less where each alone finds the cache
full of other things, and where each send wakes a client that had time to fall asleep. An answer waits for
calls that are expected to last no more than HOLD together, or a quarter of the round; never for one that
turns out to be slow: who takes the lead sends what is kept, and goes on with the group.

Leader only. The lead may be lost only while a call runs: `Worker.run_call`.
"""

from collections.abc import Iterator
from typing import Protocol

from pronghorn.serve.connection import Connection
from pronghorn.serve.outbox import Outbox
from pronghorn.serve.phases import HEAD
from pronghorn.serve.poller import READ

FEW = 4
"""Ready connections from which on there is a queue, and throughput is what shortens it."""

LASTING = 0.00003
"""Seconds of a call from which on its client sleeps meanwhile: a page of 0.36 ms costs 0.33 in groups. Where
calls are quicker, clients are awake, but would sleep until a group has ended."""

MANY = 100
"""Ready connections, arbitrary, beyond which they do not stay in the cache."""

MOST = 16
"""Requests of one group. Answers in groups of so many, on a thousand connections: 12.2 µs each with 1, 11.8
with 2, 10.9 with 4, 10.5 with 8 or 16. Django's page for 64 clients costs 0.92 and 0.98 of what it did with
8 and 4 ms at most (`python -m bench.versus 039291b --profiles django`, 40 and 16 pairs, a noisy machine)."""

HOLD = 0.004
"""Seconds: as long as all requests may have to wait for a call that computes (`habit.BUSY`)."""

HOLD_MOST = 0.016
"""Seconds, arbitrary, where the round is at least four times as long."""


class Target(Protocol):
    """Who hears of a descriptor's events."""

    def ready(self, mask: int) -> bool:
        """False: the lead was lost meanwhile."""


class PollRound:
    """Of one worker; each round takes the place of the last."""

    __slots__ = ("_answered", "_at", "_ready", "_size", "events", "grouped", "seconds", "targets")

    def __init__(self, answered: list[Outbox]) -> None:
        """answered: those that have kept their answers; the calls' connections add them."""
        self._answered = answered
        self.targets: list[Target | None] = []
        """By descriptor: a dict would fetch its key, too, from memory for each of a thousand connections."""
        self.events: Iterator[tuple[int, int]] = iter(())
        """Descriptor and mask, of this group."""
        self.grouped = False
        """Answers are kept until the group ends."""
        self.seconds = HOLD
        """That a call took, on average of the last round with any. To be set by whoever knows."""
        self._ready: list[tuple[int, int]] = []
        self._size = 0
        self._at = 0

    def aim(self, fd: int, target: Target) -> None:
        """What the poller says of this descriptor is for this target."""
        targets = self.targets
        while fd >= len(targets):
            targets.append(None)
        targets[fd] = target

    def forget(self, fd: int, target: Target) -> None:
        """It is no longer, unless the descriptor is another target's by now."""
        if self.targets[fd] is target:
            self.targets[fd] = None

    def begin(self, ready: list[tuple[int, int]]) -> None:
        """What the poller said."""
        self.grouped = False
        count, seconds = len(ready), self.seconds
        if count >= FEW and seconds < HOLD and (seconds > LASTING or count > MANY):
            hold = max(HOLD, min(count * seconds / 4, HOLD_MOST))
            self._size = MOST if seconds * MOST < hold else int(hold / seconds)
            self.grouped = self._size > 1
        if self.grouped:
            self._ready = ready
            self._at = 0
        else:
            self.events = iter(ready)

    def next_group(self) -> bool:
        """Where `grouped`: send the last one's answers, and receive for the next. False: there is none."""
        self.depart()
        group = self._ready[self._at : self._at + self._size]
        self.grouped = bool(group)  # what comes after the last group belongs to none
        self._at += len(group)
        self.events = iter(group)
        targets = self.targets
        for fd, mask in group:
            target = targets[fd]
            if type(target) is Connection and mask == READ:
                connection = target  # compiled, it has a type
                if connection.phase is HEAD:
                    connection.fetch()
        return bool(group)

    def depart(self) -> None:
        """Send what was kept. After an exception, the next time sends the rest."""
        for outbox in self._answered:
            outbox.depart()
        self._answered.clear()
