"""What an access log is told, without a server."""

from typing import Any

from pronghorn.http.request import FieldSection, Request, RequestLine
from pronghorn.http.response import ResponseHead
from pronghorn.observe.asked import Asked

Fields = list[tuple[bytes, bytes]]


def section(fields: Fields) -> FieldSection:
    return FieldSection(fields, "HTTP/1.1", None, False, True, False)


def line(path: str = "/", target: str = "", query: str = "") -> RequestLine:
    return RequestLine("GET", target or path, path, query, "HTTP/1.1", None)


class Exchange:
    """Of an observer's view."""

    def __init__(
        self,
        request: Request,
        peer: tuple[str, int] | None,
        environ: dict[str, Any] | None,
        started: float,
    ) -> None:
        self.request = request
        self.peer = peer
        self.environ = environ
        self.started = started
        self.asked: Asked | None = None


def exchange(
    path: str = "/",
    *,
    fields: Fields | None = None,
    peer: tuple[str, int] | None = ("192.0.2.7", 4711),
    environ: dict[str, Any] | None = None,
    started: float = 0.0,
) -> Exchange:
    return Exchange(Request(line(path), section(fields or [])), peer, environ, started)


def head(status: str = "200 OK", *fields: tuple[str, str]) -> ResponseHead:
    return ResponseHead(status, list(fields))
