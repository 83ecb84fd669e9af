"""One client's socket and its phase: in the poller, and among the timers."""

import socket
from typing import TYPE_CHECKING

from pronghorn.net.transport import make_transport
from pronghorn.serve.phases import HEAD, MOVES, Phase
from pronghorn.serve.timers import NEVER

if TYPE_CHECKING:
    from pronghorn.serve.worker import Worker

RECV_HEAD = 16384
RECV_BODY = 68 << 10
"""Octets of one recv, in a body or where the last one was large: 64 KiB come with their head, 13 µs, not 18.
Not always: what is pipelined in one recv is answered before it is anybody else's turn."""

RECV_MOST = 512 << 10
"""Octets of one recv where a body lacks so many: 10 MiB, which go to disk, cost 4 to 6 ms, not 8.5."""


class Polled:
    """What a Connection is without a protocol. Leader only."""

    __slots__ = (
        "_fetched",
        "_mask",
        "_recv_most",
        "_sock",
        "_transport",
        "_worker",
        "bucket",
        "deadline",
        "due",
        "fd",
        "phase",
    )

    def __init__(self, worker: "Worker", sock: socket.SocketType) -> None:
        self._worker = worker
        self._sock = sock
        self.fd = sock.fileno()
        self._transport = make_transport(sock)
        self._mask = 0  # what the poller looks out for
        self._recv_most = RECV_HEAD
        self._fetched: bytes | None = None  # received already, for `ready`
        self.phase = HEAD
        # See timers.Timed
        self.deadline = NEVER
        self.bucket = 0
        self.due = NEVER

    def move(self, phase: Phase) -> None:
        """Change the phase, as MOVES allows. The owner's thread."""
        assert phase in MOVES[self.phase], (self.phase, phase)
        self.phase = phase

    def watch(self, mask: int) -> None:
        """Look out for these events only."""
        if mask != self._mask:
            self._worker.poller.change(self.fd, self._mask, mask)
            self._mask = mask

    def fetch(self) -> None:
        """`ready` comes soon, after others' fetches: receive what it needs. In phase HEAD."""
        try:
            self._fetched = self._transport.recv(self._recv_most)
        except OSError:
            pass  # `ready` will see it, too

    def _receive(self, size: int) -> bytes | None:
        """None: nothing yet. Empty: the end, or the client is gone."""
        try:
            return self._transport.recv(size)
        except BlockingIOError:
            return None
        except OSError:
            return b""
