"""Workers that have served long enough go one at a time, each when its replacement serves.

So there is one worker more for a moment, and no request notices.
"""

import logging
import time
from collections import deque

from pronghorn.observe.scoreboard import State
from pronghorn.process.children import Child, Children, Generation
from pronghorn.process.messages import Retire
from pronghorn.process.patience import QUICK

_CRAMPED = 60.0
"""Seconds that a worker serves at least whose limit of memory leaves no room: its replacement will be no
smaller. Arbitrary: what it leaks in a minute is bearable, and so is an import each minute."""


class Retirement:
    """Who is to be replaced. The master's."""

    def __init__(self, children: Children, log: logging.Logger) -> None:
        self._children = children
        self._log = log
        self._asked: deque[tuple[Child, float]] = deque()
        """Who has asked, and not before which time.monotonic() it is replaced."""
        self.chosen: Child | None = None
        """Who goes when its replacement serves."""

    def heed(self, child: Child, wish: Retire) -> None:
        """A worker has told that it has served long enough."""
        earliest = child.since + _CRAMPED if wish.cramped else 0.0
        if time.monotonic() < earliest and not child.generation.cramped:
            child.generation.cramped = True
            self._log.warning(
                "%s: %s, and a new one hardly less. Raise --max-worker-memory; until then, "
                "no worker is replaced for its memory before it has served for %.0f s.",
                child,
                wish.reason,
                _CRAMPED,
            )
        self._log.info("%s is to be replaced: %s", child, wish.reason)
        self._asked.append((child, earliest))

    def ask(self, *children: Child) -> None:
        """Replace them, after those who have asked before."""
        self._asked.extend((child, 0.0) for child in children)

    def ask_first(self, child: Child) -> None:
        """Replace it before all others."""
        self._asked.appendleft((child, 0.0))

    def who_goes(self, generation: Generation, wanted: int) -> Child | None:
        """Who is to be sent away now, if anybody is; if nobody, choose who is next."""
        serving = self._children.serving(generation)
        if self.chosen not in serving:
            self.chosen = None
        if len(serving) > wanted:
            leaver, self.chosen = self.chosen or serving[0], None
            return leaver
        if self.chosen is None and self._asked and not self._somebody_leaves():
            self.chosen = self._choose(serving)
        return None

    def _choose(self, serving: list[Child]) -> Child | None:
        """The first of those who serve, and who are due."""
        now = time.monotonic()
        asked = [entry for entry in self._asked if entry[0] in serving]
        due = next((entry for entry in asked if entry[1] <= now), None)
        self._asked = deque(entry for entry in asked if entry is not due)
        return due[0] if due else None

    def _somebody_leaves(self) -> bool:
        """Not for long: one slow request must not keep the others from being replaced."""
        now = time.monotonic()
        return any(now - child.since < QUICK for child in self._children.workers(None, State.LEAVING))
