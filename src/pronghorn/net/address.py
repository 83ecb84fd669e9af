"""Where a server listens, as its user writes it.

    localhost:8000   [::1]:8000   :8000   8000   unix:run/site.sock,mode=660   unix:@site   fd://3

The forms are gunicorn's, with a mode for Unix sockets and the abstract namespace of Linux added.
"""

from dataclasses import dataclass
from typing import Literal, Self

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000

_FORMS = "host:port, [::1]:port, :port, unix:path, unix:@name or fd://number"


@dataclass(frozen=True, slots=True)
class Address:
    """One place to listen at. Which of its fields count depends on `kind`.

    tcp: host (without brackets) and port (0: any free one). unix: path and mode (None: as the umask has it).
    abstract: path, without the "@". fd: the number of an inherited socket.
    """

    kind: Literal["tcp", "unix", "abstract", "fd"]
    host: str = ""
    port: int = 0
    path: str = ""
    mode: int | None = None
    fd: int = -1

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address that `text` means. Raises ValueError with a sentence."""
        if not text or text != text.strip():
            raise ValueError(f"{text!r} is not an address: use {_FORMS}.")
        scheme, separator, rest = text.partition("://")
        if separator and scheme not in ("fd", "unix", "tcp"):
            raise ValueError(f"{text!r} is a URL; an address has no scheme: use {_FORMS}.")
        if scheme == "fd":
            return cls._parse_fd(text, rest)
        if text.startswith("unix:"):
            return cls._parse_unix(text, text.removeprefix("unix:").removeprefix("//"))
        return cls._parse_tcp(text, text.removeprefix("tcp://"))

    @classmethod
    def _parse_fd(cls, text: str, number: str) -> Self:
        if number.isascii() and number.isdigit():
            return cls("fd", fd=int(number))
        if not number or not all(letter.isalnum() or letter in "_.-" for letter in number):
            raise ValueError(
                f"{text!r} does not name a file descriptor: write fd:// and its number, or the name "
                "that systemd passes it with."
            )
        return cls("fd", path=number)

    @classmethod
    def _parse_unix(cls, text: str, rest: str) -> Self:
        if "\0" in rest:
            raise ValueError(f"{text!r} holds a NUL: write unix:@name for the abstract namespace.")
        if rest.startswith("@"):
            if len(rest) == 1:
                raise ValueError(f"{text!r} has no name: write unix:@name.")
            return cls("abstract", path=rest[1:])
        path, comma, setting = rest.rpartition(",mode=")
        if not comma:
            path, mode = rest, None
        elif len(setting) in (3, 4) and all(digit in "01234567" for digit in setting):
            mode = int(setting, 8)
        else:
            raise ValueError(f"{text!r} has no octal mode: write mode=660, for example.")
        if not path:
            raise ValueError(f"{text!r} has no path: write unix:path.")
        return cls("unix", path=path, mode=mode)

    @classmethod
    def _parse_tcp(cls, text: str, rest: str) -> Self:
        if rest.isascii() and rest.isdigit():
            return cls("tcp", host=DEFAULT_HOST, port=_port(text, rest))
        if rest.startswith("["):
            host, bracket, port = rest[1:].partition("]")
            if not bracket or not host or (port and not port.startswith(":")):
                raise ValueError(f"{text!r} is not an IPv6 address and port: write [::1]:8000.")
            return cls("tcp", host=host, port=_port(text, port[1:]) if port else DEFAULT_PORT)
        if rest.count(":") > 1:
            raise ValueError(f"{text!r} is an IPv6 address without brackets: write [::1]:8000.")
        host, colon, port = rest.partition(":")
        if any(letter in host for letter in "/ @,"):
            raise ValueError(f"{text!r} is not an address: use {_FORMS}.")
        # As gunicorn has it: no host means every IPv4 interface.
        return cls("tcp", host=host or "0.0.0.0", port=_port(text, port) if colon else DEFAULT_PORT)

    def __str__(self) -> str:
        match self.kind:
            case "tcp":
                return f"{bracketed(self.host)}:{self.port}"
            case "unix":
                return f"unix:{self.path}" + ("" if self.mode is None else f",mode={self.mode:o}")
            case "abstract":
                return f"unix:@{self.path}"
            case "fd":
                return f"fd://{self.path or self.fd}"


def bracketed(host: str) -> str:
    """A host as it stands before ":port" (RFC 3986 section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def _port(text: str, port: str) -> int:
    if not (port.isascii() and port.isdigit()) or len(port) > 5 or int(port) > 65535:
        raise ValueError(f"{text!r} has no port from 0 to 65535.")
    return int(port)
