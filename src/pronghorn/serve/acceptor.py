"""A listening socket as the worker sees it: accept while there is something to accept."""

import array
import errno
import logging
import socket
import struct
from collections.abc import Callable

from pronghorn.net.listen import Listener
from pronghorn.net.transport import accept_tls, speaks_tls
from pronghorn.serve.poller import READ, Poller

ACCEPTS_MOST = 256
"""Arbitrary: connections taken in one round, so that those there are get their turn."""

_OUT_OF_SOMETHING = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
"""The process or the system has no descriptor or memory left; trying again at once would spin."""

_CLIENT_GAVE_UP = {errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.ENETDOWN, errno.EHOSTUNREACH}
"""accept(2): an error of that connection, not of the listener."""

PAUSE = 0.2
"""Seconds of not accepting when descriptors are short."""

_SO_ATTACH_FILTER = 26
_DROP_SYN = [
    (0x30, 0, 0, 13),  # ldb [13]: the TCP flags
    (0x54, 0, 0, 0x12),  # and SYN | ACK
    (0x15, 0, 1, 0x02),  # a SYN alone?
    (0x06, 0, 0, 0),  # drop it
    (0x06, 0, 0, 0xFFFF),  # pass anything else
]
"""Classic BPF for a listening TCP socket."""

NewConnection = Callable[[socket.socket, Listener, tuple[str, int] | None], None]


class Acceptor:
    """One listener. Leader only."""

    def __init__(
        self,
        listener: Listener,
        poller: Poller,
        new: NewConnection,
        short: Callable[[], None],
        log: logging.Logger,
    ) -> None:
        """new: called with each accepted socket, its listener and its peer. short: called when there are no
        descriptors left."""
        self.listener = listener
        self.fd = listener.socket.fileno()
        self._poller = poller
        self._new = new
        self._short = short
        self._log = log
        self._watching = False
        listener.socket.setblocking(False)

    def watch(self, wanted: bool) -> None:
        """Accept, or leave connections in the queue."""
        if wanted != self._watching:
            self._watching = wanted
            self._poller.change(self.fd, 0 if wanted else READ, READ if wanted else 0)

    def ready(self, mask: int) -> bool:
        """Accept what there is. Never costs the lead."""
        for _ in range(ACCEPTS_MOST):
            try:
                # SSLSocket.accept would shake hands here and now.
                sock, peer = socket.socket.accept(self.listener.socket)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in _CLIENT_GAVE_UP:
                    continue
                if error.errno in _OUT_OF_SOMETHING:
                    self._short()
                else:
                    self._log.error("accept on %s: %s", self.listener.url, error)
                break
            self._take(sock, peer)
        return True

    def _take(self, sock: socket.socket, peer: object) -> None:
        sock.setblocking(False)
        listening = self.listener.socket
        if speaks_tls(listening):
            try:
                sock = accept_tls(listening, sock)
            except OSError:
                sock.close()
                return
        known = (peer[0], peer[1]) if isinstance(peer, tuple) else None
        self._new(sock, self.listener, known)

    def refuse_new(self) -> None:
        """Let no further connection into the accept queue, as far as that can be had.

        A connection that enters the queue between the last accept and close() would be reset. On Linux a
        filter on the listener drops new SYNs: those clients try again and find nobody, which is the truth.
        """
        sock = self.listener.socket
        if self.listener.address.kind != "tcp" or not hasattr(socket, "SO_REUSEPORT"):
            return
        program = array.array("B", b"".join(struct.pack("HBBI", *line) for line in _DROP_SYN))
        address, _ = program.buffer_info()
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(_DROP_SYN), address))
        except OSError:
            pass  # not Linux: the gap stays a few microseconds wide

    def close(self) -> None:
        """Accept what is left, then close the listener."""
        self.watch(False)
        self.ready(READ)
        self.listener.close()
