"""Workers that have served long enough go one at a time, each when its replacement serves.

So there is one worker more for a moment, and no request notices.
"""

import time
from collections import deque

from pronghorn.observe.scoreboard import State
from pronghorn.process.children import Child, Children, Generation
from pronghorn.process.patience import QUICK


class Retirement:
    """Who is to be replaced. The master's."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._asked: deque[Child] = deque()
        self.chosen: Child | None = None
        """Who goes when its replacement serves."""

    def ask(self, *children: Child) -> None:
        """Replace them, after those who have asked before."""
        self._asked.extend(children)

    def ask_first(self, child: Child) -> None:
        """Replace it before all others."""
        self._asked.appendleft(child)

    def who_goes(self, generation: Generation, wanted: int) -> Child | None:
        """Who is to be sent away now, if anybody is; if nobody, choose who is next."""
        serving = self._children.serving(generation)
        if self.chosen not in serving:
            self.chosen = None
        if len(serving) > wanted:
            leaver, self.chosen = self.chosen or serving[0], None
            return leaver
        if self.chosen is None and self._asked and not self._somebody_leaves():
            candidate = self._asked.popleft()
            if candidate in serving:
                self.chosen = candidate
        return None

    def _somebody_leaves(self) -> bool:
        """Not for long: one slow request must not keep the others from being replaced."""
        now = time.monotonic()
        return any(now - child.since < QUICK for child in self._children.workers(None, State.LEAVING))
