"""What the access log sees of an exchange that is over: views on what the server has, nothing is copied."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pronghorn.observe.asked import Asked


class Line(Protocol):
    """A request line, all "" where it was refused; path and query as PATH_INFO and QUERY_STRING are."""

    @property
    def method(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query(self) -> str: ...
    @property
    def version(self) -> str: ...


class Section(Protocol):
    """A field section: (name, value) as sent, in order."""

    @property
    def fields(self) -> Sequence[tuple[bytes, bytes]]: ...


class Request(Protocol):
    """Immutable; the requests of one connection may share it, or its line, or its section.

    changes: (index into section.fields, value) where this request differs from `section`; never in a field
    that stands there twice.
    """

    @property
    def line(self) -> Line: ...
    @property
    def section(self) -> Section: ...
    @property
    def changes(self) -> Sequence[tuple[int, bytes]]: ...
    @property
    def fields(self) -> Sequence[tuple[bytes, bytes]]:
        """The section's, with the changes."""


class Head(Protocol):
    """Of the answer."""

    @property
    def code(self) -> int: ...
    @property
    def fields(self) -> Sequence[tuple[str, str]]: ...


class NoHead:
    """Stands where nothing was sent."""

    code = 0
    fields: Sequence[tuple[str, str]] = ()


NO_HEAD = NoHead()


class Exchange(Protocol):
    """One request that was answered. Its owner's thread."""

    asked: "Asked | None"
    """The log's own, from one request of a connection to the next; whoever wants its memory sets None."""

    @property
    def request(self) -> Request: ...

    @property
    def peer(self) -> tuple[str, int] | None:
        """REMOTE_ADDR and REMOTE_PORT, if the client has them."""

    @property
    def environ(self) -> dict[str, Any] | None:
        """The application's, where the log wants it."""

    @property
    def started(self) -> float:
        """time.monotonic(), where the log wants it; 0.0 where nothing ran."""
