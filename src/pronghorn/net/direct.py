"""The two calls that each request makes: receive, and send.

Compiled, `direct.pyx` takes this module's place. A socket's own methods let go of the interpreter around each
system call, for one that may wait. These never wait, and to get the interpreter back takes 0.1 µs; up to the
switch interval where application threads compute.
"""

from collections.abc import Callable
from typing import Any


class Direct:
    """The socket's own methods. Closed with `close` and nothing else: a descriptor's number is used again."""

    __slots__ = ("_sock", "recv", "send")

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self.recv: Callable[[int], bytes] = sock.recv
        self.send: Callable[[bytes | memoryview], int] = sock.send

    def close(self) -> None:
        """Both calls raise OSError from now on."""
        self._sock.close()
