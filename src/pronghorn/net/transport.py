"""One connection's socket, plain or TLS, behind the same few calls. None of them waits.

Each raises BlockingIOError when the socket must be waited for, and another OSError when it is dead.
"""

import contextlib
import os
import socket
from collections.abc import Sequence
from typing import Any

from pronghorn.net.direct import Direct

Part = bytes | memoryview

_MORE = getattr(socket, "MSG_MORE", 0)

FILE_MOST = 1 << 20
"""Octets of a file in one call."""


class Transport(Direct):
    """What a connection needs of its socket. As it stands, that of TCP or UNIX."""

    __slots__ = ()

    def send_ahead(self, octets: bytes) -> int:
        """As `send`, where more follows at once."""
        # A head by itself would wake the client, which then does half of the kernel's work for the file: 1900
        # files of 1 MiB a second between two cores, not 2900.
        sent: int = self._sock.send(octets, _MORE)
        return sent

    def send_parts(self, parts: Sequence[Part]) -> int:
        """Send several blocks at once; octets taken."""
        sent: int = self._sock.sendmsg(parts)
        return sent

    def send_file(self, file: int, offset: int, count: int) -> int:
        """Send from a descriptor; octets taken, 0 where the file ends early."""
        # On a fast connection one call would go on as long as the client reads.
        return os.sendfile(self._sock.fileno(), file, offset, min(count, FILE_MOST))

    def pending(self) -> bool:
        """Whether octets wait that the poller knows nothing of."""
        return False

    def say_goodbye(self) -> None:
        """Nothing more will be sent (RFC 9112 section 9.8 for TLS)."""


_WANTS = frozenset({2, 3})
"""The errno of ssl.SSLWantReadError and SSLWantWriteError. A socket's own errors never have it, and importing
`ssl` would cost every server without TLS a tenth of its memory."""


class TlsTransport(Transport):
    """TLS over an ssl.SSLSocket: OpenSSL shakes hands within the first recv."""

    __slots__ = ()

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def recv(self, size: int) -> bytes:
        try:
            data: bytes = self._sock.recv(size)
        except OSError as error:
            raise _translated(error) from None
        return data

    def send(self, data: Part) -> int:
        try:
            sent: int = self._sock.send(data)
        except OSError as error:
            raise _translated(error) from None
        return sent

    def send_ahead(self, octets: bytes) -> int:
        return self.send(octets)

    def send_parts(self, parts: Sequence[Part]) -> int:
        return self.send(b"".join(parts))

    def send_file(self, file: int, offset: int, count: int) -> int:
        data = os.pread(file, min(count, 65536), offset)
        return self.send(data) if data else 0

    def pending(self) -> bool:
        return bool(self._sock.pending())

    def say_goodbye(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._sock.unwrap()  # sends close_notify, and does not wait for the client's


def make_transport(sock: socket.SocketType) -> Transport:
    """The transport for a connected, non-blocking socket."""
    return TlsTransport(sock) if speaks_tls(sock) else Transport(sock)


def speaks_tls(sock: socket.SocketType) -> bool:
    """Whether this is an ssl.SSLSocket, connected or listening."""
    return hasattr(sock, "context")


def accept_tls(listening: Any, sock: socket.socket) -> socket.socket:
    """What a listening ssl.SSLSocket makes of an accepted socket; hands are shaken later. Raises OSError."""
    wrapped: socket.socket = listening.context.wrap_socket(
        sock, server_side=True, do_handshake_on_connect=False
    )
    return wrapped


def _translated(error: OSError) -> OSError:
    return BlockingIOError() if error.errno in _WANTS else error
