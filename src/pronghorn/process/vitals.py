"""Whether workers live, and how well: looked at once a second, from the scoreboard."""

import logging
import signal

from pronghorn.observe.memory import resident
from pronghorn.observe.scoreboard import HEARTBEAT, REQUESTS, State
from pronghorn.process.children import Child, Generation

_ABORT = 2.0
"""Seconds for a worker to write its stacks before it is killed."""

_ALIVE = 5.0
"""Seconds since the last beat of a heart that beats each second: such a worker makes progress."""


class Vitals:
    """The master's."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log

    def look_at(self, child: Child, now: float) -> bool:
        """Whether the worker shows signs of life. Kills it if it has not for too long, or is too big."""
        assert child.row is not None
        options = child.generation.job.options
        silence = now - child.row.time(HEARTBEAT)
        # Twice in a row: the machine may have been asleep, and the worker, too.
        child.silent = child.silent + 1 if options.timeout and silence > options.timeout else 0
        if child.silent == 2:
            self._log.critical("%s has shown no sign of life for %.0f s; its stacks:", child, silence)
            child.kill(signal.SIGABRT)  # faulthandler writes them, whoever holds the GIL
            child.until = now + _ABORT
        hard = options.max_worker_memory_hard
        if hard and child.pid and resident(child.pid) > hard:
            self._log.critical("%s holds more than %d MiB of memory: it is killed", child, hard >> 20)
            child.kill(signal.SIGKILL)
        return silence < _ALIVE

    def is_warm(self, child: Child, generation: Generation) -> bool:
        """Whether it shall become the mold of the next generation (--refork-after)."""
        after = generation.job.options.refork_after
        return (
            bool(after)
            and not generation.reforked
            and generation.mold is not None
            and child.generation is generation
            and child.state is State.SERVING
            and child.row is not None
            and child.row[REQUESTS] >= after
        )
