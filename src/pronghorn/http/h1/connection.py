"""One HTTP/1.1 connection without its socket: octets in, requests out; answers in, octets out.

No socket, no thread, no clock, no log. Reading has three outcomes: done, more, or a ProtocolError.

    h1 = H1Connection(Limits())
    request = h1.receive(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")

Clients send the same header lines again and again on one connection, so the last header block is
remembered. A block that is equal octet for octet is not parsed again; of one that differs in a few
unimportant lines, only those are. Nothing is ever shared between connections.
"""

from collections import Counter
from itertools import compress
from operator import ne

from pronghorn.errors import ProtocolError
from pronghorn.http.fields import OWS, VALUE, Kind, kind_of
from pronghorn.http.framing import Framing, response_framing
from pronghorn.http.h1.body import ChunkedBody, SizedBody, Write
from pronghorn.http.h1.head import check_line_octets, parse_request_line, parse_section
from pronghorn.http.h1.states import READING, WRITING, Reading, Writing
from pronghorn.http.h1.write import LAST_CHUNK, head_octets
from pronghorn.http.limits import Limits
from pronghorn.http.request import FieldSection, Request
from pronghorn.http.response import ResponseHead

_EMPTY_LINES_MOST = 2
"""CRLFs ignored before a request line (RFC 9112 section 2.2: at least one; some clients send two)."""

_CHANGES_MOST = 6
"""Arbitrary: beyond it, parsing anew costs no more."""


class H1Connection:
    """The protocol state of one connection. One thread at a time may use it: the connection's owner."""

    __slots__ = (
        "_base",
        "_base_block",
        "_base_free",
        "_base_lines",
        "_block",
        "_body",
        "_framing",
        "_left",
        "_limits",
        "_line",
        "_partial",
        "_partial_line",
        "_pos",
        "_request",
        "_scheme",
        "_skipped",
        "_whole",
        "persistent",
        "reading",
        "unread",
        "writing",
    )

    def __init__(self, limits: Limits, scheme: str = "http") -> None:
        self._limits = limits
        self._scheme = scheme
        # Input. _partial holds a head that has not come whole.
        self.unread = b""
        """Octets, from _pos on, that no request has claimed; empty if there are none."""
        self._pos = 0
        self._partial: bytearray | None = None
        self._partial_line = -1  # where the request line in it ends
        self._skipped = 0  # empty lines before it
        self._body: SizedBody | ChunkedBody | None = None
        # The last head, octets and meaning; _base is the section its changes refer to.
        self._whole = b""  # the last segment, where it was a head and nothing else
        self._line = b""
        self._block = b""
        self._request: Request | None = None
        self._base: FieldSection | None = None
        self._base_block = b""
        self._base_lines: list[bytes] | None = None  # made when first needed, with _base_free
        self._base_free: list[bool] = []
        # The answer.
        self._framing = Framing.NONE
        self._left = 0  # content still owed under Content-Length
        self.persistent = True
        """Whether the connection goes on after the answer that was written last."""
        self.reading = Reading.HEAD
        self.writing = Writing.IDLE

    @property
    def pending(self) -> bool:
        """Whether octets wait that no request has claimed yet."""
        return bool(self.unread) or self._partial is not None

    @property
    def fresh(self) -> bool:
        """Whether no request has come yet."""
        return self._request is None

    # Reading a head

    def receive(self, data: bytes) -> Request | None:
        """Take octets; the next request if its head is complete. Only while reading a head."""
        partial = self._partial
        if partial is None and data == self._whole and self._request is not None:
            return self._request
        if partial is not None:
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
        end = data.find(b"\r\n\r\n", start)
        if end < 0 or data[start] == 0x0D:
            return self._irregular()
        line_end = data.find(b"\r\n", start, end + 2)
        line = data[start:line_end]
        block = data[line_end:end]
        if block == self._block and (request := self._request) is not None:
            if line != self._line:
                request = self._parse(line, block)
        else:
            request = self._parse(line, block)
        end += 4
        alone = end == len(data)
        self._whole = data if alone and not start and not request.section.has_body else b""
        if alone:
            self.unread = b""
        else:
            self._pos = end
        if request.section.has_body:
            self._begin_body(request)
        return request

    def _parse(self, line: bytes, block: bytes) -> Request:
        """A head that is not the last one's, octet for octet; often only the line or a few fields are new."""
        last, base = self._request, self._base
        self._request = None  # nothing may be compared with a head that is refused below
        self._check_sizes(line, block)
        parsed = (
            last.line if last is not None and line == self._line else parse_request_line(line, self._scheme)
        )
        changes: tuple[tuple[int, bytes], ...] | None = None
        if base is not None and parsed.version == base.version:
            if last is not None and block == self._block:
                changes = last.changes
            else:
                changes = self._changes(base, block)
        if base is None or changes is None:
            self._base = None
            self._check_block(block)
            base = parse_section(block.split(b"\r\n")[1:], parsed.version, self._limits)
            self._base, self._base_block, self._base_lines = base, block, None
            changes = ()
        self._line = line
        self._block = block
        self._request = request = Request(parsed, base, changes)
        return request

    def _changes(self, base: FieldSection, block: bytes) -> tuple[tuple[int, bytes], ...] | None:
        """(index, value) of the fields that differ from `base`; None if that is not all there is to say.

        A line may differ only in its value, only if its field means nothing to the server, and only if
        its name stands once. `base` is what was parsed whole, so differences never add up.
        """
        before = self._base_lines
        if before is None:
            before = self._base_lines = self._base_block.split(b"\r\n")[1:]
            self._base_free = _free_to_differ(base)
        lines = block.split(b"\r\n")
        del lines[0]
        if not len(lines) == len(before) == len(base.fields):
            return None
        changed = list(compress(range(len(lines)), map(ne, lines, before)))
        if len(changed) > _CHANGES_MOST:
            return None
        changes = []
        for index in changed:
            name, colon, value = lines[index].partition(b":")
            same = colon and name == base.fields[index][0]
            if not same or not self._base_free[index] or value.translate(None, VALUE):
                return None
            changes.append((index, value.strip(OWS)))
        return tuple(changes)

    def _check_sizes(self, line: bytes, block: bytes) -> None:
        """RFC 9112 section 3 (414) and RFC 6585 section 5 (431)."""
        limits = self._limits
        if len(line) > limits.limit_request_line:
            self._check_long_line(line)
        if len(line) + len(block) > limits.limit_request_head:
            # What is wrong within the limit is said first, as when it arrives octet by octet.
            parse_request_line(line, self._scheme)
            self._check_block(block[: max(0, limits.limit_request_head - len(line))])
            raise ProtocolError(431, "header section too large", "RFC 6585 section 5")

    def _check_long_line(self, line: bytes) -> None:
        check_line_octets(line[: self._limits.limit_request_line + 1])
        if len(line) > self._limits.limit_request_line:
            raise ProtocolError(414, "request line too long", "RFC 9112 section 3")

    def _check_block(self, block: bytes) -> None:
        """RFC 9112 section 2.2: lines end with CRLF, and CR and LF stand nowhere else; no NUL."""
        if block[-1:] == b"\r":
            block = block[:-1]  # its LF may be on its way, or behind the limit
        lines = block.count(b"\r\n")
        if block.count(b"\r") != lines or block.count(b"\n") != lines or b"\0" in block:
            raise ProtocolError(
                400, "a bare CR, bare LF or NUL in the header section", "RFC 9112 section 2.2"
            )

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
        self._check_block(bytes(partial[old : limits.limit_request_head]))
        if len(partial) > limits.limit_request_head + 3 or (
            len(partial) > limits.limit_request_head
            and len(partial.rstrip(b"\r\n")) > limits.limit_request_head
        ):
            raise ProtocolError(431, "header section too large", "RFC 6585 section 5")

    # Reading a body

    def _begin_body(self, request: Request) -> None:
        section = request.section
        self.reading = READING["body announced"][self.reading]
        self._body = ChunkedBody(self._limits) if section.chunked else SizedBody(section.content_length or 0)

    def receive_body(self, data: bytes, write: Write) -> bool:
        """Take octets of a body and write its content; True when it is complete. Begin with b""."""
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

    def end_of_input(self) -> None:
        """The client's end of stream: a ProtocolError in the middle of a message (RFC 9112 section 8)."""
        middle = self.reading is Reading.BODY or self._partial is not None
        self.refuse()
        if middle:
            raise ProtocolError(400, "the message is incomplete", "RFC 9112 section 8")

    def refuse(self) -> None:
        """Look at nothing more that the client sends (RFC 9112 section 9.6)."""
        self.reading = READING["refused"][self.reading]
        self.unread = b""
        self._partial = None
        self._body = None

    @property
    def head_only(self) -> bool:
        """Whether what is being read is a HEAD request, so that a refusal has no content either."""
        if self.reading is Reading.BODY:
            return self._request is not None and self._request.line.method == "HEAD"
        octets = self.unread[self._pos : self._pos + 5] or bytes(self._partial or b"")[:5]
        return octets == b"HEAD "

    # Writing

    def refusal(self, head: ResponseHead, stamp: bytes) -> bytes:
        """The head of an answer to what is no request; the last one."""
        self.cut()
        return head_octets(head, Framing.LENGTH, head.content_length, stamp, b"Connection: close\r\n")

    def respond(self, request: Request, head: ResponseHead, size: int, stamp: bytes, persist: bool) -> bytes:
        """The head of an answer whose content, `size` octets, is at hand whole.

        persist: whether the server wants the connection to go on.
        """
        if request.simple and head.ordinary and persist and not self.writing:
            known = head.last_size
            return head.lines + stamp + (known[1] if known[0] == size else head.size_line(size))
        length = size if head.content_length is None else head.content_length
        # A HEAD request's answer has no content: what there is of it may not be what GET would have had.
        unknown = request.line.method == "HEAD" and head.content_length is None and not size
        octets = self.begin(request, head, None if unknown else length, stamp, persist)
        self._left = 0
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
        self._left = length or 0
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
        self._left -= size
        return b"", b""

    def end(self) -> bytes:
        """The octets that end the answer."""
        self.writing = WRITING["complete" if self.persistent else "last"][self.writing]
        return LAST_CHUNK if self._framing is Framing.CHUNKED else b""

    def cut(self) -> None:
        """The answer will not be complete: the connection ends with it (RFC 9112 section 8)."""
        self.writing = WRITING["last"][self.writing]
        self.persistent = False


def _free_to_differ(section: FieldSection) -> list[bool]:
    """Of each field, whether its value alone may change: it is plain, and its name stands once."""
    names = [name.lower() for name, _ in section.fields]
    counts = Counter(names)
    return [
        counts[lower] == 1 and kind_of(name) in (Kind.PLAIN, Kind.SINGLE)
        for (name, _), lower in zip(section.fields, names, strict=True)
    ]
