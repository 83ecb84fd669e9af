"""Reads an upload of any size in blocks: a form with files, or a bare body.

    for part in parts(environ):
        print(part.name, part.filename, sum(len(block) for block in part.blocks))

Nothing here holds more than two blocks in memory. Each part's blocks must be taken before the next part.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

BLOCK = 1 << 16
MOST_HEADER_BYTES = 8192


class BadForm(ValueError):
    """The body is not the multipart form that its Content-Type says."""


@dataclass
class Part:
    """One field of a form; `filename` is empty where it is not a file."""

    name: str
    filename: str
    blocks: Iterator[bytes]


def parts(environ: dict[str, Any]) -> Iterator[Part]:
    """The parts of a multipart/form-data body, or the whole body as one part without a name."""
    content_type = Message()
    content_type["content-type"] = environ.get("CONTENT_TYPE") or "application/octet-stream"
    read = environ["wsgi.input"].read
    if content_type.get_content_type() != "multipart/form-data":
        yield Part("", "", iter(lambda: read(BLOCK), b""))
        return
    boundary = content_type.get_param("boundary")
    if not isinstance(boundary, str) or not 0 < len(boundary) <= 70:
        raise BadForm("The form has no boundary.")
    yield from _Multipart(read, boundary.encode("latin-1")).parts()


class _Multipart:
    """RFC 2046, section 5.1.1, as browsers write it."""

    def __init__(self, read: Callable[[int], bytes], boundary: bytes) -> None:
        self.read = read
        self.delimiter = b"\r\n--" + boundary
        # The first delimiter has no line end before it; this gives it one.
        self.buffer = b"\r\n"

    def parts(self) -> Iterator[Part]:
        for _ in self._until_delimiter():
            pass
        while self._take(2) == b"\r\n":
            about = self._headers()
            blocks = self._until_delimiter()
            name = about.get_param("name", "", "content-disposition")
            yield Part(str(name), about.get_filename("") or "", blocks)
            for _ in blocks:
                pass

    def _headers(self) -> Message:
        about = Message()
        while line := self._line():
            name, _, value = line.decode("utf-8", "replace").partition(":")
            about[name.strip()] = value.strip()
        return about

    def _line(self) -> bytes:
        while (end := self.buffer.find(b"\r\n")) < 0:
            if len(self.buffer) > MOST_HEADER_BYTES:
                raise BadForm("A part's header is too long.")
            self._more()
        line, self.buffer = self.buffer[:end], self.buffer[end + 2 :]
        return line

    def _take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._more()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def _until_delimiter(self) -> Iterator[bytes]:
        keep = len(self.delimiter) - 1
        while (end := self.buffer.find(self.delimiter)) < 0:
            if len(self.buffer) > keep:
                block, self.buffer = self.buffer[:-keep], self.buffer[-keep:]
                yield block
            self._more()
        block, self.buffer = self.buffer[:end], self.buffer[end + len(self.delimiter) :]
        if block:
            yield block

    def _more(self) -> None:
        block = self.read(BLOCK)
        if not block:
            raise BadForm("The form ends in the middle of a part.")
        self.buffer += block
