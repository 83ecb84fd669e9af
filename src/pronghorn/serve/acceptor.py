"""A listening socket as the worker sees it: accept what there is, or a share of it beside others."""

import errno
import logging
import socket
from collections.abc import Callable

from pronghorn.net.listen import Listener
from pronghorn.net.transport import accept_tls, speaks_tls
from pronghorn.serve.poller import EXCLUSIVE, READ, Poller

ACCEPTS_MOST = 256
"""Arbitrary: connections taken in one round, so that those there are get their turn."""

_OUT_OF_SOMETHING = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC}
"""The process or the system has none left, or no memory; trying again at once would spin."""

_CLIENT_GAVE_UP = {errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.ENETDOWN, errno.EHOSTUNREACH}
"""accept(2): an error of that connection, not of the listener."""

PAUSE = 0.2
"""Seconds of doing nothing when descriptors, or memory, are short."""

NewConnection = Callable[[socket.SocketType, Listener, tuple[str, int] | None], None]


class Acceptor:
    """One listener. Leader only."""

    __slots__ = (
        "_accept",
        "_accepted",
        "_kind",
        "_log",
        "_mask",
        "_new",
        "_poller",
        "_short",
        "_tls",
        "_watching",
        "fd",
        "listener",
    )

    def __init__(
        self,
        listener: Listener,
        poller: Poller,
        new: NewConnection,
        short: Callable[[OSError], None],
        log: logging.Logger,
        accepted: Callable[[], bool] | None,
    ) -> None:
        """new: called with each accepted socket, its listener and its peer. short: called when there is no
        descriptor or memory left. accepted: called after each connection where others accept from the same
        queue; says whether to take another at once. None where nobody else does."""
        self.listener = listener
        self.fd = listener.socket.fileno()
        self._poller = poller
        self._new = new
        self._short = short
        self._log = log
        self._accept: Callable[[], tuple[int, object]] = listener.socket._accept  # type: ignore[attr-defined]
        self._kind = int(listener.socket.family), int(listener.socket.type), listener.socket.proto
        self._tls = speaks_tls(listener.socket)
        self._watching = False
        self._accepted = accepted
        self._mask = READ | EXCLUSIVE if accepted else READ
        listener.socket.setblocking(False)

    def watch(self, wanted: bool) -> None:
        """Accept, or leave connections in the queue."""
        if wanted != self._watching:
            try:
                self._poller.change(self.fd, 0 if wanted else self._mask, self._mask if wanted else 0)
            except OSError as error:
                if not wanted or error.errno not in _OUT_OF_SOMETHING:
                    raise
                self._short(error)
            else:
                self._watching = wanted

    def rejoin(self) -> None:
        """Stand at the end of the line of those who wait for this listener, and look into its queue.

        Linux wakes the first in the line that is idle. Whoever has accepted goes to the end, so idle workers
        take turns.
        """
        if self._watching:
            self.watch(False)
            self.watch(True)

    def ready(self, mask: int) -> bool:
        """Accept what there is, or our share where others want some, too. Never costs the lead."""
        if self._accepted is None:
            self.accept(ACCEPTS_MOST)
        elif self.accept(1):
            while self._accepted() and self.accept(1):
                pass
            self.rejoin()
        return True

    def accept(self, most: int) -> int:
        """How many."""
        for count in range(most):
            try:
                # What socket.accept does, but for looking up the listener's family: 4.3 µs in place of 6.0.
                # SSLSocket.accept would shake hands here and now.
                fd, peer = self._accept()
            except BlockingIOError:
                return count
            except OSError as error:
                if error.errno in _CLIENT_GAVE_UP:
                    continue
                if error.errno in _OUT_OF_SOMETHING:
                    self._short(error)
                else:
                    self._log.error("accept on %s: %s", self.listener.url, error)
                return count
            self._take(fd, peer)
        return most

    def _take(self, fd: int, peer: object) -> None:
        listening = self.listener.socket
        if not self._tls:
            # What socket.socket is made of, and all that Transport needs: 0.5 µs in place of 0.95.
            sock = socket.SocketType(*self._kind, fd)
            sock.setblocking(False)
        else:
            plain = socket.socket(*self._kind, fileno=fd)
            plain.setblocking(False)
            try:
                sock = accept_tls(listening, plain)
            except OSError:
                plain.close()
                return
        known = (peer[0], peer[1]) if isinstance(peer, tuple) else None
        self._new(sock, self.listener, known)

    def close(self) -> None:
        """What is in the queue is the others', or lost."""
        self.watch(False)
        self.listener.close()
