"""Answers that leave together: while several requests are ready, the leader sends some answers in one go.

A send after each call costs more than sends that follow each other: the kernel's code and data have left
the cache meanwhile (a tenth of a small request on a thousand connections), and each wakes a client that
has nothing else to do (a tenth of a page that takes 0.4 ms). So where a poll round has FEW or more, the
leader keeps the answer of each call (`Outbox.answer`) until MOST of them are there, the round ends, or
the lead goes to another thread. Nobody's answer waits for calls that are expected to last more than HOLD.

    volley.begin_round(ready)       so many connections are ready
    volley.add(outbox)              a call has ended, and its answer was kept
    volley.depart()                 send all of them

Leader only. The lead, and the answers with it, may be lost only while a call runs: `Worker.run_call`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pronghorn.serve.outbox import Outbox

FEW = 4
"""Ready connections from which on there is a queue, and throughput is what shortens it."""

MOST = 8
"""Answers: a thousand connections cost 12.2 µs with 1, 11.8 with 2, 10.9 with 4, 10.5 with 8 or 16."""

HOLD = 0.004
"""Seconds: as long as all requests may have to wait for a call that computes (`threads.BUSY`)."""


class Volley:
    """Of one worker."""

    __slots__ = ("_most", "_outboxes", "open", "seconds")

    def __init__(self) -> None:
        self.open = False
        """Answers are kept in this round."""
        self.seconds = HOLD
        """That a call took, on average of the last round with any. To be set by whoever knows."""
        self._most = 0
        self._outboxes: list[Outbox] = []

    def begin_round(self, ready: int) -> None:
        """ready: how many connections are."""
        self.open = False
        if ready >= FEW:
            self._most = MOST if self.seconds * MOST < HOLD else int(HOLD / self.seconds)
            self.open = self._most > 1

    def add(self, outbox: "Outbox") -> None:
        """The answer that it has kept goes with the others."""
        self._outboxes.append(outbox)
        if len(self._outboxes) >= self._most:
            self.depart()

    def depart(self) -> None:
        """Send what was kept."""
        for outbox in self._outboxes:
            outbox.depart()
        self._outboxes.clear()
