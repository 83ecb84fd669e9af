"""How long is this body? RFC 9112 section 6.3, its steps numbered, for both directions."""

from enum import Enum

from pronghorn.errors import ProtocolError
from pronghorn.http.fields import DIGITS, members
from pronghorn.http.response import NO_CONTENT

_LENGTH_DIGITS = 18
"""More digits than this exceed every limit; int() is never asked about more."""


def request_framing(version: str, lengths: list[bytes], codings: list[bytes]) -> tuple[int | None, bool]:
    """(Content-Length or None, whether the body is chunked).

    lengths, codings: every Content-Length and Transfer-Encoding value, in order.
    Raises ProtocolError 400 for what is ambiguous, 501 for a coding that is not spoken here.
    Steps 1, 2 and 8 of the section are about responses.
    """
    if codings:
        # 6.1: a coding in a version that has none is faulty framing.
        if version == "HTTP/1.0":
            raise ProtocolError(400, "Transfer-Encoding in an HTTP/1.0 request", "RFC 9112 section 6.1")
        # 3: both is what a smuggled request looks like; refusing is allowed.
        if lengths:
            raise ProtocolError(400, "both Transfer-Encoding and Content-Length", "RFC 9112 section 6.3")
        # 4: chunked must be the last coding, once, without parameters (7.1).
        names = members(codings)
        if not names or names[-1] != b"chunked" or b"chunked" in names[:-1]:
            _refuse_codings(names)
        if len(names) > 1:
            raise ProtocolError(501, "a transfer coding that is not implemented", "RFC 9112 section 6.1")
        return None, True
    if not lengths:
        return None, False  # 7: no body
    # 5: invalid or repeated. Equal repeats could be allowed; nobody honest sends them.
    value = lengths[0]
    if len(lengths) > 1 or not value or value.translate(None, DIGITS):
        raise ProtocolError(400, "invalid or repeated Content-Length", "RFC 9112 section 6.3")
    # 6: a valid length, however it is written
    value = value.lstrip(b"0") or b"0"
    if len(value) > _LENGTH_DIGITS:
        raise ProtocolError(413, "the body is larger than this server takes", "RFC 9110 section 15.5.14")
    return int(value), False


def _refuse_codings(names: list[bytes]) -> None:
    known = {b"chunked", b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress"}
    if b"chunked" in names or not names or known.issuperset(names):
        raise ProtocolError(400, "chunked is not the last transfer coding", "RFC 9112 section 6.3")
    if any(name.startswith(b"chunked") or b";" in name or b" " in name for name in names):
        raise ProtocolError(400, "a malformed Transfer-Encoding", "RFC 9112 section 7.1")
    raise ProtocolError(501, "a transfer coding that is not implemented", "RFC 9112 section 6.1")


class Framing(Enum):
    """How the end of a response's content is told."""

    NONE = "no content"
    LENGTH = "Content-Length"
    CHUNKED = "chunked"
    CLOSE = "end of connection"


def response_framing(method: str, version: str, code: int, length: int | None) -> Framing:
    """RFC 9112 section 6.3 as the sender obeys it; `length` is None if it is not known."""
    if method == "HEAD" or code in NO_CONTENT:
        return Framing.NONE  # 1
    if length is not None:
        return Framing.LENGTH  # 6
    if version == "HTTP/1.1":
        return Framing.CHUNKED  # 4
    return Framing.CLOSE  # 8
