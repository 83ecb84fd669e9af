"""One HTTP/1.1 connection without its socket: octets in, requests out; answers in, octets out.

No socket, no thread, no clock, no log. Reading has three outcomes: done, more, or a ProtocolError.

    h1 = H1Connection(Limits())
    request = h1.receive(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")

The last head is remembered (`memo`), so what a client repeats is not parsed again.
"""

from pronghorn.errors import ProtocolError
from pronghorn.http.framing import Framing, response_framing
from pronghorn.http.h1.body import ChunkedBody, SizedBody, Write, too_large
from pronghorn.http.h1.head import check_line_octets, parse_request_line
from pronghorn.http.h1.known import KnownHeads
from pronghorn.http.h1.memo import HeadMemo, check_block
from pronghorn.http.h1.states import READING, WRITING, Reading, Writing
from pronghorn.http.h1.write import LAST_CHUNK, head_octets
from pronghorn.http.limits import Limits
from pronghorn.http.request import Request
from pronghorn.http.response import ResponseHead

_EMPTY_LINES_MOST = 2
"""CRLFs ignored before a request line (RFC 9112 section 2.2: at least one; some clients send two)."""


class H1Connection:
    """The protocol state of one connection. One thread at a time may use it: the connection's owner."""

    __slots__ = (
        "_body",
        "_framing",
        "_limits",
        "_memo",
        "_partial",
        "_partial_line",
        "_pos",
        "_rested",
        "_scheme",
        "_skipped",
        "content",
        "persistent",
        "reading",
        "unread",
        "writing",
    )

    def __init__(self, limits: Limits, scheme: str = "http", known: KnownHeads | None = None) -> None:
        """known: heads of other connections that have these limits."""
        self._limits = limits
        self._scheme = scheme
        # Input. _partial holds a head that has not come whole.
        self.unread = b""
        """Octets, from _pos on, that no request has claimed; empty if there are none."""
        self._pos = 0
        self._partial: bytearray | None = None
        self._partial_line = -1  # where the request line in it ends
        self._skipped = 0  # empty lines before it
        self.content: bytes | None = None
        """The whole body of the request, where it came with its head; the owner takes it and sets None."""
        self._body: SizedBody | ChunkedBody | None = None
        self._memo = HeadMemo(limits, scheme, KnownHeads() if known is None else known)
        self._rested = False
        # The answer.
        self._framing = Framing.NONE
        self.persistent = True
        """Whether the connection goes on after the answer that was written last."""
        self.reading = Reading.HEAD
        self.writing = Writing.IDLE

    @property
    def pending(self) -> bool:
        """Whether octets wait that no request has claimed yet."""
        return bool(self.unread) or self._partial is not None

    @property
    def remembers(self) -> bool:
        """Whether `rest` would give memory back."""
        return self._memo.request is not None

    @property
    def rests(self) -> bool:
        """Whether nothing has come since `rest`."""
        return self._rested and self._memo.request is None and not self.pending

    def rest(self) -> None:
        """Forget the last head: the connection has been idle for long."""
        self._memo.forget()
        self._rested = True

    # Reading a head

    def receive(self, data: bytes) -> Request | None:
        """Take octets; the next request if its head is complete. Only while reading a head."""
        partial = self._partial
        if partial is None:
            # The same head again, and nothing else.
            memo = self._memo
            request = memo.request
            if data == memo.whole and request is not None and not request.section.has_body:
                self._skipped = 0
                return request
        else:
            old = len(partial)
            partial += data
            if old > 1 and partial.find(b"\r\n\r\n", max(0, old - 3)) < 0:
                self._check_partial(old)
                return None
            data = bytes(partial)
            self._partial = None
        self.unread = data
        self._pos = 0
        return self.next_request()

    def next_request(self) -> Request | None:
        """The next request among the octets at hand, when the exchange before it has ended."""
        data = self.unread
        if not data:
            return None
        start = self._pos
        memo = self._memo
        request = memo.request
        if request is not None and data.startswith(memo.whole, start):
            end = start + len(memo.whole)
        elif not start and (request := memo.again(data)) is not None:
            end = len(data)
        else:
            end = data.find(b"\r\n\r\n", start)
            if end < 0 or data[start] == 0x0D:
                return self._irregular()
            line_end = data.find(b"\r\n", start, end + 2)
            request = memo.parse(data[start:line_end], data[line_end:end])
            end += 4
        self._skipped = 0
        if request.section.has_body:
            end += self._begin_body(request, end)
        self._pos = end
        if end == len(data):
            self.unread = b""
        return request

    def _irregular(self) -> Request | None:
        """An empty line first, or a head that is not complete."""
        data, at = self.unread, self._pos
        while data[at : at + 2] == b"\r\n":
            self._skipped += 1
            at += 2
            if self._skipped > _EMPTY_LINES_MOST:
                raise ProtocolError(400, "empty lines in place of a request", "RFC 9112 section 2.2")
        self._pos = at
        if data.find(b"\r\n\r\n", at) >= 0 and data[at] != 0x0D:
            self._skipped = 0
            return self.next_request()
        self.unread = b""
        if at < len(data):
            self._partial = bytearray(data[at:])
            self._partial_line = -1
            self._check_partial(0)
        return None

    def _check_partial(self, old: int) -> None:
        """Refuse at once what no further octet can mend; octets before `old` have been looked at."""
        partial = self._partial
        assert partial is not None
        if partial == b"\r":
            return
        self._skipped = 0
        if partial[0] == 0x0D:
            raise ProtocolError(400, "a bare CR", "RFC 9112 section 2.2")
        limits = self._limits
        if self._partial_line < 0:
            end = partial.find(b"\r\n", max(0, old - 1))
            stop = end if end >= 0 else len(partial) - (partial[-1] == 0x0D)
            check_line_octets(bytes(partial[max(0, old - 1) : min(stop, limits.limit_request_line + 1)]))
            if stop > limits.limit_request_line:
                raise ProtocolError(414, "request line too long", "RFC 9112 section 3")
            if end < 0:
                return
            parse_request_line(bytes(partial[:end]), self._scheme)
            self._partial_line = old = end
        elif partial[old - 1] == 0x0D:
            old -= 1
        # A CR at the end: its LF may be on its way, or behind the limit.
        check_block(bytes(partial[old : limits.limit_request_head]).removesuffix(b"\r"))
        if len(partial) > limits.limit_request_head + 3 or (
            len(partial) > limits.limit_request_head
            and len(partial.rstrip(b"\r\n")) > limits.limit_request_head
        ):
            raise ProtocolError(431, "header section too large", "RFC 6585 section 5")

    # Reading a body

    def _begin_body(self, request: Request, at: int) -> int:
        """A body begins in `unread`: take it, if it is all there; the octets that were taken."""
        section = request.section
        size = section.content_length
        if size is not None and size <= len(self.unread) - at:
            self.content = self.unread[at : at + size]
            return size
        self.reading = READING["body announced"][self.reading]
        self._body = ChunkedBody(self._limits) if section.chunked else SizedBody(size or 0)
        return 0

    def limit_body(self, octets: int) -> None:
        """The request's body may have this many, instead of what the limits say. Raises ProtocolError.

        Before anything of the body was received, but for what came with the head.
        """
        if self.content is not None:
            length: int | None = len(self.content)
        elif isinstance(self._body, ChunkedBody):
            self._body.limit(octets)
            length = None
        else:
            length = self._body.length if self._body is not None else None
        if length is not None and length > octets:
            raise too_large()

    def receive_body(self, data: bytes, write: Write) -> bool:
        """Take octets of a body and write its content; True when it is complete. Begin with b""."""
        if self.content is not None:
            write(self.content)
            self.content = None
            return True
        assert self._body is not None
        if self.unread:
            data = self.unread[self._pos :] + data
            self.unread = b""
        rest = self._body.take(data, write)
        if rest is None:
            return False
        self.unread = rest
        self._pos = 0
        self._body = None
        self.reading = READING["body complete"][self.reading]
        return True

    @property
    def missing(self) -> int:
        """Octets of the body that have not come; 0 where nobody knows how many there will be."""
        return self._body.left if isinstance(self._body, SizedBody) else 0

    def end_of_input(self) -> None:
        """The client's end of stream: a ProtocolError in the middle of a message (RFC 9112 section 8)."""
        if self.reading is Reading.BODY or self._partial is not None:
            raise ProtocolError(400, "the message is incomplete", "RFC 9112 section 8")
        self.refuse()

    def refuse(self) -> None:
        """Look at nothing more that the client sends (RFC 9112 section 9.6)."""
        self.reading = READING["refused"][self.reading]
        self.unread = b""
        self._partial = None
        self._body = None

    @property
    def begun(self) -> Request | None:
        """The request whose body is being read or has not been taken; None while a head is read."""
        return self._memo.request if self.reading is Reading.BODY or self.content is not None else None

    @property
    def head_only(self) -> bool:
        """Whether what is being read is a HEAD request, so that a refusal has no content either."""
        if self.begun is not None:
            return self.begun.line.method == "HEAD"
        octets = self.unread[self._pos : self._pos + 5] or bytes(self._partial or b"")[:5]
        return octets == b"HEAD "

    # Writing

    def refusal(self, head: ResponseHead, stamp: bytes) -> bytes:
        """The head of an answer to what is no request; the last one."""
        self.cut()
        return head_octets(head, Framing.LENGTH, head.content_length, stamp, b"Connection: close\r\n")

    def respond(
        self, request: Request, head: ResponseHead, block: bytes, stamp: bytes, persist: bool
    ) -> bytes:
        """A complete answer, whose content is `block`.

        persist: whether the server wants the connection to go on.
        """
        size = len(block)
        if request.simple and head.ordinary and persist and not self.writing:
            known = head.last_octets
            if known[0] is stamp and known[1] == size:
                return known[2] + block
            return head.octets(stamp, size) + block
        length = size if head.content_length is None else head.content_length
        last = not (persist and request.section.persistent)
        if last and head.ordinary and not self.writing and length == size and request.line.method != "HEAD":
            # What `begin` says of it: sixteen lines of Python less.
            self.writing = WRITING["begun"][self.writing]
            self.persistent = False
            self._framing = Framing.LENGTH
            self.end()
            return head.closing().octets(stamp, size) + block
        # A HEAD request's answer has no content: what there is of it may not be what GET would have had.
        unknown = request.line.method == "HEAD" and head.content_length is None and not size
        octets = self.begin(request, head, None if unknown else length, stamp, persist)
        if self.content_follows:
            octets += block
        self.end()
        return octets

    def announce(self, request: Request, head: ResponseHead, size: int, stamp: bytes, persist: bool) -> bytes:
        """The head of a complete answer, whose `size` octets follow if `content_follows`."""
        if request.simple and head.ordinary and persist and not self.writing:
            self._framing = Framing.LENGTH
            return head.octets(stamp, size)
        octets = self.begin(request, head, size, stamp, persist)
        self.end()
        return octets

    def begin(
        self, request: Request, head: ResponseHead, length: int | None, stamp: bytes, persist: bool
    ) -> bytes:
        """The head of an answer whose content follows. `length`: its octets, None if not known."""
        line = request.line
        self.writing = WRITING["begun"][self.writing]
        framing = self._framing = response_framing(line.method, line.version, head.code, length)
        if framing is Framing.NONE and head.code in (204, 304):
            length = head.content_length
        self.persistent = (
            persist and request.section.persistent and not head.close and framing is not Framing.CLOSE
        )
        connection = b""
        if not self.persistent:
            connection = b"Connection: close\r\n"
        elif line.version == "HTTP/1.0":
            connection = b"Connection: keep-alive\r\n"
        return head_octets(head, framing, length, stamp, connection)

    @property
    def content_follows(self) -> bool:
        """Whether the answer that was begun has content."""
        return self._framing is not Framing.NONE

    @property
    def until_close(self) -> bool:
        """Whether only the connection's end tells that of the content."""
        return self._framing is Framing.CLOSE

    def frame(self, size: int) -> tuple[bytes, bytes]:
        """What to put before and behind the next `size` octets of content; `size` is not 0."""
        if self._framing is Framing.CHUNKED:
            return b"%x\r\n" % size, b"\r\n"
        return b"", b""

    def end(self) -> bytes:
        """The octets that end the answer."""
        self.writing = WRITING["complete" if self.persistent else "last"][self.writing]
        return LAST_CHUNK if self._framing is Framing.CHUNKED else b""

    def cut(self) -> None:
        """The answer will not be complete: the connection ends with it (RFC 9112 section 8)."""
        self.writing = WRITING["last"][self.writing]
        self.persistent = False
