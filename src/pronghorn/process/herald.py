"""Who is told of the turning points of a server's life: systemd, and the user's hooks."""

import os

from pronghorn.process.children import Generation
from pronghorn.process.hooks import HookInfo
from pronghorn.process.surroundings import Surroundings


class Herald:
    """The master's."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._untold = ""  # what systemd's queue had no room for

    def ready(self, workers: int, generation: Generation) -> None:
        """For the first time, or again after a reload."""
        status = f"{workers} worker{'s' if workers != 1 else ''}, generation {generation.number}"
        self._untold = "" if self._around.systemd.ready(status) else status

    def reloading(self) -> None:
        self._around.systemd.reloading()

    def stopping(self) -> None:
        self._around.systemd.stopping()

    def alive(self) -> None:
        """At each tick, if a worker shows signs of life."""
        if self._around.systemd.watchdog_interval:
            self._around.systemd.watchdog()

    def again(self) -> None:
        """At each tick: what could not be told."""
        if self._untold and self._around.systemd.ready(self._untold):
            self._untold = ""

    def hook(self, name: str, generation: Generation) -> None:
        info = HookInfo(pid=os.getpid(), worker=None, generation=generation.number)
        self._around.hooks.run(name, info, self._around.log)
