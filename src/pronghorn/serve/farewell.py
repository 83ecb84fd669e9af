"""How a connection ends, so that the client sees the whole answer, or that it is not whole."""

import errno
import socket
import struct

from pronghorn.net.transport import Transport

LINGER = 2.0
"""Seconds of reading on after a refusal, so that the client sees it before a reset (RFC 9112 section 9.6)."""

LINGER_MOST = 1 << 20
"""Arbitrary: octets read on for."""

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: close() sends RST."""


def half_close(transport: Transport, sock: socket.SocketType) -> bool:
    """Say that nothing more comes, and go on reading. False: the client is gone."""
    transport.say_goodbye()
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError as error:
        return error.errno == errno.EINVAL
    return True


def reset_on_close(sock: socket.SocketType) -> None:
    """The client must not take the end of the connection for that of the answer."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    except OSError:
        pass
