"""Both sides of the parser's tests: bytes in, in parts as a network might deliver them; a verdict out.

The verdict holds everything that a server acts on, so two equal verdicts mean that no proxy and no server could
be told apart by how the bytes were cut.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pronghorn.errors import ProtocolError
from pronghorn.http.h1.connection import H1Connection
from pronghorn.http.h1.known import KnownHeads
from pronghorn.http.limits import Limits
from pronghorn.http.request import Request


@dataclass(frozen=True)
class Seen:
    """One request, complete with its body."""

    method: str
    target: str
    path: str
    query: str
    version: str
    authority: str | None
    fields: tuple[tuple[bytes, bytes], ...]
    content_length: int | None
    chunked: bool
    persistent: bool
    expects_continue: bool
    has_body: bool
    body: bytes = b""


@dataclass(frozen=True)
class Verdict:
    """What came of some bytes.

    end: "done", between two messages; "more", in the middle of one; "closed", after a request that was the
    last; or the status of the refusal.
    """

    requests: tuple[Seen, ...]
    end: str


def seen(request: Request, body: bytes = b"") -> Seen:
    line, section = request.line, request.section
    return Seen(
        line.method,
        line.target,
        line.path,
        line.query,
        line.version,
        line.authority,
        tuple(request.fields),
        section.content_length,
        section.chunked,
        section.persistent,
        section.expects_continue,
        request.has_body,
        body,
    )


class Reader:
    """Drives one connection as a server does, until it has to close."""

    def __init__(
        self, limits: Limits | None = None, scheme: str = "http", known: KnownHeads | None = None
    ) -> None:
        self.connection = H1Connection(limits or Limits(), scheme, known)
        self.requests: list[Seen] = []
        self.closed = False
        self._in_body: Request | None = None
        self._body: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Raises ProtocolError."""
        take = self.connection.receive if self._in_body is None else self._go_on_with_body
        request = take(data)
        while request is not None and not self.closed:
            request = self._begin(request)

    def _begin(self, request: Request) -> Request | None:
        if not request.has_body:
            return self._finish(request)
        self._in_body = request
        return self._go_on_with_body(b"")

    def _go_on_with_body(self, data: bytes) -> Request | None:
        request = self._in_body
        assert request is not None
        if not self.connection.receive_body(data, self._write):
            return None
        self._in_body = None
        return self._finish(request)

    def _write(self, data: bytes) -> None:
        self._body.append(bytes(data))

    def _finish(self, request: Request) -> Request | None:
        self.requests.append(seen(request, b"".join(self._body)))
        self._body.clear()
        self.closed = not request.section.persistent
        return None if self.closed else self.connection.next_request()


def read(
    parts: Iterable[bytes],
    limits: Limits | None = None,
    scheme: str = "http",
    known: KnownHeads | None = None,
) -> Verdict:
    """The verdict on bytes that arrive in these parts, and then the client's end of file.

    known: what earlier connections have left.
    """
    reader = Reader(limits, scheme, known)
    end = _end(reader, parts)
    return Verdict(tuple(reader.requests), end)


def _end(reader: Reader, parts: Iterable[bytes]) -> str:
    try:
        for part in parts:
            reader.feed(part)
            if reader.closed:
                return "closed"
    except ProtocolError as error:
        assert 400 <= error.status <= 599
        assert error.what.isascii()
        return str(error.status)
    return _end_of_input(reader)


def _end_of_input(reader: Reader) -> str:
    try:
        reader.connection.end_of_input()
    except ProtocolError as error:
        assert error.status == 400
        return "more"
    return "done"


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def split_points(length: int) -> Iterable[int]:
    """Every place to cut in two, or for long messages the ends and a sample between them."""
    if length <= 2000:
        return range(1, length)
    ends = [*range(1, 80), *range(length - 80, length)]
    return sorted({*ends, *range(80, length - 80, max(1, length // 97))})


def halves(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for point in split_points(len(data)):
        yield data[:point], data[point:]
