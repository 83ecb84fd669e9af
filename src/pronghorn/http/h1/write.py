"""A response's octets, from checked parts. Nothing here decides what may be sent; it only writes it down."""

from pronghorn.http.framing import Framing
from pronghorn.http.response import ResponseHead

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def head_octets(
    head: ResponseHead, framing: Framing, length: int | None, stamp: bytes, connection: bytes
) -> bytes:
    """A whole head in the general case.

    stamp: the server's Date and Server lines; the application's own replace them (RFC 9110 section 6.6.1).
    connection: the Connection line, or nothing.
    """
    parts = [head.lines, connection]
    for line in stamp.splitlines(keepends=True):
        own = head.has_date if line[:5] == b"Date:" else head.has_server
        if not own:
            parts.append(line)
    if framing is Framing.CHUNKED:
        parts.append(b"Transfer-Encoding: chunked\r\n")
    elif length is not None and head.code != 204:
        parts.append(b"Content-Length: %d\r\n" % length)
    parts.append(b"\r\n")
    return b"".join(parts)
