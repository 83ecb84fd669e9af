"""What the leader touches for each call, and the lookout looks at (`threads`, `vigil`)."""

from typing import Any

from pronghorn.serve.effort import NO_GAUGE, Gauge


class Turn:
    """Of one worker. No lock: see `threads`."""

    __slots__ = ("calls", "clock", "gauge", "slot", "slow", "timed", "watched")

    def __init__(self) -> None:
        self.slot: list[Any] = []
        self.calls = 0
        self.clock = 0
        """Of the processor time that the leader's thread has spent (`effort.own_clock`)."""
        self.gauge: Gauge = NO_GAUGE
        """Of that thread."""
        self.watched = False
        """Somebody looks out."""
        self.slow = False
        """Calls usually wait: the lead is handed on before each (`habit`)."""
        self.timed = False
        """Calls are not quick: the leader says when a round of them begins (`Habit.begin_round`)."""
