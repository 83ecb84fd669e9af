"""A child that has not begun yet ends with its master: until it serves, nobody reads its channel.

An import may take a minute, or hang; without this, it would hold the port of a master that was killed, and
keep the next one from starting. A thread watches, and not prctl's PR_SET_PDEATHSIG, which is for Linux, needs
ctypes (a megabyte in each worker), is forgotten when the user changes, and means the parent: a worker's may
be the mold's go-between, which ends at once. The price: code that holds the interpreter holds it up, too.
"""

import os
import select
import threading
from typing import Protocol


class _HasDescriptor(Protocol):
    def fileno(self) -> int: ...


class Lifeline:
    """From birth to `release`, on a thread of its own."""

    def __init__(self, channel: _HasDescriptor) -> None:
        """channel: to the master."""
        self._wake, self._released = os.pipe()
        self._channel = channel.fileno()
        self._poll = select.poll()
        self._poll.register(self._channel, 0)  # its end only: messages are for whoever reads them later
        self._poll.register(self._wake, select.POLLIN)
        self._thread = threading.Thread(target=self._watch, name="lifeline", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """From here on, somebody else looks whether there is a master. The thread has ended then."""
        os.write(self._released, b".")  # not only closed: a child of the application's may have it, too
        self._thread.join()
        os.close(self._wake)
        os.close(self._released)

    def _watch(self) -> None:
        if any(fd == self._channel for fd, _ in self._poll.poll()):
            os._exit(1)
