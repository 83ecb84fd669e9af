"""Exchange: all that one request may ask of its connection.

The pipeline in `wsgi/` sees nothing else of the server, so HTTP/1.1 and HTTP/2 share it, and a test can
stand in for both. Whoever runs the application owns the exchange until the call has ended.
"""

from typing import BinaryIO, Protocol

from pronghorn.http.request import Request
from pronghorn.http.response import ResponseHead


class Exchange(Protocol):
    """One request and its response. Every sending method raises ClientDisconnected when nobody listens.

    A caller sends either `respond` alone, or `begin`, any number of `send` and `send_file`, then `end`.
    """

    request: Request
    body: BinaryIO | None
    """The whole request body, at its start; None if there is none."""

    def inform(self, lines: bytes) -> None:
        """Send an interim response (RFC 8297), if this client understands one."""

    def respond(self, head: ResponseHead, block: bytes, goes_on: bool = False) -> None:
        """Send a complete response whose content is `block`.

        goes_on: the call does not end with it, so that it may not wait for that.
        """

    def begin(self, head: ResponseHead, length: int | None) -> bool:
        """Send a head; content follows if the answer is True. `length`: its octets, None if not known."""

    def send(self, block: bytes) -> None:
        """Send a non-empty block of content, or see to it that somebody keeps sending it."""

    def send_file(self, file: int, offset: int, count: int) -> None:
        """Send `count` octets of an open descriptor, which stays the caller's."""

    def end(self) -> None:
        """The content is complete."""

    def abort(self) -> None:
        """The content will not be complete: let the client see that."""
