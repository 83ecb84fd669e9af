"""Where connections come in: a worker's listeners, and when it leaves the queue to the other workers.

Workers share the accept queues. Linux wakes one idle worker for a connection (EPOLLEXCLUSIVE), each in its
turn (Acceptor.rejoin). A worker whose threads are all busy leaves the queue to the others as long as the
scoreboard shows one that is free. It may have been the one that was woken: so it rings their bell. When all
are busy for long, they all accept again, and whoever has more connections than another steps back.

An idle worker takes one connection in each round. Where the lead is handed on for each request, a round takes
as long as all their calls take to begin, while these compute; each client in it gets its turn, and so do as
many new ones.
"""

import contextlib
import errno
import logging
import os
from collections.abc import Callable, Sequence

from pronghorn.net import holder
from pronghorn.net.listen import Listener
from pronghorn.observe.scoreboard import CONNECTIONS, FREE, Row
from pronghorn.serve.acceptor import ACCEPTS_MOST, PAUSE, Acceptor, NewConnection
from pronghorn.serve.clock import Clock
from pronghorn.serve.poller import EDGE, READ, Poller
from pronghorn.serve.timers import NEVER

_LOOK_AGAIN = 0.01
"""Seconds between two looks of a busy worker whether another is free. Arbitrary; only while it is busy."""


_ALL_BUSY = 0.5
"""Seconds that all workers must have been busy before a busy one accepts. Meanwhile a connection is better
off in the common queue: who knows which of them is free first?"""

_STEP_BACK = 0.02
"""Seconds that a busy worker leaves the queue to those that have fewer connections: two of their looks."""

_AHEAD = 2
"""Connections more than another has, from which on a busy worker steps back."""

_OWED_MOST = 32
"""Arbitrary: as many as rounds usually have requests."""

_OWED_FOR = 0.5
"""Seconds, arbitrary, since the last such request."""

_TURN = 0.002
"""Seconds, arbitrary, that a request must have kept the others waiting."""


class Siblings:
    """The other workers on the same listeners.

    row: this worker's in the scoreboard.
    bell: an eventfd that all workers watch, or -1 where the system has none: look into the queues.
    """

    __slots__ = ("bell", "row")

    def __init__(self, row: Row, bell: int) -> None:
        self.row = row
        self.bell = bell

    def ring(self) -> None:
        """Any process."""
        if self.bell >= 0:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_write(self.bell, 1)


class Doors:
    """Leader only."""

    def __init__(
        self,
        listeners: Sequence[Listener],
        poller: Poller,
        new: NewConnection,
        clock: Clock,
        log: logging.Logger,
        siblings: Siblings | None,
        count: Callable[[], int],
    ) -> None:
        """count: of the worker's connections."""
        self._poller = poller
        self._clock = clock
        self._log = log
        self._siblings = siblings
        self._count = count
        self._acceptors = [
            Acceptor(listener, poller, new, self._short, log, self._accepted if siblings else None)
            for listener in listeners
        ]
        self.alarm = NEVER
        """When `look` wants to be called next."""
        self._resume_at = NEVER
        self._look_at = NEVER
        self._crowded = False
        self._yielding = False  # the queue is left to others
        self._free_seen = 0.0  # when another worker was last seen to be free
        self._owed = 0  # connections, for requests whose turn others had to wait for
        self._led_at = 0.0  # when the last of them had it

    def open(self, target: Callable[[int, "Acceptor | Doors"], None]) -> None:
        """Begin to accept. target: told who is to hear of the events of which descriptor."""
        for acceptor in self._acceptors:
            target(acceptor.fd, acceptor)
            acceptor.watch(True)
        if self._siblings is not None:
            self._siblings.row.put(FREE, 1)
            if self._siblings.bell >= 0:
                target(self._siblings.bell, self)
                self._poller.change(self._siblings.bell, 0, READ | EDGE)

    def ready(self, mask: int) -> bool:
        """The bell: somebody leaves a queue that may not be empty, or is as busy as we are now."""
        self._look_at = 0.0
        self.rejoin()
        return True

    def rejoin(self) -> None:
        if not self._yielding:
            for acceptor in self._acceptors:
                acceptor.rejoin()

    def check(self) -> None:
        """Once a second, should a wake-up ever get lost: take what waits."""
        if not self._yielding and self._resume_at == NEVER:
            for acceptor in self._acceptors:
                acceptor.ready(READ)

    def pause(self) -> None:
        """Accept nothing until told otherwise."""
        for acceptor in self._acceptors:
            acceptor.watch(False)

    def led(self, crowded: bool, since: float) -> None:
        """The lead was handed on, or taken. since: when the round began, or the lead before. As `gate`."""
        now = self._clock.now
        if now - since >= _TURN:
            self._owed = min(self._owed + 1, _OWED_MOST)
            self._led_at = now
        self.gate(crowded)

    def gate(self, crowded: bool) -> None:
        """Each round, where there are siblings. crowded: all threads are in calls."""
        if crowded == self._crowded and (not crowded or self._clock.now < self._look_at):
            return
        assert self._siblings is not None
        row = self._siblings.row
        now = self._clock.now
        if crowded != self._crowded:
            self._crowded = crowded
            row.put(FREE, not crowded)
            row.put(CONNECTIONS, self._count())
        self._look_at = now + _LOOK_AGAIN if crowded else NEVER
        if not crowded or row.others_free(now):
            self._free_seen = now
        yields = crowded and now - self._free_seen < _ALL_BUSY
        if yields is not self._yielding:
            self._yielding = yields
            for acceptor in self._acceptors:
                acceptor.watch(not yields)
            if yields and self._free_seen == now:
                self._siblings.ring()  # who is free shall look: we may have been woken in its place
        self._set_alarm()

    def _accepted(self) -> bool:
        """One connection was accepted from a queue that others want to accept from, too. Whether to take
        another at once."""
        if self._owed and self._clock.now - self._led_at > _OWED_FOR:
            self._owed = 0
        if not self._crowded and not self._owed:
            return False
        assert self._siblings is not None
        row, count = self._siblings.row, self._count()
        row.put(CONNECTIONS, count)
        ahead = count - _AHEAD >= row.least_connections(self._clock.now)
        if ahead and self._crowded:
            self.pause()
            self._resume_at = self._clock.now + _STEP_BACK
            self._set_alarm()
            return False
        if ahead or not self._owed:
            return False
        self._owed -= 1
        return True

    def look(self) -> None:
        """The alarm: try again to accept."""
        if self._clock.now >= self._resume_at:
            self._resume_at = NEVER
            self._set_alarm()
            if not self._yielding:
                for acceptor in self._acceptors:
                    acceptor.watch(True)

    def _short(self, error: OSError) -> None:
        """No descriptors are left, or no memory."""
        if self._resume_at == NEVER:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._log.error("no descriptors left: new connections wait; raise the limit (ulimit -n)")
            else:
                self._log.error("new connections wait: %s", error)
        self.pause()
        self._resume_at = self._clock.now + PAUSE
        self._set_alarm()

    def _set_alarm(self) -> None:
        self.alarm = min(self._resume_at, self._look_at)

    # The end

    def hand_over(self) -> None:
        """Others go on with the queues."""
        self.close()
        if self._siblings is not None:
            self._siblings.ring()

    def expect_end(self) -> None:
        """Have the kernel hand over who has not sent anything yet (Listener.defer_accept)."""
        for acceptor in self._acceptors:
            if acceptor.listener.sole:
                acceptor.listener.defer_accept(False)

    def withdraw(self) -> None:
        """Let nobody else in, and take who is in already. `finish` in a moment."""
        self._resume_at = self._look_at = NEVER
        self._yielding = False
        self.expect_end()
        for acceptor in self._acceptors:
            acceptor.listener.withdraw()
            acceptor.watch(True)
            acceptor.accept(ACCEPTS_MOST)

    def arriving(self) -> bool:
        """Whether somebody got through to the kernel, but perhaps not yet to us."""
        ports = {int(one.listener.server_port) for one in self._acceptors if one.listener.deferred}
        return bool(ports) and holder.arriving(ports)

    def finish(self) -> None:
        """Take those whose handshake has ended meanwhile."""
        for acceptor in self._acceptors:
            acceptor.accept(1 << 20)
        self.close()

    def close(self) -> None:
        for acceptor in self._acceptors:
            acceptor.close()
        self._acceptors = []
        self.alarm = self._resume_at = self._look_at = NEVER
        if self._siblings is not None:
            self._siblings.row.put(FREE, 0)
