"""What the access log is told of a message that was refused before an application saw it."""

from pronghorn.http.request import FieldSection, Request, RequestLine
from pronghorn.observe.asked import Asked

_NOTHING = Request(RequestLine("", "", "", "", "", None), FieldSection([], "", None, False, False, False))


class Refused:
    """Stands for an exchange. request: None if its head was not good."""

    __slots__ = ("asked", "environ", "peer", "request", "started")

    def __init__(self, request: Request | None, peer: tuple[str, int] | None) -> None:
        self.request = request or _NOTHING
        self.peer = peer
        self.asked: Asked | None = None
        self.environ = None
        self.started = 0.0
