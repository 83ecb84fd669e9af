"""Blocks of answers that are held back for a moment, so that those which follow at once leave with them.

PEP 3333 wants a block to be on its way before the next is asked for, or to be sent while the application
produces the next. A system call for each costs more than all the rest of a small block. So, while the
lookout (`threads`) looks every millisecond, blocks wait for it in their outbox: it sends what it finds.
While it does not, nothing is held back.

    outbox.hold(octets)     the thread that runs the call
    streams.flush()         the lookout, each TICK
"""

import logging
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pronghorn.serve.outbox import Outbox


class Streams:
    """Of one worker. No lock: `deque` is atomic, and each side looks again after its own change."""

    __slots__ = ("_held", "_log", "ticking", "wanted")

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._held: deque[Outbox] = deque()
        self.ticking = False
        """The lookout looks every TICK. It alone sets this."""
        self.wanted = False
        """Somebody would have liked it to; the lookout clears it."""

    def hold(self, outbox: "Outbox") -> None:
        """Its batch is not empty. Any thread."""
        self._held.append(outbox)
        if not self.ticking:
            self.flush()

    def stop(self) -> None:
        """The lookout goes: whoever comes too late to see that is sent here, or sends itself."""
        self.ticking = False
        self.flush()

    def flush(self) -> bool:
        """Whether there was anything. Any thread.

        Only what stands there now: a call that goes on producing would keep the lookout in here.
        """
        held = self._held
        count = len(held)
        for _ in range(count):
            try:
                outbox = held.popleft()
            except IndexError:
                break  # another thread does it
            try:
                outbox.let_go()
            except Exception as error:  # a defect of ours, which must not cost the crew its lookout
                self._log.critical("a defect in the server; please report it", exc_info=error)
                outbox.broken = True
        return count > 0
