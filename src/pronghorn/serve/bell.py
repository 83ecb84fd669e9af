"""Wakes the leader out of the poller, and tells it of signals."""

import contextlib
import socket
from collections.abc import Callable


class Bell:
    """A pair of sockets: whoever wants the leader writes, the leader reads."""

    def __init__(self, signalled: Callable[[int], None]) -> None:
        """signalled: told the number of each signal that the wake-up descriptor brings. Leader only."""
        self._signalled = signalled
        self._listen, self._ring = socket.socketpair()
        self._listen.setblocking(False)
        self._ring.setblocking(False)
        self.fd = self._listen.fileno()
        self.fd_to_ring = self._ring.fileno()

    def ring(self) -> None:
        """Any thread."""
        with contextlib.suppress(OSError):  # full: it rings already. Closed: nobody sleeps.
            self._ring.send(b"\0")

    def ready(self, mask: int) -> bool:
        """Leader only."""
        with contextlib.suppress(BlockingIOError):
            for number in self._listen.recv(4096):
                if number:
                    self._signalled(number)
        return True

    def close(self) -> None:
        self._listen.close()
        self._ring.close()
