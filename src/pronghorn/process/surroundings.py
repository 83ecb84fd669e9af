"""What a master works with; made by whoever starts it, so that the master needs to know no other part."""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pronghorn.net.listen import Listener
from pronghorn.observe.scoreboard import Scoreboard
from pronghorn.process.children import Job
from pronghorn.process.hooks import Hooks
from pronghorn.process.systemd import Notifier
from pronghorn.process.upgrade import Predecessor


class Surroundings(NamedTuple):
    """Given once, at the start."""

    listeners: Sequence[Listener]
    board: Scoreboard
    ring: Callable[[], None]
    """Have all workers look into the accept queues."""
    hooks: Hooks
    systemd: Notifier
    predecessor: Predecessor | None
    reread: Callable[[], Job]
    """The settings as they are now. Raises StartupError."""
    adopt_orphans: Callable[[], object]
    """Of the molds, where there are any."""
    reopen: Callable[[], None]
    """The master's own log."""
    began: Callable[[], None]
    """The first worker serves."""
    relieve: Callable[[], None]
    """All workers serve: the old master may go."""
    alone: Callable[[], None]
    """The old master, whose sockets these were, is gone."""
    directory: str
    """Where it was started."""
    say: Callable[[str, str], None]
    """Why the start fails, to the terminal; and a traceback, or nothing, for the log."""
    log: logging.Logger
