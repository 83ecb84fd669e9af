"""The lookout's watch: is the leader's call the same as a tick ago, and does it compute or wait?

    vigil.begin()
    order = vigil.keep(orders, tick)     an order that came, or None: vigil.moved, .age, .own, .computes

Compiled, `vigil.pyx` takes this module's place. Here each look needs the interpreter, which the leader has:
a fight that takes 90 µs, every tick. There the lookout looks without it while calls come and go.
"""

import queue
import time
from typing import Any

from pronghorn.serve.effort import spent as spent_by
from pronghorn.serve.streams import Streams
from pronghorn.serve.turn import Turn

_SHARE = 0.5
"""Of the time since the last look: below, the thread waits. Arbitrary: most do the one or the other."""


class Orders:
    """What one thread is woken for. Any thread puts, its own gets. A lookout may be told to lead before it
    has begun to watch: orders keep their order."""

    __slots__ = ("_queue",)

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def put(self, order: object) -> None:
        """Wake the thread."""
        self._queue.put(order)

    def get(self, timeout: float | None = None) -> Any:
        """The next, or None after so many seconds."""
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            return None


class Vigil:
    """The lookout only."""

    __slots__ = (
        "_began",
        "_clock",
        "_looked",
        "_seen",
        "_since",
        "_spent",
        "_streams",
        "_turn",
        "age",
        "computes",
        "moved",
        "own",
    )

    def __init__(self, turn: Turn, streams: Streams) -> None:
        """streams: while blocks are held back, there is a look each tick."""
        self._turn = turn
        self._streams = streams
        self._seen = 0
        self._since = self._looked = self._spent = self._began = 0.0
        self._clock = 0
        self.moved = False
        """A call had begun since the look before."""
        self.age = 0.0
        """Seconds since this call was first seen."""
        self.own = 0.0
        """Processor seconds that the leader has spent on it since then."""
        self.computes = False
        """The leader did since the last look, about."""

    def begin(self) -> None:
        """Look at the call that runs now for the first time."""
        self._look()
        self._since, self._began = self._looked, self._spent
        self.own = 0.0

    def keep(self, orders: Orders, tick: float) -> Any:
        """Wait `tick` seconds, then look. An order that came meanwhile, instead."""
        order = orders.get(tick)
        if order is None:
            self._look()
        return order

    def outrun(self) -> bool:
        """Another call has begun since the last look: while we waited for the interpreter, or just now."""
        return self._turn.calls != self._seen

    def _look(self) -> None:
        turn, now = self._turn, time.monotonic()
        clock = turn.clock
        spent = spent_by(clock)
        same = clock == self._clock
        self.computes = same and spent - self._spent > _SHARE * (now - self._looked)
        self._clock, self._looked, self._spent = clock, now, spent
        self.moved = self.outrun()
        if self.moved:
            self._seen, self._since, self._began = turn.calls, now, spent
        self.age = now - self._since
        self.own = spent - self._began
