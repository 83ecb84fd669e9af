"""Exchange: all that one request may ask of its connection.

The pipeline in `wsgi/` sees nothing else of the server, so HTTP/1.1 and HTTP/2 share it, and a test can
stand in for both. Whoever runs the application owns the exchange until the call has ended.

A class and no protocol: compiled, who calls its methods need not look them up by name.
"""

from pronghorn.http.request import NO_REQUEST, Request
from pronghorn.http.response import ResponseHead


class Exchange:
    """One request and its response. Every sending method raises ClientDisconnected when nobody listens.

    A caller sends either `respond` alone, or `begin`, any number of `send` and `send_file`, then `end`.
    """

    __slots__ = ("request",)

    def __init__(self) -> None:
        self.request: Request = NO_REQUEST

    def inform(self, lines: bytes) -> None:
        """Send an interim response (RFC 8297), if this client understands one."""
        raise NotImplementedError

    def respond(self, head: ResponseHead, block: bytes, goes_on: bool = False) -> None:
        """Send a complete response whose content is `block`.

        goes_on: the call does not end with it, so that it may not wait for that.
        """
        raise NotImplementedError

    def begin(self, head: ResponseHead, length: int | None) -> bool:
        """Send a head; content follows if the answer is True. `length`: its octets, None if not known."""
        raise NotImplementedError

    def send(self, block: bytes) -> None:
        """Send a non-empty block of content, or see to it that somebody keeps sending it."""
        raise NotImplementedError

    def send_file(self, file: int, offset: int, count: int) -> None:
        """Send `count` octets of an open descriptor, which stays the caller's."""
        raise NotImplementedError

    def end(self) -> None:
        """The content is complete."""
        raise NotImplementedError

    def abort(self) -> None:
        """The content will not be complete: let the client see that."""
        raise NotImplementedError
