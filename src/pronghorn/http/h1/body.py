"""A request's body: octets in, content out. Done, more, or a ProtocolError.

`take(data, write)` writes the content in `data` and returns the octets behind the body once it is
complete (perhaps none), or None while more must come (RFC 9112 sections 6.3 and 7.1).
"""

import re
from collections.abc import Callable
from enum import Enum

from pronghorn.errors import ProtocolError
from pronghorn.http.h1.head import parse_fields
from pronghorn.http.limits import Limits

Write = Callable[[bytes], object]

_CHUNK_LINE_LONGEST = 4096
"""Arbitrary: a size and its extensions. Nobody is known to send extensions at all."""

_EXTENSIONS_MOST = 65536
"""Arbitrary: octets of chunk extensions in one body (section 7.1.1: a recipient ought to limit them)."""

_SIZE_DIGITS = 15
"""Hexadecimal digits behind leading zeros; a chunk of more exceeds every limit."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_CHUNK_LINE = re.compile(
    rb"(?P<size>[0-9A-Fa-f]+)"
    rb'(?:[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t -\x7e\x80-\xff])*"))?)*'
    % (_TOKEN, _TOKEN)
)
"""chunk-size [ chunk-ext ], section 7.1. Every branch begins with another octet: linear."""


class SizedBody:
    """A body that ends after Content-Length octets."""

    __slots__ = ("left", "length")

    def __init__(self, length: int) -> None:
        self.length = length
        self.left = length
        """Octets that have not come."""

    def take(self, data: bytes, write: Write) -> bytes | None:
        size = len(data)
        if size < self.left:
            if size:
                write(data)
                self.left -= size
            return None
        write(data if size == self.left else data[: self.left])
        rest = data[self.left :]
        self.left = 0
        return rest


class _Part(Enum):
    SIZE = "a chunk's size line"
    DATA = "a chunk's octets"
    DATA_END = "the CRLF behind them"
    TRAILER = "a trailer field or the end"


class ChunkedBody:
    """A chunked body (section 7.1). Trailer fields are checked, limited and dropped, never merged (6.5.1)."""

    __slots__ = (
        "_extensions",
        "_held",
        "_left",
        "_limits",
        "_most",
        "_part",
        "_size",
        "_trailer_size",
        "_trailers",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._most = limits.limit_request_body
        self._part = _Part.SIZE
        self._held = b""  # the beginning of a line whose end has not come
        self._left = 0  # of this chunk
        self._size = 0  # content so far
        self._extensions = 0
        self._trailers: list[bytes] = []
        self._trailer_size = 0

    def limit(self, octets: int) -> None:
        """Of content, instead of the server's limit. Before the first `take`."""
        self._most = octets

    def take(self, data: bytes, write: Write) -> bytes | None:
        if self._held:
            data = self._held + data
            self._held = b""
        at = 0
        while at < len(data):
            if self._part is _Part.DATA:
                stop = min(at + self._left, len(data))
                write(data[at:stop])
                self._left -= stop - at
                at = stop
                if not self._left:
                    self._part = _Part.DATA_END
                continue
            end = self._line_end(data, at)
            if end < 0:
                self._held = data[at:]
                return None
            line = data[at:end]
            at = end + 2
            if self._part is _Part.TRAILER:
                if not line:
                    parse_fields(self._trailers)
                    return data[at:]
                self._add_trailer(line)
            elif self._part is _Part.SIZE:
                self._start_chunk(line)
            else:
                self._part = _Part.SIZE
        return None

    def _line_end(self, data: bytes, at: int) -> int:
        """Where the line from `at` has its CRLF; -1 if that has not come yet."""
        if self._part is _Part.DATA_END:
            if data[at : at + 2] not in (b"\r", b"\r\n"):
                raise ProtocolError(400, "a chunk is longer than its size", "RFC 9112 section 7.1")
            return at if len(data) - at > 1 else -1
        longest = _CHUNK_LINE_LONGEST if self._part is _Part.SIZE else self._limits.limit_request_head
        feed = data.find(b"\n", at, at + longest + 2)
        if feed < 0:
            cr = data.find(b"\r", at, at + longest + 1)
            if 0 <= cr < len(data) - 1:
                raise ProtocolError(400, "a bare CR in a line", "RFC 9112 section 2.2")
            if len(data) - at > longest + 1:
                self._too_long()
            return -1
        if feed == at or data.find(b"\r", at, feed) != feed - 1:
            raise ProtocolError(400, "a line that does not end with CRLF", "RFC 9112 section 2.2")
        return feed - 1

    def _too_long(self) -> None:
        if self._part is _Part.SIZE:
            raise ProtocolError(400, "a chunk's size line is too long", "RFC 9112 section 7.1.1")
        raise ProtocolError(431, "trailer section too large", "RFC 6585 section 5")

    def _start_chunk(self, line: bytes) -> None:
        found = _CHUNK_LINE.fullmatch(line)
        if found is None:
            raise ProtocolError(400, "malformed chunk size or extension", "RFC 9112 section 7.1")
        digits = found["size"].lstrip(b"0")
        self._extensions += len(line) - found.end("size")
        if self._extensions > _EXTENSIONS_MOST:
            raise ProtocolError(400, "too many chunk extensions", "RFC 9112 section 7.1.1")
        self._left = int(digits or b"0", 16) if len(digits) <= _SIZE_DIGITS else 1 << 62
        self._size += self._left
        if self._size > self._most:
            raise too_large()
        self._part = _Part.DATA if self._left else _Part.TRAILER

    def _add_trailer(self, line: bytes) -> None:
        self._trailers.append(line)
        self._trailer_size += len(line) + 2
        if (
            len(self._trailers) > self._limits.limit_request_fields
            or self._trailer_size > self._limits.limit_request_head
        ):
            raise ProtocolError(431, "trailer section too large", "RFC 6585 section 5")


def too_large() -> ProtocolError:
    return ProtocolError(413, "the body is larger than this server takes", "RFC 9110 section 15.5.14")
